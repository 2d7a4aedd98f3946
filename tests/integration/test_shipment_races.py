"""Several people at the same shipments at the same moment, on PostgreSQL: nothing is sent, freed or divided twice."""

import contextlib
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from oscar.core.loading import get_model

from oscar_fulfillment.core import history
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import FollowUp, OrderFulfillment, Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.services import giving_up, parcels, release, shipment_edits, shipping
from oscar_fulfillment.services.audit import audit_payments
from oscar_fulfillment.test import factories

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("Z6")]

THREADS = 6
REFUSALS = (TransitionNotAllowed, StaleVersion, InvalidInput)
ACTORS = [Actor.system(f"thread {number}") for number in range(THREADS)]


def rounds(number):
    return range(max(number * int(os.environ.get("RACE_ROUNDS", "100")) // 100, 1))


@pytest.fixture
def race():
    """Run one callable per thread, all released by a barrier: which of them were done."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"
    barrier = threading.Barrier(THREADS)
    pool = ThreadPoolExecutor(THREADS)

    def run(number, call):
        barrier.wait(30)
        with contextlib.suppress(*REFUSALS):
            call(number)
            return True
        return False

    yield lambda call: list(pool.map(lambda number: run(number, call), range(THREADS)))
    list(pool.map(lambda _number: (barrier.wait(30), connections.close_all()), range(THREADS)))
    pool.shutdown()


def fresh(order):
    return get_model("order", "Order").objects.get(pk=order.pk)


def an_order(*counts):
    """Paid, in process, in shipments of so many units of one line; 100 in stock."""
    order = factories.paid_order(lines=[(factories.product(stock=100), sum(counts))], currency="CHF")
    line = order.lines.get().pk
    for count in counts:
        release.release_order(order=order, actor=factories.TEAM, quantities={line: count}, notify=False)
    return order, line, list(Shipment.objects.filter(fulfillment=order.pk).order_by("number"))


def check_books(order, line):
    """Units, stock, statuses and the history are what they must be, whoever was first."""
    units = {}
    for row in ShipmentLine.objects.filter(line=line).select_related("shipment"):
        kind = "dropped" if row.shipment.is_dropped else row.shipment.status
        units[kind] = units.get(kind, 0) + row.quantity
    ordered = get_model("order", "Line").objects.get(pk=line)
    record = ordered.stockrecord
    gone, dropped = units.get("dispatched", 0) + units.get("delivered", 0), units.get("dropped", 0)
    assert units.get("pending", 0) + gone + dropped <= ordered.quantity
    assert record.num_in_stock == 100 - gone
    assert record.num_allocated == ordered.num_allocated == ordered.quantity - gone - dropped
    row = OrderFulfillment.objects.get(pk=order.pk)
    waits = ordered.quantity - gone - dropped - units.get("pending", 0)
    assert row.has_backorder == (waits > 0)
    if not gone:
        assert row.shipping_status == ("released" if units.get("pending") else "received")
    else:
        assert row.shipping_status == ("partially_dispatched" if waits or units.get("pending") else "dispatched")
    assert (row.problem == "refund_due") == bool(dropped)
    assert list(history.verify(OrderFulfillment, StatusChange)) == []
    assert list(audit_payments()) == []


def test_split_while_it_is_dispatched(race):
    for _round in rounds(25):
        order, line, (one,) = an_order(6)

        def call(number, order=order, line=line, one=one):
            if number % 2:
                shipping.dispatch_order(order=fresh(order), shipment=one.pk, actor=ACTORS[number], notify=False)
            else:
                shipment_edits.split_shipment(
                    order=fresh(order), shipment=one.pk, quantities={line: 1}, actor=ACTORS[number]
                )

        done = race(call)
        assert sum(done[1::2]) == 1  # what is left in it leaves once
        check_books(order, line)


def test_one_form_that_splits_from_many_threads_splits_once(race):
    for _round in rounds(15):
        order, line, (one,) = an_order(6)
        race(
            lambda number, order=order, line=line, one=one: shipment_edits.split_shipment(
                order=fresh(order), shipment=one.pk, quantities={line: 2}, actor=ACTORS[number], key="click-click"
            )
        )
        assert Shipment.objects.filter(fulfillment=order.pk).count() == 2
        check_books(order, line)


def test_merge_split_cancel_and_dispatch_all_at_once(race):
    for seed in rounds(40):
        order, line, rows = an_order(2, 3, 1)
        choose = random.Random(seed)
        pks = [row.pk for row in rows]
        chosen = [choose.choice(pks) for _thread in range(THREADS)]
        kinds = choose.sample(["merge", "split", "keep", "drop", "dispatch", "rest", "part", "parcels"], THREADS)

        def call(number, order=order, line=line, pks=pks, chosen=chosen, kinds=kinds):
            here, common = fresh(order), {"actor": ACTORS[number]}
            pk, why = chosen[number], {"reason": "Race"}
            if kinds[number] == "merge":
                shipment_edits.merge_shipments(order=here, shipments=pks[:2], **common)
            elif kinds[number] == "split":
                shipment_edits.split_shipment(order=here, shipment=pk, quantities={line: 1}, **common)
            elif kinds[number] in ("keep", "drop"):
                giving_up.cancel_shipment(order=here, shipment=pk, keep=kinds[number] == "keep", **why, **common)
            elif kinds[number] == "dispatch":
                shipping.dispatch_order(order=here, shipment=pk, notify=False, **common)
            elif kinds[number] == "part":
                shipping.dispatch_order(order=here, shipment=pk, quantities={line: 1}, notify=False, **common)
            elif kinds[number] == "rest":
                giving_up.cancel_rest(order=here, **why, **common)
            else:
                named = [{"carrier": "other", "tracking_code": f"R{order.pk}-{pk}"}]
                parcels.change_parcels(order=here, shipment=pk, parcels=named, **common)

        race(call)
        check_books(order, line)


def test_a_shipment_is_given_up_once(race):
    for _round in rounds(20):
        order, line, rows = an_order(2, 4)
        done = race(
            lambda number, order=order, pk=rows[0].pk: giving_up.cancel_shipment(
                order=fresh(order), shipment=pk, keep=False, reason="Race", actor=ACTORS[number]
            )
        )
        assert sum(done) == 1
        assert FollowUp.objects.filter(fulfillment=order.pk).count() == 1
        check_books(order, line)
