"""Shipments and their parcels on the order page: what is shown, to whom, and every form about them."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.html import escape

from oscar_fulfillment.carriers.events import TrackingEvent as Told
from oscar_fulfillment.models import (
    CarrierOrder,
    OrderFulfillment,
    OutboundMessage,
    Parcel,
    Shipment,
    TrackingEvent,
    UnmappedCode,
)
from oscar_fulfillment.services import carrier_orders, giving_up, release, shipping, tracking
from oscar_fulfillment.services.shipment_edits import split_shipment
from oscar_fulfillment.test import factories
from tests.integration.parcels import fake_carriers, told

from .steps import form_data, page_url, said, step_url, take, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z6")]
TEAM = factories.TEAM
HOSTILE = "<script>alert(1)</script>\"'>&amp;<b>x</b>"


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


@pytest.fixture
def fake():
    with fake_carriers() as carrier:
        carrier.reset()
        yield carrier


def ready(*counts, **options):
    """An order of lines with so many units, in process, and its line pks."""
    lines = [(factories.product(f"Thing {place}"), count) for place, count in enumerate(counts, 1)]
    order = factories.released_order(lines=lines, currency="CHF", **options)
    return order, list(order.lines.order_by("pk").values_list("pk", flat=True))


def status(order):
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


def shipments(order):
    return list(Shipment.objects.filter(fulfillment=order.pk).order_by("number"))


def units(shipment):
    return dict(shipment.lines.values_list("line_id", "quantity"))


def codes(order):
    rows = Parcel.objects.filter(shipment__fulfillment=order.pk).exclude(status="cancelled")
    return list(rows.order_by("shipment__number", "number").values_list("carrier", "tracking_code"))


# Dispatch


@pytest.mark.feature("A12")
def test_a_part_of_an_order_goes_out_in_two_parcels(client, boss, fake):
    order, (first, second, third) = ready(2, 3, 1)
    url = step_url(order, "dispatch")
    typed = {
        f"line_{second}": 1, f"line_{third}": "", "carrier": "fake", "tracking_code": "fk 1",
        "carrier_2": "second", "tracking_code_2": "FK2", "notify": "yes",
    }  # fmt: skip
    form = client.get(url).context["panel"]["form"]
    assert [(line.pk, quantity, field.value()) for line, quantity, field in form.quantity_rows()] == [
        (first, 2, 2), (second, 3, 3), (third, 1, 1),
    ]  # fmt: skip
    assert said(client, client.post(url, form_data(client, url, **typed))) == [
        "Dispatch: done. The status is now “Sent in part”."
    ]
    gone, rest = shipments(order)
    assert (units(gone), units(rest)) == ({first: 2, second: 1}, {second: 2, third: 1})
    assert (gone.status, rest.status) == ("dispatched", "pending")
    assert codes(order) == [("fake", "FK1"), ("second", "FK2")]
    message = OutboundMessage.objects.get(kind="FULFILLMENT_ORDER_DISPATCHED")
    assert message.payload["shipments"] == [gone.pk]


def test_the_same_form_sent_twice_sends_once(client, boss):
    order, (first,) = ready(3)
    url = step_url(order, "dispatch")
    data = form_data(client, url, **{f"line_{first}": 1, "carrier": "other", "tracking_code": "A1", "notify": "no"})
    for _click in range(2):
        assert said(client, client.post(url, data)) == ["Dispatch: done. The status is now “Sent in part”."]
    assert [s.status for s in shipments(order)] == ["dispatched", "pending"]


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"line_1": "0"}, "Choose at least one unit to send."),
        ({"line_1": ""}, "Choose at least one unit to send."),
        ({"line_1": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"line_1": "99999999999999999999"}, "Ensure this value is less than or equal to"),
        ({"line_1": "two"}, "Enter a whole number."),
        ({"tracking_code": "https://x.example/A1"}, "not the link"),
        ({"tracking_code_2": HOSTILE}, "only letters without accents"),
        ({"tracking_code_2": "x" * 600}, "at most 500 characters"),
        ({"tracking_code_2": "A1", "tracking_code": "a1"}, "The code A1 was typed twice."),
        ({"carrier_2": "nobody", "tracking_code_2": "B1"}, "Choose one of the shop"),
        ({"notify": ""}, "This field is required."),
    ],
)
def test_bad_input_is_refused_and_nothing_is_lost(typed, complaint, client, boss):
    order, (first,) = ready(3)
    url = step_url(order, "dispatch")
    names = {"line_1": f"line_{first}"}
    given = {"carrier": "other", "carrier_2": "other", "tracking_code_2": "", "notify": "no"}
    data = form_data(client, url, **given | {names.get(name, name): value for name, value in typed.items()})
    response = client.post(url, data)
    assert response.status_code == 422
    assert escape(complaint) in response.content.decode() or complaint in text_of(response)
    form = response.context["panel"]["form"]
    for name, value in typed.items():
        assert form[names.get(name, name)].value() == value
    assert HOSTILE not in response.content.decode()
    assert status(order) == "released"
    assert [units(s) for s in shipments(order)] == [{first: 3}]


def test_a_complaint_is_shown_beside_the_parcel_it_is_about(client, boss):
    factories.dispatched_order(carrier="other", tracking_code="TAKEN1", currency="CHF")
    order, _lines = ready(1)
    url = step_url(order, "dispatch")
    typed = {"carrier": "other", "tracking_code": "A1", "carrier_2": "other", "tracking_code_2": "TAKEN1"}
    response = client.post(url, form_data(client, url, notify="no", **typed))
    form = response.context["panel"]["form"]
    assert response.status_code == 422
    assert list(form.errors) == ["tracking_code_2"]
    assert "This code is on order" in str(form.errors["tracking_code_2"])


def test_more_than_there_is_is_refused_with_the_reason(client, boss):
    order, (first,) = ready(3)
    response = take(client, order, "dispatch", notify="no", **{f"line_{first}": 4})
    assert response.status_code == 409
    assert "This is not what waits to be sent." in text_of(response)
    assert "A1" not in text_of(response)


def test_another_parcel_is_added_without_a_script(client, boss):
    order, (first,) = ready(3)
    url = step_url(order, "dispatch")
    data = form_data(client, url, **{f"line_{first}": 2, "carrier": "other", "tracking_code": "A1"})
    response = client.post(url, data | {"more_parcels": "1"})
    assert response.status_code == 200
    form = response.context["panel"]["form"]
    assert [(number, carrier.value(), code.value()) for number, carrier, code in form.boxes()] == [
        (1, "other", "A1"), (2, "other", None),
    ]  # fmt: skip
    assert form[f"line_{first}"].value() == "2"
    assert "ff-errors" not in response.content.decode()
    assert status(order) == "released"
    again = {field.html_name: field.value() for field in form if field.value() is not None}
    response = client.post(url, again | {"more_parcels": "1"})
    assert len(response.context["panel"]["form"].boxes()) == 3


def test_no_form_has_more_boxes_than_the_service_takes(client, boss):
    order, _lines = ready(1)
    url = step_url(order, "dispatch")
    data = form_data(client, url, notify="no", tracking_code_99="Z9", tracking_code_100="Z10", tracking_code_0="Z0")
    response = client.post(url, data | {"more_parcels": "1"})
    assert response.context["panel"]["form"].box_count == 99
    assert len(client.post(url, data).content) < 200_000


def test_a_parcel_that_was_added_and_left_empty_is_none(client, boss):
    order, _lines = ready(1)
    response = take(
        client,
        order,
        "dispatch",
        carrier="other",
        tracking_code="A1",
        carrier_2="other",
        tracking_code_2="",
        notify="no",
    )
    assert said(client, response)
    assert codes(order) == [("other", "A1")]


def test_several_shipments_are_sent_one_by_one_or_all_at_once(client, boss):
    order, (first,) = ready(3)
    split_shipment(order=order, shipment=shipments(order)[0].pk, quantities={first: 1}, actor=TEAM)
    one, two = shipments(order)
    page = text_of(client.get(page_url(order)))
    assert page.count("Dispatch: shipment") == 2
    form = client.get(step_url(order, "dispatch")).context["panel"]["form"]
    assert not list(form.quantity_rows())  # which of the two would it be?
    url = f"{step_url(order, 'dispatch')}?shipment={one.pk}"
    form = client.get(url).context["panel"]["form"]
    assert [quantity for _line, quantity, _field in form.quantity_rows()] == [2]
    data = form_data(client, url, notify="no")
    assert data["shipment"] == one.pk
    assert said(client, client.post(url, data)) == ["Dispatch: done. The status is now “Sent in part”."]
    assert [s.status for s in shipments(order)] == ["dispatched", "pending"]
    assert said(client, take(client, order, "dispatch", notify="no", carrier="other", tracking_code="B1"))
    assert status(order) == "dispatched"
    assert two.pk


def test_boxes_that_have_their_code_leave_as_they_are(client, boss, fake):
    order, _lines = ready(1)
    (one,) = shipments(order)
    Parcel.objects.create(shipment=one, number=1, carrier="fake", tracking_code="FK7")
    Parcel.objects.create(shipment=one, number=2, packed_at=timezone.now())
    response = client.get(step_url(order, "dispatch"))
    assert "Parcel 1: Fake carrier FK7, goes as it is" in text_of(response)
    assert len(response.context["panel"]["form"].boxes()) == 1
    take(client, order, "dispatch", carrier="fake", tracking_code="FK8", notify="no")
    assert codes(order) == [("fake", "FK7"), ("fake", "FK8")]


# Parcels afterwards


def test_the_parcels_of_a_shipment_are_named_before_and_after_it_leaves(client, boss):
    order, _lines = ready(1)
    (one,) = shipments(order)
    url = page_url(order, "order-parcels", shipment=one.pk)
    typed = {"carrier": "other", "tracking_code": "A1", "carrier_2": "other", "tracking_code_2": "A2"}
    assert said(client, client.post(url, form_data(client, url, **typed))) == ["Parcels changed: done."]
    assert codes(order) == [("other", "A1"), ("other", "A2")]
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_DISPATCHED").exists()
    shipping.dispatch_order(order=order, actor=TEAM, notify=False)
    form = client.get(url).context["panel"]["form"]
    assert [(carrier.value(), code.value()) for _n, carrier, code in form.boxes()] == [("other", "A1"), ("other", "A2")]
    assert form["notify"].value() == "no"
    data = form_data(client, url, tracking_code="A3", tracking_code_2="", notify="yes")
    assert said(client, client.post(url, data))
    assert codes(order) == [("other", "A3")]
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_DISPATCHED").count() == 1


def test_the_code_of_one_parcel_of_several_is_corrected(client, boss, fake):
    order, _lines = ready(1)
    boxes = [{"carrier": "fake", "tracking_code": code} for code in ("FK1", "FK2")]
    shipping.dispatch_order(order=order, actor=TEAM, boxes=boxes, notify=False)
    second = Parcel.objects.get(tracking_code="FK2")
    url = page_url(order, "order-parcel-tracking", parcel=second.pk)
    assert url in client.get(page_url(order)).content.decode()
    form = client.get(url).context["panel"]["form"]
    assert (form["carrier"].value(), form["tracking_code"].value()) == ("fake", "FK2")
    assert said(client, client.post(url, form_data(client, url, tracking_code="FK3", notify="no")))
    assert codes(order) == [("fake", "FK1"), ("fake", "FK3")]
    other = page_url(factories.dispatched_order(currency="CHF"), "order-parcel-tracking", parcel=second.pk)
    assert (
        client.post(other, form_data(client, other, carrier="fake", tracking_code="FK4", notify="no")).status_code
        == 409
    )
    assert codes(order) == [("fake", "FK1"), ("fake", "FK3")]


# Split, merge, cancel


def test_a_shipment_is_split_and_put_together_again(client, boss):
    order, (first, second) = ready(2, 1)
    (one,) = shipments(order)
    url = page_url(order, "order-shipment-split", shipment=one.pk)
    response = client.post(url, form_data(client, url, **{f"line_{first}": 1, f"line_{second}": 1}))
    assert said(client, response) == ["Shipment split: done."]
    assert [units(s) for s in shipments(order)] == [{first: 1}, {first: 1, second: 1}]
    page = text_of(client.get(page_url(order)))
    assert "2 × Thing 1" in page  # in the history
    url = page_url(order, "order-shipments-merge")
    data = form_data(client, url)
    assert data["shipments"] == [str(s.pk) for s in shipments(order)]
    for _click in range(2):
        assert said(client, client.post(url, data)) == ["Shipments merged: done."]
    assert [(s.status, units(s)) for s in shipments(order)] == [("pending", {first: 2, second: 1}), ("cancelled", {})]
    refused = client.get(url)
    assert "There are no two shipments that wait to be sent." in text_of(refused)


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({}, "Choose what goes into the new shipment."),
        ({"line_1": "2", "line_2": "1"}, "Leave something in the shipment"),
        ({"line_1": "3"}, "Choose between 0 and 2."),
        ({"line_1": "x"}, "Enter a whole number."),
    ],
)
def test_a_split_that_makes_no_sense_is_refused_beside_its_line(typed, complaint, client, boss):
    order, lines = ready(2, 1)
    names = {f"line_{place}": f"line_{pk}" for place, pk in enumerate(lines, 1)}
    url = page_url(order, "order-shipment-split", shipment=shipments(order)[0].pk)
    response = client.post(url, form_data(client, url, **{names[name]: value for name, value in typed.items()}))
    assert response.status_code == 422
    assert complaint in text_of(response)
    assert len(shipments(order)) == 1


@pytest.mark.parametrize(("chosen", "wrong"), [([], "at least two"), (["0"], "is not one of"), (["x\x00"], "null")])
def test_a_merge_of_nothing_or_of_strangers_is_refused(chosen, wrong, client, boss):
    order, (first,) = ready(2)
    split_shipment(order=order, shipment=shipments(order)[0].pk, quantities={first: 1}, actor=TEAM)
    url = page_url(order, "order-shipments-merge")
    response = client.post(url, form_data(client, url) | {"shipments": chosen})
    assert response.status_code == 422
    assert len([s for s in shipments(order) if s.status == "pending"]) == 2
    assert wrong


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_a_shipment_is_cancelled_and_the_goods_go_where_was_said(keep, client, boss):
    order, (first,) = ready(3)
    split_shipment(order=order, shipment=shipments(order)[0].pk, quantities={first: 1}, actor=TEAM)
    one, two = shipments(order)
    url = f"{step_url(order, 'cancel_shipment')}?shipment={two.pk}"
    assert url in client.get(page_url(order)).content.decode()
    response = client.get(url)
    assert "Shipment 2: 1 × Thing 1" in text_of(response)
    assert "to be paid back" in text_of(response)
    response = client.post(url, form_data(client, url, reason="Broken"))
    assert response.status_code == 422
    assert "Choose what happens to the goods." in text_of(response)
    data = form_data(client, url, reason="Broken", keep=keep, for_customer="Sorry")
    for _click in range(2):
        assert said(client, client.post(url, data)) == ["Cancel a shipment: done. The status is now “In process”."]
    two.refresh_from_db()
    assert (two.status, two.is_dropped) == ("cancelled", keep == "no")
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_CUSTOMER_NOTE").count() == 1
    page = text_of(client.get(page_url(order)))
    assert ("Not sent at all" in page) == (keep == "no")
    assert ("1 given up" in page) == (keep == "no")
    assert ("Too much was paid" in page) == (keep == "no")
    assert one.pk


def test_the_rest_of_an_order_is_cancelled_by_one_action(client, boss):
    order, (first, second) = ready(2, 2)
    release_url = step_url(order, "cancel_shipment")
    assert "Cancel the rest" not in text_of(client.get(page_url(order)))
    shipping.dispatch_order(order=order, actor=TEAM, quantities={first: 2}, notify=False)
    page = client.get(page_url(order))
    assert "Cancel the rest" in text_of(page)
    url = f"{release_url}?shipment=rest"
    response = client.get(url)
    assert "Nothing more of this order is sent" in text_of(response)
    assert "What happens to the goods?" not in text_of(response)
    data = form_data(client, url, reason="Sold out")
    for _click in range(2):
        assert said(client, client.post(url, data)) == ["Cancel a shipment: done. The status is now “Sent”."]
    assert status(order) == "dispatched"
    assert second


def test_what_only_waits_for_goods_can_be_cancelled_too(client, boss):
    order = factories.paid_order(lines=[(factories.product(), 3)], currency="CHF")
    release.release_order(order=order, actor=TEAM, quantities={order.lines.get().pk: 1})
    shipping.dispatch_order(order=order, actor=TEAM, notify=False)
    assert "Cancel the rest" in text_of(client.get(page_url(order)))
    url = step_url(order, "cancel_shipment")
    assert form_data(client, url)["shipment"] == "rest"  # there is nothing else to choose
    assert said(client, client.post(url, form_data(client, url, reason="Sold out")))
    assert status(order) == "dispatched"


@pytest.mark.parametrize("typed", ["", "x", "99999999999999999999", "-1", "rest", "1\x00"])
def test_a_shipment_that_is_none_is_refused(typed, client, boss):
    order, _lines = ready(2)
    url = step_url(order, "cancel_shipment")
    response = client.post(url, form_data(client, url, keep="no", reason="x") | {"shipment": typed})
    assert response.status_code in (409, 422)
    assert status(order) == "released"


def test_an_order_that_would_be_empty_is_sent_to_its_own_step(client, boss):
    order, _lines = ready(2)
    response = take(client, order, "cancel_shipment", keep="no", reason="Broken")
    assert response.status_code == 409
    assert "Nothing of this order would be sent." in text_of(response)
    assert response.context["panel"]["form"]["reason"].value() == "Broken"


# What carriers say


def tell(order, *events, code=None):
    rows = Parcel.objects.filter(shipment__fulfillment=order.pk)
    parcel = rows.get(tracking_code=code) if code else rows.get()
    tracking.record_events([(parcel.pk, list(events))])
    return parcel


@pytest.fixture
def sent(fake):
    return factories.dispatched_order(carrier="fake", tracking_code="FK1", currency="CHF")


def test_the_page_says_where_a_parcel_is(client, boss, sent):
    tell(sent, told("delivery_failed", -5, text="Nobody home", place="Bern", incident="absent"))
    Parcel.objects.update(checked_at=timezone.now() - timedelta(minutes=3), tracking_problem="not_found")
    page = text_of(client.get(page_url(sent)))
    for words in (
        "Delivery attempt failed", "Nobody was there", "Bern", "Nobody home", "3 minutes ago",
        "The carrier does not know this code, or not yet.", "Ask the carrier now", "All that the carrier said",
    ):  # fmt: skip
        assert words in page
    assert 'href="https://fake.example/follow/FK1"' in page


@pytest.mark.parametrize("field", ["text", "place", "note", "code"])
def test_strangers_words_are_text_on_every_page(field, client, boss, sent):
    tell(sent, told("in_transit", -5, **{"code": "OK"} | {field: HOSTILE}))
    (one,) = shipments(sent)
    for url in (page_url(sent), page_url(sent, "order-tracking-events", shipment=one.pk)):
        text = client.get(url).content.decode()
        assert "<script>alert(1)" not in text
        assert "<b>x</b>" not in text
    assert escape(HOSTILE[:25]) in client.get(page_url(sent, "order-tracking-events", shipment=one.pk)).content.decode()


def test_everything_that_was_told_is_shown_on_demand(client, boss, sent):
    tell(
        sent,
        told("picked_up", -60, text="Taken"),
        told("delivered", -40, text="Handed over"),
        told("info", -30, text="Oops", retracts=True),
        told("unknown", -20, code="X99", text="Strange"),
        told("in_transit", -10, text="Going home", is_return=True, note="The dog bit me"),
        told("delivered", 60 * 48, text="Tomorrow and one day"),
    )
    (one,) = shipments(sent)
    url = page_url(sent, "order-tracking-events", shipment=one.pk)
    response = client.get(url)
    assert response.status_code == 200
    page = text_of(response)
    for words in (
        "Taken back", "Takes the one before it back", "In the future: does not count yet", "Way back", "X99",
        "Unknown code", "Strange", "Courier's note: The dog bit me", "Next step",
    ):  # fmt: skip
        assert words in page
    assert page.count("Taken back") == 1
    panel = client.get(url + "?panel=1")
    assert panel.content.strip().startswith(b"<section")
    assert "Next step" not in text_of(panel)
    assert UnmappedCode.objects.get().code == "X99"
    order_of = [event.row.text for event in response.context["panel"]["parcels"][0].events]
    assert order_of == ["Tomorrow and one day", "Going home", "Strange", "Oops", "Handed over", "Taken"]


def test_a_carrier_that_tells_too_much_does_not_break_the_page(client, boss, sent):
    events = [Told(code=str(n), occurred_at=timezone.now() - timedelta(minutes=n), state="info") for n in range(350)]
    tell(sent, *events)
    url = page_url(sent, "order-tracking-events", shipment=shipments(sent)[0].pk)
    assert "50 older events are not shown." in text_of(client.get(url))


def test_events_of_another_orders_shipment_are_not_found(client, boss, sent):
    other = factories.dispatched_order(currency="CHF")
    for pk in (shipments(other)[0].pk, 0, 10**18):
        assert client.get(page_url(sent, "order-tracking-events", shipment=pk)).status_code == 404


def test_reading_events_costs_little(client, boss, sent, django_assert_max_num_queries):
    tell(sent, *[told("info", -n, code=str(n)) for n in range(1, 40)])
    url = page_url(sent, "order-tracking-events", shipment=shipments(sent)[0].pk)
    client.get(url)
    with django_assert_max_num_queries(22):
        client.get(url)
    with django_assert_max_num_queries(19):
        client.get(url + "?panel=1")


def test_the_carrier_is_asked_now(client, boss, sent, fake):
    url = page_url(sent, "order-tracking-ask", shipment=shipments(sent)[0].pk)
    assert url in client.get(page_url(sent)).content.decode()
    fake.put("FK1", told("in_transit", -5, text="In the van"))
    assert said(client, client.post(url)) == ["Fake carrier told of 1 new event."]
    assert "In the van" in text_of(client.get(page_url(sent)))
    assert said(client, client.post(url)) == ["The carrier was asked a moment ago. Please wait a little."]
    Parcel.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    assert said(client, client.post(url)) == ["Fake carrier has nothing new."]
    Parcel.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    fake.put("FK1", told("delivered", -1))
    assert said(client, client.post(url)) == ["Fake carrier told of 1 new event."]
    assert status(sent) == "delivered"
    assert url not in client.get(page_url(sent)).content.decode()


@pytest.mark.parametrize(
    ("accident", "words"),
    [
        (lambda fake: fake.go_down(1), "Fake carrier cannot be reached now. It is asked again by itself."),
        (lambda fake: fake.refuse("who are <b>you</b>?"), "Fake carrier does not answer this: who are <b>you</b>?"),
        (lambda fake: setattr(fake, "track", lambda codes: 1 / 0), "gave an answer that could not be read"),
    ],
)
def test_a_carrier_that_cannot_be_asked_is_named(accident, words, client, boss, sent, fake):
    accident(fake)
    url = page_url(sent, "order-tracking-ask", shipment=shipments(sent)[0].pk)
    response = client.post(url)
    page = client.get(response.url)
    assert words in str(next(iter(page.context["messages"])))
    assert "<b>you</b>" not in page.content.decode()


def test_a_carrier_that_only_has_a_link_is_not_asked(client, boss):
    order = factories.dispatched_order(carrier="other", tracking_code="A1", currency="CHF")
    assert "Ask the carrier now" not in text_of(client.get(page_url(order)))
    url = page_url(order, "order-tracking-ask", shipment=shipments(order)[0].pk)
    assert said(client, client.post(url)) == ["There is no parcel whose carrier can be asked."]
    assert client.get(url).status_code == 405


def test_the_history_names_what_happened_to_shipments(client, boss, fake):
    order, (first,) = ready(4)
    split_shipment(order=order, shipment=shipments(order)[0].pk, quantities={first: 1}, actor=TEAM)
    one, two = shipments(order)
    boxes = [{"carrier": "fake", "tracking_code": "FK1"}, {"carrier": "second", "tracking_code": "FK2"}]
    shipping.dispatch_order(order=order, actor=TEAM, shipment=one.pk, boxes=boxes)
    giving_up.cancel_shipment(order=order, shipment=two.pk, keep=False, actor=TEAM, reason="Broken")
    tell(order, told("lost", -1, text="Gone <i>for ever</i>"), code="FK1")
    page = client.get(page_url(order))
    history = text_of(page)[text_of(page).index('id="history"') :]
    for words in (
        "Shipment split", "1 × Thing 1", "#1, #2", "FK1, FK2", "Fake carrier", "Given up", "Broken",
        "Word from the carrier", "Lost", "Gone &lt;i&gt;for ever&lt;/i&gt;",
    ):  # fmt: skip
        assert words in history, words
    assert "Somebody has" not in history


# Orders at carriers


@pytest.mark.feature("E14")
def test_carriage_is_ordered_shown_and_cancelled(client, boss, fake):
    order, _lines = ready(1)
    (one,) = shipments(order)
    url = page_url(order, "order-carriage", shipment=one.pk)
    assert url in client.get(page_url(order)).content.decode()
    assert said(client, client.post(url, form_data(client, url, carrier="second"))) == ["Carriage ordered: done."]
    placed = CarrierOrder.objects.get()
    assert (placed.carrier, placed.status) == ("second", "requested")
    page = text_of(client.get(page_url(order)))
    assert "Being ordered" in page
    assert placed.reference in page
    assert "Order at the carrier" not in page
    again = client.post(url, form_data_of_refused(client, order, url))
    assert again.status_code in (409, 422)
    carrier_orders.run_order(placed.pk)
    placed.refresh_from_db()
    page = text_of(client.get(page_url(order)))
    assert page.count(placed.tracking_code) >= 1
    label = page_url(order, "order-carriage-label", carriage=placed.pk)
    assert label in page
    answer = client.get(label)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF")
    cancel = page_url(order, "order-carriage-cancel", carriage=placed.pk)
    assert client.post(cancel, form_data(client, cancel)).status_code == 422  # why?
    assert said(client, client.post(cancel, form_data(client, cancel, reason="Wrong box"))) == [
        "Carriage cancelled: done."
    ]
    carrier_orders.run_order(placed.pk, cancel=True)
    assert "Order at the carrier" in text_of(client.get(page_url(order)))


def form_data_of_refused(client, order, url):
    """What a page that was opened before still sends."""
    response = client.get(url)
    assert "The carriage of this shipment is ordered already." in text_of(response)
    form = response.context["panel"]["form"]
    return {name: form[name].value() for name in ("version", "key")} | {"carrier": "fake"}


def test_what_the_carrier_refused_is_said_in_its_words_as_text(client, boss, fake):
    order, _lines = ready(1)
    carrier_orders.request_carriage(order=order, shipment=shipments(order)[0].pk, carrier="fake", actor=TEAM)
    fake.refuse(f"no such street {HOSTILE}")
    placed = carrier_orders.run_order(CarrierOrder.objects.get().pk)
    page = client.get(page_url(order)).content.decode()
    assert "Refused by the carrier" in page
    assert "no such street" in page
    assert "<script>alert(1)" not in page
    label = page_url(order, "order-carriage-label", carriage=placed.pk)
    assert said(client, client.get(label)) == ["There is no label: The carrier has not given its number yet."]


def test_a_label_that_cannot_be_had_leads_back(client, boss, fake):
    order, _lines = ready(1)
    carrier_orders.request_carriage(order=order, shipment=shipments(order)[0].pk, carrier="fake", actor=TEAM)
    placed = carrier_orders.run_order(CarrierOrder.objects.get().pk)
    label = page_url(order, "order-carriage-label", carriage=placed.pk)
    fake.go_down(1)
    assert said(client, client.get(label)) == ["The carrier cannot be reached now. Please try again later."]
    other = factories.placed_order()
    assert client.get(page_url(other, "order-carriage-label", carriage=placed.pk)).status_code == 404
    assert client.get(page_url(order, "order-carriage-label", carriage=10**18)).status_code == 404


def test_an_order_at_a_carrier_that_is_gone_from_the_settings_is_still_shown(client, boss):
    order, _lines = ready(1)
    CarrierOrder.objects.create(
        shipment=shipments(order)[0], carrier="gone", reference="R1", requested_at=timezone.now(), status="created"
    )
    page = text_of(client.get(page_url(order)))
    assert "Order at gone" in page
    assert "Label of the carrier" not in page


# Who may what


@pytest.mark.parametrize(
    ("codename", "offered"),
    [
        ("dispatch_order", {"split", "merge", "parcels", "carriage"}),
        ("release_order", {"cancel_shipment"}),
        ("view_orderfulfillment", set()),
    ],
)
def test_each_sees_and_does_what_they_may(codename, offered, client, fake):
    client.force_login(factories.staff_user(codename, "view_orderfulfillment"))
    order, (first,) = ready(3)
    split_shipment(order=order, shipment=shipments(order)[0].pk, quantities={first: 1}, actor=TEAM)
    one = shipments(order)[0].pk
    urls = {
        "split": page_url(order, "order-shipment-split", shipment=one),
        "merge": page_url(order, "order-shipments-merge"),
        "parcels": page_url(order, "order-parcels", shipment=one),
        "carriage": page_url(order, "order-carriage", shipment=one),
        "cancel_shipment": f"{step_url(order, 'cancel_shipment')}?shipment={one}",
    }
    page = client.get(page_url(order)).content.decode()
    assert {name for name, url in urls.items() if url in page} == offered
    for name, url in urls.items():
        assert client.get(url).status_code == (200 if name in offered else 403), name
        assert client.post(url, {}).status_code == (422 if name in offered else 403), name


def test_partner_users_reach_their_own_orders_only(client, sent):
    user = factories.staff_user()
    user.is_staff = False
    user.save()
    client.force_login(user)
    pk = shipments(sent)[0].pk
    for name in ("order-tracking-events", "order-shipment-split", "order-parcels"):
        assert client.get(page_url(sent, name, shipment=pk)).status_code in (302, 403, 404)
    assert client.post(page_url(sent, "order-tracking-ask", shipment=pk)).status_code in (302, 403, 404)
    assert TrackingEvent.objects.count() == 0
