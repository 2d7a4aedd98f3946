"""What carriers tell: stored once, counted where unknown, and followed by parcels and orders."""

import pytest

from oscar_fulfillment import signals
from oscar_fulfillment.carriers.events import IncidentClass
from oscar_fulfillment.models import OrderFulfillment, Parcel, StatusChange, TrackingEvent, UnmappedCode
from oscar_fulfillment.services import parcel_states, parcels, shipping
from oscar_fulfillment.services.tracking import record_events
from oscar_fulfillment.test import factories

from .parcels import TEAM, box, fake_carriers, mails, on_the_way, statuses, told, two_boxes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fake():
    with fake_carriers() as carrier:
        yield carrier


@pytest.mark.feature("E13")
def test_a_parcel_that_arrived_completes_a_paid_order():
    order = on_the_way()
    assert record_events([(box(order).pk, [told("in_transit", -60), told("delivered", -5)])]) == 2
    assert statuses(order) == ("paid", "delivered")
    order.refresh_from_db()
    assert order.status == "Completed"
    row = StatusChange.objects.get(fulfillment=order.pk, action="deliver")
    assert (row.actor_kind, row.actor_label) == ("provider", "Fake carrier")
    assert "FULFILLMENT_ORDER_DELIVERED" in mails(order)
    parcel = box(order)
    assert (parcel.status, parcel.next_check_at) == ("delivered", None)
    assert order.fulfillment.shipments.get().delivered_at == parcel.tracking_at


@pytest.mark.feature("E13")
def test_an_order_that_is_not_paid_is_delivered_and_not_completed():
    method = factories.manual_method(code="later", ships_before_payment=True)
    order = factories.placed_order(method=method, fulfillment={"ships_before_payment": True})
    for step in (factories.release.release_order,):
        step(order=order, actor=TEAM)
    if order.fulfillment.flow_definition.invoices:
        factories.invoicing.invoice_order(order=order, actor=TEAM, kind="none")
    shipping.dispatch_order(order=order, actor=TEAM, carrier="fake", tracking_code="FK1")
    record_events([(box(order).pk, [told("delivered", -5)])])
    order.refresh_from_db()
    assert statuses(order) == ("awaiting_payment", "delivered")
    assert order.status == "Sent"


def test_an_event_is_stored_once_however_often_it_is_told():
    order = on_the_way()
    events = [told("in_transit", -60), told("delivered", -5)]
    parcel = box(order).pk
    assert record_events([(parcel, events)]) == 2
    version = OrderFulfillment.objects.get(pk=order.pk).version
    assert record_events([(parcel, events), (parcel, events[::-1])]) == 0
    assert TrackingEvent.objects.count() == 2
    assert OrderFulfillment.objects.get(pk=order.pk).version == version
    assert mails(order).count("FULFILLMENT_ORDER_DELIVERED") == 1


@pytest.mark.feature("Z6")
def test_the_last_of_several_parcels_makes_the_order_delivered():
    order = two_boxes("FK1", "FK2")
    record_events([(box(order, "FK1").pk, [told("delivered", -9)])])
    assert statuses(order) == ("paid", "dispatched")
    assert box(order, "FK1").status == "delivered"
    record_events([(box(order, "FK2").pk, [told("delivered", -1)])])
    assert statuses(order) == ("paid", "delivered")


def test_events_out_of_order_and_from_the_future_do_not_decide():
    order = on_the_way()
    parcel = box(order).pk
    record_events([(parcel, [told("out_for_delivery", -10)])])
    record_events([(parcel, [told("in_transit", -600)])])
    assert box(order).tracking_state == "out_for_delivery"
    record_events([(parcel, [told("delivered", 60 * 48)])])
    assert box(order).tracking_state == "out_for_delivery"
    assert statuses(order)[1] == "dispatched"
    assert TrackingEvent.objects.count() == 3


def test_an_unknown_parcel_is_passed_over_and_the_others_go_on():
    order = on_the_way()
    assert record_events([(999_999, [told("delivered")]), (box(order).pk, [told("delivered", -1)])]) == 1
    assert statuses(order)[1] == "delivered"


def test_the_way_back_never_delivers_the_order():
    order = on_the_way()
    seen = []
    parcel_states.on_returned.append(lambda shipment, actor: seen.append((shipment.pk, actor.label)))
    try:
        record_events([(box(order).pk, [told("returning", -9, is_return=True), told("delivered", -1, is_return=True)])])
    finally:
        parcel_states.on_returned.pop()
    assert statuses(order) == ("paid", "dispatched")
    assert box(order).tracking_state == "returned"
    assert seen == [(order.fulfillment.shipments.get().pk, "Fake carrier")]
    assert StatusChange.objects.filter(fulfillment=order.pk, action="tracked").count() == 1


