"""Several people at the same return at the same moment on PostgreSQL: each thing happens once, and nothing is lost."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, connections

from oscar_fulfillment.core import history
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.models import OrderFulfillment, Return, ReturnLine, Shipment, StatusChange
from oscar_fulfillment.services import inspecting, receipts, return_outcomes, returns, shipping
from oscar_fulfillment.services.audit import audit_payments
from oscar_fulfillment.test import factories

from . import returns as do
from .payments import money
from .returns import line, stock_of

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("D15")]

THREADS = 6
ACTORS = [Actor.system(f"person {number}") for number in range(THREADS)]
ROUNDS = range(max(12 * int(os.environ.get("RACE_ROUNDS", "100")) // 100, 1))


@pytest.fixture
def race():
    """Run one callable per thread at the same moment; answers with what each came to."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"
    barrier = threading.Barrier(THREADS)
    pool = ThreadPoolExecutor(THREADS)

    def run(number, call):
        barrier.wait(30)
        try:
            return call(number)
        except FulfillmentError as error:
            return error

    yield lambda call: list(pool.map(lambda number: run(number, call), range(THREADS)))
    list(pool.map(lambda _number: (barrier.wait(30), connections.close_all()), range(THREADS)))
    pool.shutdown()


@pytest.fixture(autouse=True)
def books():
    """Afterwards: the books agree, the histories are whole, no unit is in two places."""
    yield
    assert list(map(str, audit_payments())) == []
    assert list(history.verify(OrderFulfillment, StatusChange)) == []
    for row in ReturnLine.objects.all():
        assert row.received <= row.quantity


def won(results):
    return [result for result in results if not isinstance(result, Exception)]


def fresh(order):
    return type(order).objects.get(pk=order.pk)


def test_a_customers_double_click_asks_once(race):
    for number in ROUNDS:
        order = do.delivered()
        pk = line(order).pk

        def click(_n, order=order, pk=pk, number=number):
            return returns.request_return(
                order=fresh(order), lines={pk: (3, "damaged")}, actor=Actor.customer(order), by_customer=True,
                key=f"click-{number}",
            )  # fmt: skip

        results = race(click)
        assert len(won(results)) == THREADS
        assert len({ret.pk for ret in results}) == 1
        assert Return.objects.filter(fulfillment=order.pk).count() == 1
        assert order.outbound_messages.filter(kind="FULFILLMENT_RETURN_REQUESTED").count() == 1


def test_six_people_cannot_announce_more_than_was_sent(race):
    for _round in ROUNDS:
        order = do.delivered()
        pk = line(order).pk

        def ask(number, order=order, pk=pk):
            return returns.request_return(order=fresh(order), lines={pk: (1, "other")}, actor=ACTORS[number])

        results = race(ask)
        assert len(won(results)) == 3
        assert sorted(ret.number for ret in won(results)) == [1, 2, 3]


def test_two_desks_receive_the_same_parcel_once(race):
    for _round in ROUNDS:
        order = do.delivered()
        ret, pk, before = do.approved(order, 2), line(order).pk, stock_of(order)[0]

        def receive(number, ret=ret, pk=pk):
            mine = Return.objects.select_related("fulfillment__order").get(pk=ret.pk)
            return inspecting.receive_return(ret=mine, lines={pk: (1, 1, "")}, actor=ACTORS[number])

        assert len(won(race(receive))) == 1
        assert stock_of(order)[0] == before + 1
        assert do.back(order) == [("delivered", 3, 2)]
        assert do.shipping_events(order) == [{"Mug": 2}]


def test_parcels_of_the_same_product_received_at_once_wait_for_each_other(race):
    product = factories.product("Mug", stock=500)
    orders = [do.delivered(lines=[(product, 2)]) for _n in range(THREADS)]
    rets = [do.approved(order, 2) for order in orders]
    before = stock_of(orders[0])[0]

    def receive(number):
        ret = Return.objects.select_related("fulfillment__order").get(pk=rets[number].pk)
        return inspecting.receive_return(ret=ret, lines={line(orders[number]).pk: (2, 0, "")}, actor=ACTORS[number])

    assert len(won(race(receive))) == THREADS
    assert stock_of(orders[0])[0] == before + 2 * THREADS


