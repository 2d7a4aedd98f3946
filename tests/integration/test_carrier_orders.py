"""Carriage ordered by itself: asked for at release, sent once, its number taken over when it comes."""

import pytest
from django.core import mail
from django.utils import timezone

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.core import inbox, outbox
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.models import CarrierOrder, InboundMessage, OutboundMessage, Parcel, StatusChange
from oscar_fulfillment.services import cancelling, carrier_orders, release, shipping
from oscar_fulfillment.tasks import watch_parcels
from oscar_fulfillment.test import factories

from .parcels import TEAM, box, fake_carriers, mails, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.feature("E12", "E14")]


class Matching:
    """Every order goes with the fake carrier."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr(
            "oscar_fulfillment.test.carriers.FakeCarrier.matches", lambda *args: args[0].alias == "fake"
        )


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    Matching(monkeypatch)
    with fake_carriers(fake={"creates_orders": True}) as carrier:
        yield carrier


@pytest.fixture
def later(monkeypatch):
    with fake_carriers(fake={"creates_orders": True, "numbers_later": True}) as carrier:
        yield carrier


def send():
    OutboundMessage.objects.filter(status="pending").update(next_attempt_at=timezone.now())
    return outbox.drain(limit=50)


def effects(carrier):
    return [name for name, _about in carrier.effects]


def test_the_release_orders_the_carriage_and_the_number_goes_out(fake):
    order = factories.released_order()
    row = CarrierOrder.objects.get()
    assert (row.status, row.carrier) == ("requested", "fake")
    assert effects(fake) == []  # nothing is called inside the step
    send()
    row.refresh_from_db()
    assert row.status == "created"
    assert effects(fake) == ["create_order"]
    parcel = box(order)
    assert (parcel.carrier, parcel.tracking_code) == ("fake", row.tracking_code)
    assert parcel.tracking_url == f"https://fake.example/follow/{row.tracking_code}"
    assert mails(order).count("FULFILLMENT_TRACKING_ASSIGNED") == 1
    send()
    sent = [message for message in mail.outbox if row.tracking_code in message.body]
    assert len(sent) == 1
    request = fake.requests[row.external_id]
    assert request.recipient.name == "Ana Souza"
    assert [(item.quantity, item.sku) for item in request.packages[0].items] == [(2, order.lines.get().partner_sku)]
    kinds = set(StatusChange.objects.filter(fulfillment=order.pk, machine="carrier").values_list("action", flat=True))
    assert kinds == {"carriage_ordered"}


def test_a_number_that_comes_later_is_asked_for(later):
    order = factories.released_order()
    send()
    row = CarrierOrder.objects.get()
    assert (row.status, row.tracking_code) == ("accepted", "")
    assert not Parcel.objects.exists()
    send()  # asked for once soon ...
    assert [name for name, _about in later.calls] == ["create_order", "fetch_order"]
    CarrierOrder.objects.update(next_check_at=timezone.now())
    assert watch_parcels()["numbers"] == 1  # ... and then by the task
    assert CarrierOrder.objects.get().status == "accepted"
    later.confirm(row.external_id)
    CarrierOrder.objects.update(next_check_at=timezone.now())
    watch_parcels()
    row.refresh_from_db()
    assert row.status == "created"
    assert box(order).tracking_code == row.tracking_code
    assert row.next_check_at is None


def test_a_number_that_comes_after_the_goods_have_left_goes_out_as_the_link(later):
    order = factories.invoiced_order()
    send()
    shipping.dispatch_order(order=order, actor=TEAM, carrier="fake")
    later.confirm(CarrierOrder.objects.get().external_id)
    CarrierOrder.objects.update(next_check_at=timezone.now())
    watch_parcels()
    assert box(order).tracking_code
    assert box(order).next_check_at is not None
    assert mails(order).count("FULFILLMENT_ORDER_DISPATCHED") == 2


def test_an_answer_that_was_lost_does_not_order_twice(fake):
    factories.released_order()
    fake.lose_answers(1)
    send()
    row = CarrierOrder.objects.get()
    assert (row.status, effects(fake)) == ("requested", ["create_order"])
    send()
    row.refresh_from_db()
    assert (row.status, effects(fake)) == ("created", ["create_order"])


def test_where_a_lost_answer_cannot_be_looked_up_a_person_decides(monkeypatch):
    able = ["create_order", "track"]
    with fake_carriers(fake={"creates_orders": True, "able": able}) as carrier:
        order = factories.released_order()
        carrier.lose_answers(1)
        send()
        send()
        row = CarrierOrder.objects.get()
        assert (row.status, effects(carrier)) == ("refused", ["create_order"])
        assert "lost" in row.problem
        order.fulfillment.refresh_from_db()
        assert order.fulfillment.problem == "carriage_refused"


def test_a_carrier_that_is_down_is_tried_again(fake):
    factories.released_order()
    fake.go_down(1)
    send()
    assert CarrierOrder.objects.get().status == "requested"
    send()
    assert CarrierOrder.objects.get().status == "created"
    assert effects(fake) == ["create_order"]


def test_a_refusal_shows_on_the_order_and_can_be_ordered_anew(fake):
    order = factories.released_order()
    fake.refuse("Street <b>unknown</b>")
    send()
    row = CarrierOrder.objects.get()
    assert (row.status, row.problem) == ("refused", "Street <b>unknown</b>")
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.problem == "carriage_refused"
    assert statuses(order) == ("paid", "released")
    shipment = order.fulfillment.shipments.get()
    carrier_orders.request_carriage(order=order, shipment=shipment.pk, actor=TEAM)
    send()
    assert sorted(CarrierOrder.objects.values_list("status", flat=True)) == ["created", "refused"]
    with pytest.raises(TransitionNotAllowed) as refused:
        carrier_orders.request_carriage(order=order, shipment=shipment.pk, actor=TEAM)
    assert refused.value.reasons[0].code == "ordered_already"


def test_a_carrier_that_takes_no_orders_is_refused_at_once(fake):
    order = factories.released_order()
    shipment = order.fulfillment.shipments.get()
    for alias in ("other", "nobody", "<b>"):
        with pytest.raises(InvalidInput):
            carrier_orders.request_carriage(order=order, shipment=shipment.pk, actor=TEAM, carrier=alias)
    foreign = factories.released_order().fulfillment.shipments.get()
    with pytest.raises(TransitionNotAllowed):
        carrier_orders.request_carriage(order=order, shipment=foreign.pk, actor=TEAM)


def test_a_cancelled_order_takes_its_carriage_back(fake):
    order = factories.released_order()
    send()
    cancelling.cancel_order(order=order, actor=TEAM, reason="Changed their mind")
    assert CarrierOrder.objects.get().status == "cancelling"
    send()
    assert CarrierOrder.objects.get().status == "cancelled"
    assert effects(fake) == ["create_order", "cancel_order"]
    assert box(order).status == "cancelled"


def test_what_was_cancelled_before_it_was_sent_is_never_ordered(fake):
    order = factories.released_order()
    cancelling.cancel_order(order=order, actor=TEAM, reason="Changed their mind")
    send()
    send()
    assert CarrierOrder.objects.get().status == "cancelled"
    assert effects(fake) == []


def test_a_carrier_that_does_not_take_it_back_says_why(fake):
    order = factories.released_order()
    send()
    row = CarrierOrder.objects.get()
    fake.advance(row.tracking_code, "collected")
    carrier_orders.cancel_carriage(order=order, carrier_order=row.pk, actor=TEAM, reason="Wrong box")
    send()
    row.refresh_from_db()
    assert (row.status, row.problem) == ("created", "it is on its way")
    with pytest.raises(InvalidInput):
        carrier_orders.cancel_carriage(order=order, carrier_order=row.pk, actor=TEAM, reason=" ")


def test_without_the_switch_nothing_is_ordered():
    with fake_carriers() as carrier:
        factories.released_order()
        assert not CarrierOrder.objects.exists()
        assert carrier.calls == []


def test_a_release_that_is_refused_orders_nothing():
    product = factories.product(stock=1)
    order = factories.paid_order(lines=[(product, 1)])
    type(order.lines.get().stockrecord).objects.update(num_in_stock=0)
    with pytest.raises(TransitionNotAllowed):
        release.release_order(order=order, actor=TEAM)
    assert not CarrierOrder.objects.exists()
    assert not OutboundMessage.objects.filter(destination__startswith="carriers:").exists()


def test_a_notification_only_makes_us_ask(later, client):
    order = factories.released_order()
    send()
    row = CarrierOrder.objects.get()
    later.confirm(row.external_id)
    url = "/fulfillment/webhooks/carriers/fake/"
    body = f'{{"id": "e1", "order": "{row.external_id}", "parcel": "", "kind": "created"}}'
    post = {"content_type": "application/json"}
    assert client.post(url, body, headers={"x-token": "wrong"}, **post).status_code == 401
    assert client.post(url, "no json", headers={"x-token": "let me in"}, **post).status_code == 400
    assert not InboundMessage.objects.exists()
    for _time in range(2):
        assert client.post(url, body, headers={"x-token": "let me in"}, **post).status_code == 200
    assert InboundMessage.objects.count() == 1
    inbox.process()
    row.refresh_from_db()
    assert row.status == "created"
    later.advance(row.tracking_code, "in_transit")
    client.post(url, f'{{"id": "e2", "parcel": "{row.tracking_code}"}}', headers={"x-token": "let me in"}, **post)
    client.post(url, '{"id": "e3", "parcel": "NOBODYS"}', headers={"x-token": "let me in"}, **post)
    inbox.process()
    assert box(order).tracking_state == "in_transit"
    assert set(InboundMessage.objects.values_list("external_id", "status")) == {
        ("e1", "processed"), ("e2", "processed"), ("e3", "ignored"),
    }  # fmt: skip
    assert client.post("/fulfillment/webhooks/carriers/nobody/", body, **post).status_code == 404
    assert client.get(url).content == b"ready"  # vendors look whether the address is there
    assert client.get("/fulfillment/webhooks/carriers/nobody/").status_code == 404
    assert client.get("/fulfillment/webhooks/nothing/fake/").status_code == 404


def test_the_label_comes_from_the_carrier(fake):
    factories.released_order()
    row = CarrierOrder.objects.get()
    with pytest.raises(Exception, match="number"):
        carrier_orders.label(row)
    send()
    assert carrier_orders.label(CarrierOrder.objects.get()).startswith(b"%PDF")
    assert carriers.get("fake") is fake


def collected_at(order):
    return "MSK1" if order.number else ""


def test_a_collected_parcel_goes_to_the_point_that_the_shop_names(fake, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "PICKUP_POINT": f"{__name__}.collected_at"}
    fake = carriers.get("fake")
    factories.released_order()
    send()
    (request,) = fake.requests.values()
    assert request.pickup_point == "MSK1"


def test_an_answer_that_nobody_understands_is_shown_and_asked_for_again(fake):
    from oscar_fulfillment.carriers.events import CarrierOrderState, RemoteOrder
    from oscar_fulfillment.services import carrier_numbers

    order = factories.released_order()
    row = CarrierOrder.objects.get()
    strange = RemoteOrder("O9", CarrierOrderState.UNKNOWN, problem="state 47")
    for _time in range(2):
        carrier_numbers.settle(row.pk, strange)
    row.refresh_from_db()
    assert (row.status, row.problem, row.external_id) == ("requested", "state 47", "O9")
    assert row.next_check_at is not None
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.problem == "carriage_refused"
    assert StatusChange.objects.filter(fulfillment=order.pk, action="carriage_refused").count() == 1