def test_a_retraction_before_the_order_moved_is_heeded_and_later_a_person_decides():
    order = two_boxes("FK1", "FK2")
    first = box(order, "FK1")
    record_events([(first.pk, [told("delivered", -9), told("info", -5, retracts=True)])])
    assert box(order, "FK1").tracking_state == "pending"
    assert box(order, "FK1").status == "dispatched"


def test_unknown_codes_are_kept_and_counted_once_each():
    order = on_the_way()
    parcel = box(order).pk
    odd = told("unknown", -3, code="ZZ/99", text="Novo")
    record_events([(parcel, [odd])])
    record_events([(parcel, [odd, told("unknown", -2, code="ZZ/99")])])
    row = UnmappedCode.objects.get()
    assert (row.carrier, row.code, row.text, row.count) == ("fake", "ZZ/99", "Novo", 2)
    assert box(order).tracking_state == "unknown"
    assert statuses(order)[1] == "dispatched"


def test_an_incident_shows_on_the_parcel_until_it_arrives():
    order = on_the_way()
    record_events([(box(order).pk, [told("delivery_failed", -9, incident=IncidentClass.REFUSED, note="<b>no</b>")])])
    assert box(order).incident == "refused"
    assert TrackingEvent.objects.get().note == "<b>no</b>"
    record_events([(box(order).pk, [told("delivered", -1)])])
    assert box(order).incident == ""


def test_a_cancelled_order_is_left_alone_and_the_rest_follows():
    first, second = on_the_way("FK1"), on_the_way("FK2")
    shipping.return_order(order=first, actor=TEAM, reason="Refused at the door")
    record_events([(box(o).pk, [told("delivered", -1)]) for o in (first, second)])
    assert statuses(first)[1] == "returned"
    assert statuses(second)[1] == "delivered"


@pytest.mark.feature("E12")
def test_what_the_carrier_has_in_its_hands_counts_as_sent_where_the_shop_wants_that():
    with fake_carriers(fake={"dispatches_on_pickup": True}):
        order = factories.invoiced_order()
        shipment = order.fulfillment.shipments.get()
        parcels.change_parcels(
            order=order, actor=TEAM, shipment=shipment.pk, parcels=[{"carrier": "fake", "tracking_code": "FK1"}]
        )
        record_events([(box(order).pk, [told("pending", -9)])])
        assert statuses(order)[1] in ("invoiced", "released")
        record_events([(box(order).pk, [told("picked_up", -5)])])
        assert statuses(order)[1] == "dispatched"
        assert "FULFILLMENT_ORDER_DISPATCHED" in mails(order)


def test_a_parcel_that_waits_stays_where_nothing_says_otherwise():
    order = factories.invoiced_order()
    shipment = order.fulfillment.shipments.get()
    Parcel.objects.create(shipment=shipment, number=1, carrier="fake", tracking_code="FK1")
    before = statuses(order)
    record_events([(box(order).pk, [told("delivered", -5)])])
    assert statuses(order) == before


def test_other_code_hears_of_it(django_capture_on_commit_callbacks):
    heard = []

    def listen(sender, parcel, **kwargs):
        heard.append((sender, parcel.tracking_state))

    signals.parcel_tracked.connect(listen)
    try:
        order = on_the_way()
        with django_capture_on_commit_callbacks(execute=True):
            record_events([(box(order).pk, [told("in_transit", -5)])])
            record_events([(box(order).pk, [told("in_transit", -50)])])
    finally:
        signals.parcel_tracked.disconnect(listen)
    assert heard == [(Parcel, "in_transit")]


def test_hostile_texts_are_bounded():
    order = on_the_way()
    long = "<script>" + "x" * 5000
    record_events([(box(order).pk, [told("in_transit", -5, code="c" * 500, text=long, place=long, note=long)])])
    event = TrackingEvent.objects.get()
    assert (len(event.code), len(event.text), len(event.place), len(event.note)) == (64, 500, 200, 500)


def test_many_parcels_cost_a_constant_number_of_statements(django_assert_max_num_queries):
    orders = [on_the_way(f"FK{n}") for n in range(12)]
    rows = [(box(order).pk, [told("in_transit", -9), told("out_for_delivery", -1)]) for order in orders]
    with django_assert_max_num_queries(16):
        assert record_events(rows) == 24
