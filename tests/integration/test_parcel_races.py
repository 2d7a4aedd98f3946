"""Workers and people at the same parcels at the same moment on PostgreSQL: told once, ordered once, delivered once."""

# ruff: noqa: B023 (every race ends within its round, so a callable may look at the round's order)

import random
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_fulfillment.core import history
from oscar_fulfillment.core.exceptions import AdapterUnavailable
from oscar_fulfillment.models import CarrierOrder, OrderFulfillment, Parcel, StatusChange, TrackingEvent, UnmappedCode
from oscar_fulfillment.services import cancelling, carrier_orders, shipping
from oscar_fulfillment.services.tracking import record_events
from oscar_fulfillment.services.tracking_polls import poll_due

from .parcels import box, fake_carriers, mails, statuses, told
from .test_races import ACTORS, DONE, THREADS, an_order, race, records, rounds  # noqa: F401

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("E12", "E13", "Z6")]


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """A carrier in memory whose calls take up to four milliseconds, so that the others come in between."""
    cls = "oscar_fulfillment.test.carriers.FakeCarrier"
    monkeypatch.setattr(f"{cls}.matches", lambda *args: args[0].alias == "fake")
    with fake_carriers(fake={"creates_orders": True}) as carrier:
        call = type(carrier)._call

        def slow(self, *arguments):
            found = call(self, *arguments)
            time.sleep(random.random() / 250)
            return found

        monkeypatch.setattr(f"{cls}._call", slow)
        yield carrier
    assert list(history.verify(OrderFulfillment, StatusChange)) == []


def sent(records, code):  # noqa: F811
    order = an_order([(records[0], 1)], released=True)
    shipping.dispatch_order(order=order, actor=ACTORS[0], carrier="fake", tracking_code=code)
    return order


def test_the_same_words_by_eight_workers_are_one(race, records):  # noqa: F811
    for number in rounds(12):
        order = sent(records, f"FK{number}")
        parcel = box(order).pk
        events = [told("in_transit", -9), told("unknown", -8, code="ZZ"), told("delivered", -1)]

        def tell(_number):
            shuffled = random.sample(events, len(events))
            return sum(record_events([(parcel, [event])]) for event in shuffled)

        results = race(tell)
        assert sum(result for outcome, result in results if outcome == DONE) == 3
        assert TrackingEvent.objects.filter(parcel=parcel).count() == 3
        assert statuses(order)[1] == "delivered"
        assert mails(order).count("FULFILLMENT_ORDER_DELIVERED") == 1
    assert UnmappedCode.objects.get().count == len(rounds(12))


def test_overlapping_sets_of_parcels_meet_no_deadlock(race, records):  # noqa: F811
    orders = [sent(records, f"FK{number}") for number in range(12)]
    ids = [box(order).pk for order in orders]
    for number in rounds(12):

        def tell(thread):
            mine = random.sample(ids, 8)
            return record_events([(pk, [told("in_transit", -1000 + number * 10 + thread)]) for pk in mine])

        assert [outcome for outcome, _result in race(tell)] == [DONE] * THREADS


def test_each_parcel_is_asked_for_once(race, records, fake):  # noqa: F811
    for number in rounds(6):
        codes = [f"R{number}N{place}" for place in range(12)]
        for code in codes:
            sent(records, code)
            fake.parcel(code)
        fake.calls.clear()
        mine = Parcel.objects.filter(tracking_code__in=codes)
        mine.update(next_check_at=timezone.now() - timedelta(seconds=1))
        race(lambda _number: poll_due(budget=10))
        asked = [code for name, about in fake.calls if name == "track" for code in about]
        assert sorted(asked) == sorted(codes)


def test_eight_workers_order_the_carriage_once(race, records, fake):  # noqa: F811
    for _round in rounds(12):
        order = an_order([(records[0], 1)], released=True)
        row = CarrierOrder.objects.get(shipment__fulfillment=order.pk)
        fake.effects.clear()

        def work(_number):
            try:
                return carrier_orders.run_order(row.pk).status
            except AdapterUnavailable:
                return "later"

        results = race(work)
        assert {result for _outcome, result in results} <= {"created", "later"}
        assert fake.effects == [("create_order", CarrierOrder.objects.get(pk=row.pk).external_id)]
        assert box(order).tracking_code
        assert mails(order).count("FULFILLMENT_TRACKING_ASSIGNED") == 1


def test_cancelling_while_the_carriage_is_ordered_leaves_nothing_at_the_carrier(race, records, fake):  # noqa: F811
    for _round in rounds(12):
        order = an_order([(records[0], 1)], released=True)
        row = CarrierOrder.objects.get(shipment__fulfillment=order.pk)
        fresh = type(order).objects.get(pk=order.pk)

        def work(number):
            if number == 0:
                return cancelling.cancel_order(order=fresh, actor=ACTORS[0], reason="No")
            try:
                return carrier_orders.run_order(row.pk, cancel=number > 4).status
            except AdapterUnavailable:
                return "later"

        race(work)
        CarrierOrder.objects.filter(pk=row.pk).update(claimed_until=None)
        carrier_orders.run_order(row.pk, cancel=True)
        row.refresh_from_db()
        assert row.status == "cancelled"
        assert all(remote.state == "cancelled" for remote in fake.orders_by_id.values())
        assert statuses(order)[1] == "cancelled"


def test_the_number_arrives_while_the_goods_leave(race, records, fake):  # noqa: F811
    for _round in rounds(12):
        order = an_order([(records[0], 1)], released=True)
        row = CarrierOrder.objects.get(shipment__fulfillment=order.pk)
        fresh = type(order).objects.get(pk=order.pk)

        def work(number):
            if number == 0:
                return shipping.dispatch_order(order=fresh, actor=ACTORS[0], carrier="fake")
            if number == 1:
                return carrier_orders.run_order(row.pk)
            return None

        assert [outcome for outcome, _result in race(work)] == [DONE] * THREADS
        parcel = box(order)
        assert (parcel.status, parcel.tracking_code) == (
            "dispatched",
            CarrierOrder.objects.get(pk=row.pk).tracking_code,
        )
        assert parcel.next_check_at is not None
