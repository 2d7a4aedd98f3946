"""Eight threads, each with a connection of its own, at the same moment on PostgreSQL: 1,000 rounds in all.

Exactly one wins, nobody meets a deadlock, the stock is exact, the history verifies. ``RACE_ROUNDS`` (a percentage)
shortens or lengthens the runs.
"""

# ruff: noqa: B023 (every race ends within its round, so a callable may look at the round's order)

import contextlib
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F, Sum
from oscar.core.loading import get_model

from oscar_fulfillment.core import history
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import Hold, Invoice, OrderFulfillment, Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.services import cancelling, door, holds, invoicing, notes, payments, placing, release, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("Z16")]

THREADS = 8
REFUSALS = (TransitionNotAllowed, StaleVersion, InvalidInput)
ACTORS = [Actor.system(f"thread {number}") for number in range(THREADS)]
DONE, REFUSED = "done", "refused"


def rounds(number):
    return range(max(number * int(os.environ.get("RACE_ROUNDS", "100")) // 100, 1))


@pytest.fixture
def race():
    """Run one callable per thread, all released by a barrier; answers with what each came to."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"
    barrier = threading.Barrier(THREADS)
    pool = ThreadPoolExecutor(THREADS)

    def run(number, call):
        barrier.wait(30)
        try:
            return DONE, call(number)
        except REFUSALS as error:
            return REFUSED, error

    def race(call):
        return list(pool.map(lambda number: run(number, call), range(THREADS)))

    yield race
    list(pool.map(lambda _number: (barrier.wait(30), connections.close_all()), range(THREADS)))
    pool.shutdown()


@pytest.fixture
def records(db):
    products = [factories.product(f"Product {number}", stock=100_000) for number in range(3)]
    return [product.stockrecords.get() for product in products]


def an_order(lines, flow="STANDARD", paid=True, released=False):
    """An order as placing leaves it, without the basket: a race needs hundreds."""
    Order, Line = get_model("order", "Order"), get_model("order", "Line")
    with transaction.atomic():
        order = Order.objects.create(number=f"R{random.getrandbits(48)}", status="Received", total_incl_tax=10,
                                     total_excl_tax=10, currency="BRL")  # fmt: skip
        for record, quantity in lines:
            Line.objects.create(
                order=order, stockrecord=record, product_id=record.product_id, partner_id=record.partner_id,
                partner_name="", partner_sku=record.partner_sku, title="Mug", quantity=quantity,
                num_allocated=quantity, line_price_incl_tax=10, line_price_excl_tax=10,
                line_price_before_discounts_incl_tax=10, line_price_before_discounts_excl_tax=10,
            )  # fmt: skip
        for record, quantity in sorted(lines, key=lambda pair: pair[0].pk):
            type(record).objects.filter(pk=record.pk).update(num_allocated=F("num_allocated") + quantity)
        placing.record_placement(order=order, flow=flow)
    if paid:
        payments.approve_payment(order=order, actor=factories.TEAM, notify=False)
    if released:
        release.release_order(order=order, actor=factories.TEAM, notify=False)
    return order


def fresh(order):
    return get_model("order", "Order").objects.get(pk=order.pk)


def count(outcomes, kind=DONE):
    return sum(outcome == kind for outcome, _result in outcomes)


@pytest.fixture(autouse=True)
def books(records):
    """After the race: what the stock records say is what lines, shipments and orders say; histories are whole."""
    type(records[0]).objects.filter(pk__in=[r.pk for r in records]).update(num_allocated=0)
    yield
    Line, OscarChange = get_model("order", "Line"), get_model("order", "OrderStatusChange")
    for record in records:
        record.refresh_from_db()
        lines = Line.objects.filter(stockrecord=record)
        left = ShipmentLine.objects.filter(line__in=lines, shipment__status__in=["dispatched", "delivered"])
        sent = left.aggregate(n=Sum("quantity"))["n"] or 0
        assert record.num_in_stock == 100_000 - sent
        assert record.num_allocated == (lines.aggregate(n=Sum("num_allocated"))["n"] or 0)
    for line in Line.objects.select_related("order__fulfillment"):
        sent = line.shipment_lines.filter(shipment__status__in=["dispatched", "delivered"])
        gone = line.order.fulfillment.shipping_status == "cancelled"
        assert line.num_allocated == (0 if gone else line.quantity - (sent.aggregate(n=Sum("quantity"))["n"] or 0))
    assert list(history.verify(OrderFulfillment, StatusChange)) == []
    for row in OrderFulfillment.objects.select_related("order"):
        flow = row.flow_definition
        now = {"payment": flow.payment.initial, "shipping": flow.shipping.initial}
        for change in row.history.exclude(machine__in=["order", "hold", "note", "shipment"]).order_by("sequence"):
            assert change.from_status == now[change.machine]
            now[change.machine] = change.to_status
        assert now == {"payment": row.payment_status, "shipping": row.shipping_status}
        assert row.hold_count == Hold.objects.filter(fulfillment=row, released_at=None).count()
        status = "Received"
        for change in OscarChange.objects.filter(order=row.order).order_by("pk"):
            assert change.old_status == status
            status = change.new_status
        assert row.order.status == status


def test_one_of_eight_approves(race, records):
    for _round in rounds(150):
        order = an_order([(records[0], 1)], paid=False)
        outcomes = race(lambda n: payments.approve_payment(order=fresh(order), actor=ACTORS[n]))
        assert count(outcomes) == 1
        assert order.payment_events.count() == 1
        assert all(r.reasons[0].code == "already_done" for kind, r in outcomes if kind == REFUSED)


def test_the_same_key_from_eight_threads_has_one_effect_and_one_answer(race, records):
    for number in rounds(100):
        order = an_order([(records[0], 3)], paid=bool(number % 2))
        line = order.lines.get().pk

        def click(n, order=order, line=line, number=number):
            if number % 2:
                # Possible three times over, if it were not for the key.
                return release.release_order(order=fresh(order), actor=ACTORS[n], quantities={line: 1}, key="click")
            return payments.approve_payment(order=fresh(order), actor=ACTORS[n], key="click")

        outcomes = race(click)
        assert count(outcomes) == THREADS
        assert len({change.sequence for _kind, change in outcomes}) == 1
        assert order.fulfillment.history.exclude(machine="order").count() == 1 + number % 2


def test_one_cancels_and_nothing_is_released_afterwards(race, records):
    for _round in rounds(200):
        order = an_order([(records[0], 2), (records[1], 1)])

        def go(n, order=order):
            if n % 2:
                return cancelling.cancel_order(order=fresh(order), actor=ACTORS[n], reason="No", notify=False)
            return release.release_order(order=fresh(order), actor=ACTORS[n], notify=False)

        outcomes = race(go)
        assert sum(kind == DONE for kind, _r in outcomes[1::2]) == 1
        assert sum(kind == DONE for kind, _r in outcomes[0::2]) <= 1
        assert not Shipment.objects.filter(fulfillment=order.pk, status="pending").exists()


def test_one_of_eight_dispatches(race, records):
    for _round in rounds(150):
        order = an_order([(records[0], 2), (records[2], 2)], released=True)
        outcomes = race(lambda n: shipping.dispatch_order(order=fresh(order), actor=ACTORS[n], notify=False))
        assert count(outcomes) == 1
        assert order.shipping_events.count() == 1


def test_bulk_steps_on_the_same_orders_in_opposite_order_never_deadlock(race, records):
    for _round in rounds(100):
        pair = [(records[0], 1), (records[1], 1)]
        pks = [an_order(pair if n % 2 else pair[::-1]).pk for n in range(6)]

        def bulk(n, pks=pks):
            mine = pks[:: 1 if n % 2 else -1]
            if n < 4:
                return door.move_many(mine, cancelling.CANCEL, actor=ACTORS[n], effect=cancelling.cancel_effect)
            if n < 6:
                return door.move_many(mine, release.RELEASE, actor=ACTORS[n], effect=release.release_effect)
            return door.move_many(
                mine, shipping.DISPATCH, actor=ACTORS[n], effect=shipping.dispatch_effect,
                context={"parcels": []},
            )  # fmt: skip

        outcomes = race(bulk)
        assert count(outcomes) == THREADS
        for index, pk in enumerate(sorted(pks)):
            cancels = [steps[index] for _kind, steps in outcomes[:4] if not steps[index].reasons]
            dispatches = [steps[index] for _kind, steps in outcomes[6:] if not steps[index].reasons]
            assert len(cancels) + len(dispatches) == 1, pk


def test_crossing_steps_on_orders_that_share_their_stock_never_deadlock(race, records):
    for number in rounds(150):
        chance = random.Random(number)
        crossing = [[(records[a], 1), (records[b], 2)] for a, b in ((0, 1), (1, 0), (2, 0), (1, 2))]
        waiting = [an_order(lines, released=n % 2 == 0) for n, lines in enumerate(crossing)]
        plans = [[(order, chance.random()) for order in chance.sample(waiting, 4)] for _n in range(THREADS)]

        def work(n, plans=plans):
            for order, what in plans[n]:
                try:
                    if what < 0.3:
                        cancelling.cancel_order(order=fresh(order), actor=ACTORS[n], reason="No", notify=False)
                    elif what < 0.6:
                        shipping.dispatch_order(order=fresh(order), actor=ACTORS[n], notify=False)
                    elif what < 0.75:
                        release.release_order(order=fresh(order), actor=ACTORS[n], notify=False)
                    elif what < 0.85:
                        shipping.deliver_order(order=fresh(order), actor=ACTORS[n], notify=False)
                    elif what < 0.95:
                        notes.add_note(order=fresh(order), actor=ACTORS[n], text="Called")
                    else:
                        holds.place_hold(order=fresh(order), actor=ACTORS[n], code="fraud")
                except (TransitionNotAllowed, StaleVersion):
                    pass

        assert count(race(work)) == THREADS


def test_an_access_key_typed_on_eight_orders_at_once_goes_to_one(race, records):
    for number in rounds(50):
        orders = [an_order([(records[0], 1)], flow="BRAZIL", released=True) for _n in range(THREADS)]
        key = make_key(number=number + 1)
        outcomes = race(lambda n: invoicing.invoice_order(order=fresh(orders[n]), actor=ACTORS[n], access_key=key))
        assert count(outcomes) == 1
        assert all(isinstance(error, InvalidInput) for kind, error in outcomes if kind == REFUSED)
        assert Invoice.objects.filter(access_key=key, cancelled_at=None).count() == 1


def test_placing_while_cancelling_keeps_the_stock(race, records):
    products = [record.product for record in records]
    method, address = factories.manual_method(), factories.address()
    for _round in rounds(100):
        pair = [(records[0], 1), (records[1], 1)]
        going = [an_order(pair if n % 2 else pair[::-1]) for n in range(4)]

        def work(n, going=going):
            if n < 4:
                return cancelling.cancel_order(order=fresh(going[n]), actor=ACTORS[n], reason="No", notify=False)
            lines = [(products[0], 1), (products[1], 1)]
            return factories.placed_order(
                lines=lines if n % 2 else lines[::-1], method=method, shipping_address=address,
                number=f"P{random.getrandbits(48)}", fulfillment={"flow": "STANDARD"},
            )  # fmt: skip

        assert count(race(work)) == THREADS


def test_a_connection_that_dies_at_any_statement_leaves_nothing_half_done(records):
    """Killed before its 1st, 2nd, 3rd ... statement; the same click afterwards is done once."""
    from .test_pipeline_machine import dump

    seen = set()
    for deadly in range(1, 60):
        order = an_order([(records[0], 2), (records[1], 1)], released=True)
        before, passed, died = dump(), [0], []

        def killer(execute, sql, params, many, context, deadly=deadly, passed=passed, died=died):
            passed[0] += 1
            if passed[0] == deadly:
                died.append(sql)
                kill(context["connection"])
            return execute(sql, params, many, context)

        with connection.execute_wrapper(killer), contextlib.suppress(OperationalError):
            shipping.dispatch_order(order=order, actor=factories.TEAM, key="click")
        if not died:
            assert passed[0] >= 8
            break
        connection.close()
        status = OrderFulfillment.objects.get(pk=order.pk).shipping_status
        seen.add(status)
        # What comes after the commit (waking the workers, Oscar's stock alerts) may die alone.
        assert status == "dispatched" or dump() == before
        shipping.dispatch_order(order=fresh(order), actor=factories.TEAM, key="click")
        assert OrderFulfillment.objects.get(pk=order.pk).shipping_status == "dispatched"
        assert order.shipping_events.count() == 1
    else:
        pytest.fail("the step never ended")
    assert seen == {"released", "dispatched"}


def kill(victim):
    """End the victim's session at the server, as a crash of the network or of PostgreSQL would."""
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [victim.connection.info.backend_pid])
    finally:
        other.close()
