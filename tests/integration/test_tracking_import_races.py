"""Two workers that read the same file, two people who apply it: on PostgreSQL, each row once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.models import BulkJob, Parcel, StatusChange
from oscar_fulfillment.services import bulk, shipping, tracking_imports
from oscar_fulfillment.test import factories

from .imports import CODES, apply, csv_of, outcomes, take

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("A12", "E4")]


@pytest.fixture
def race():
    """Run callables at the same moment, each in a thread; what one raises is raised."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"

    def race(*calls):
        barrier = threading.Barrier(len(calls))

        def run(call):
            try:
                barrier.wait(30)
                return call()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(run, calls))

    return race


@pytest.fixture
def nothing_queued(monkeypatch):
    monkeypatch.setattr("oscar_fulfillment.core.queue.run_later", lambda *args, **kwargs: None)


def test_two_workers_who_take_up_the_same_file_write_each_row_once(race, nothing_queued, monkeypatch):
    monkeypatch.setattr(tracking_imports, "CHUNK", 25)
    for _round in range(3):
        source = take(csv_of(*((f"N{n}", f"X{n}") for n in range(400))), carrier="other")
        race(*[lambda source=source: tracking_imports.read_import(source.pk)] * 4)
        tracking_imports.read_import(source.pk)  # who was last goes on, as the sweep would
        source.refresh_from_db()
        assert (source.status, source.read_count, source.counts) == ("ready", 400, {"unknown": 400})
        assert list(source.rows.order_by("pk").values_list("line", flat=True)) == list(range(2, 402))


def test_two_people_who_apply_the_same_file_send_each_order_once(race, nothing_queued):
    for _round in range(3):
        orders = [factories.invoiced_order() for _n in range(3)]
        source = take(csv_of(*((order.number, code) for order, code in zip(orders, CODES, strict=False))))
        users = [factories.staff_user("*") for _n in range(3)]
        race(*[lambda user=user, source=source: apply(source, user) for user in users])
        for job in BulkJob.objects.exclude(status="done"):
            bulk.run_job(job.pk)
        changes = StatusChange.objects.filter(fulfillment__in=[order.pk for order in orders], action="dispatch")
        assert changes.count() == 3
        assert Parcel.objects.filter(shipment__fulfillment__in=[order.pk for order in orders]).count() == 3
        assert {outcome for outcome, _problem in outcomes(source)} == {"done"}
        Parcel.objects.update(status="delivered")


def test_a_file_is_applied_while_people_send_the_same_orders_by_hand(race, nothing_queued):
    for _round in range(3):
        order = factories.invoiced_order()
        source = take(csv_of((order.number, CODES[0])))

        def by_hand(order=order):
            try:
                shipping.dispatch_order(order=order, actor=factories.TEAM, carrier="correios", tracking_code=CODES[1])
            except FulfillmentError as error:
                return type(error).__name__
            return "done"

        job, hand = race(lambda source=source: apply(source), by_hand)
        assert (hand == "done") != (job.done_count == 1)
        assert Parcel.objects.filter(shipment__fulfillment=order.pk).count() == 1
        Parcel.objects.update(status="delivered")