def test_two_people_settle_once_whatever_each_of_them_decides(race):
    decisions = [
        {"outcome": "refund", "amount": Decimal(10), "way": "hand"},
        {"outcome": "exchange"},
        {"outcome": "nothing", "reason": "Worn"},
        {"outcome": "refund", "amount": Decimal(20), "way": "credit"},
    ]
    for _round in ROUNDS:
        order = do.delivered()
        ret = do.received(order, 2)

        def settle(number, ret=ret):
            mine = Return.objects.select_related("fulfillment__order").get(pk=ret.pk)
            return return_outcomes.settle_return(ret=mine, actor=ACTORS[number], **decisions[number % len(decisions)])

        (winner,) = won(race(settle))
        assert do.actions(order).count("settle_return") == 1
        assert money(order)[2] == (Decimal(10) if winner.refund_amount == 10 else 0)
        pending = Shipment.objects.filter(fulfillment=order.pk, status="pending").count()
        assert pending == (winner.outcome == "exchange")


def test_money_goes_back_once_by_two_returns_and_a_refund_at_the_same_moment(race):
    for _round in ROUNDS:
        order = do.delivered()
        rets = [do.received(order, 1) for _n in range(3)]

        def pay_back(number, order=order, rets=rets):
            if number < 3:
                ret = Return.objects.select_related("fulfillment__order").get(pk=rets[number].pk)
                return return_outcomes.settle_return(
                    ret=ret, outcome="refund", amount=Decimal(20), way="hand", actor=ACTORS[number]
                )
            return receipts.note_refund(order=fresh(order), actor=ACTORS[number], amount=Decimal(20), reason="Kindness")

        assert len(won(race(pay_back))) == 1
        assert money(order)[2] == Decimal(20)


def test_the_last_goods_replace_one_return_only(race):
    for _round in ROUNDS:
        product = factories.product("Mug", stock=60)
        orders = [do.delivered(lines=[(product, 1)]) for _n in range(THREADS)]
        rets = [do.received(order, 0, 1) for order in orders]
        product.stockrecords.update(num_in_stock=2, num_allocated=0)

        def exchange(number, rets=rets):
            ret = Return.objects.select_related("fulfillment__order").get(pk=rets[number].pk)
            return return_outcomes.settle_return(ret=ret, outcome="exchange", actor=ACTORS[number])

        results = race(exchange)
        assert len(won(results)) == 2
        assert all("Not enough in stock" in str(error) for error in results if isinstance(error, Exception))
        assert product.stockrecords.get().num_allocated == 2
        assert Return.objects.filter(pk__in=[ret.pk for ret in rets], status="received").count() == THREADS - 2


def test_everything_came_back_and_a_new_return_at_once_are_one_of_them(race):
    for _round in ROUNDS:
        order = do.delivered()
        pk, before = line(order).pk, stock_of(order)[0]

        def go(number, order=order, pk=pk):
            if number % 2:
                return shipping.return_order(order=fresh(order), actor=ACTORS[number], reason="Refused")
            return returns.request_return(order=fresh(order), lines={pk: (3, "other")}, actor=ACTORS[number])

        assert len(won(race(go))) == 1
        is_back = do.shipping(order) == "returned"
        assert Return.objects.filter(fulfillment=order.pk).exists() is not is_back
        assert stock_of(order)[0] == before + (3 if is_back else 0)


def test_the_carrier_says_it_six_times_and_one_return_is_opened(race):
    for _round in ROUNDS:
        order = factories.dispatched_order(currency="CHF", lines=[(factories.product("Mug"), 2)])
        pk = Shipment.objects.get(fulfillment=order.pk).pk

        def tell(number, pk=pk):
            shipment = Shipment.objects.select_related("fulfillment__order").get(pk=pk)
            return returns.open_undelivered(shipment, ACTORS[number])

        assert len({ret.pk for ret in won(race(tell))}) == 1
        assert Return.objects.filter(fulfillment=order.pk).count() == 1
