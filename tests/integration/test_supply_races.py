"""Goods that several people order, count and give up at the same moment, on PostgreSQL: each unit is counted once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.models import GoodsReceipt, OutboundMessage, SupplierOrder
from oscar_fulfillment.services import messages, release, shipping, supply
from oscar_fulfillment.test import factories

from .supply import TEAM, buy, offered, receive, record_of, set_stock, waiting

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("D9")]

DONE = "done"


@pytest.fixture
def race():
    """Run callables at the same moment, each in a thread: DONE, or the class of our refusal. Anything else is raised."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"

    def race(*calls):
        barrier = threading.Barrier(len(calls))

        def run(call):
            try:
                barrier.wait(30)
                call()
            except FulfillmentError as error:
                return type(error).__name__
            finally:
                connections.close_all()
            return DONE

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(run, calls))

    return race


@pytest.fixture
def mug():
    return factories.product("Mug", sku="MUG", stock=40)


def test_the_same_receipt_sent_several_times_at_once_is_counted_once(race, mug):
    for round_number in range(6):
        set_stock(mug, 0)
        order = buy(mug, 5)
        key = f"receipt-{round_number}"
        assert race(*[lambda order=order, key=key: receive(order, 2, key=key)] * 4) == [DONE] * 4
        assert record_of(mug).num_in_stock == 2
        assert order.receipts.count() == 1


def test_two_people_count_the_same_goods_and_only_what_was_ordered_is_taken(race, mug):
    for _round in range(6):
        set_stock(mug, 0)
        order = buy(mug, 5)
        found = race(*[lambda order=order: receive(order, 3)] * 3)
        assert sorted(found) == ["InvalidInput", "InvalidInput", DONE]
        assert record_of(mug).num_in_stock == order.lines.get().received == 3


def test_goods_come_while_the_rest_is_given_up(race, mug):
    for _round in range(6):
        set_stock(mug, 0)
        order = buy(mug, 5)
        found = race(
            lambda order=order: receive(order, 5),
            lambda order=order: supply.cancel_supplier_order(supplier_order=order, actor=TEAM),
        )
        order.refresh_from_db()
        assert sorted(found) == ["TransitionNotAllowed", DONE]
        assert record_of(mug).num_in_stock == (0 if order.is_cancelled else 5)
        assert order.closed_at is not None


def test_goods_of_two_orders_come_while_others_leave_and_no_unit_is_lost(race, mug):
    plate = factories.product("Plate", stock=40)
    for _round in range(4):
        mug.stockrecords.update(num_in_stock=20, num_allocated=0)
        plate.stockrecords.update(num_in_stock=20, num_allocated=0)
        leaving = factories.released_order(currency="CHF", lines=[(plate, 4), (mug, 4)])
        lines = {record_of(mug).pk: 5, record_of(plate).pk: 6}
        partner = record_of(mug).partner
        first, second = (
            supply.order_from_supplier(
                partner=partner, lines=lines, actor=TEAM, send_mail=False, key=f"{_round}-{name}"
            )
            for name in "ab"
        )
        found = race(
            lambda first=first: receive(first, 5, 6),
            lambda second=second: receive(second, 5, 6),
            lambda leaving=leaving: shipping.dispatch_order(order=leaving, actor=TEAM),
        )
        assert found == [DONE] * 3
        assert record_of(mug).num_in_stock == 20 + 10 - 4
        assert record_of(plate).num_in_stock == 20 + 12 - 4


def test_a_double_click_on_order_at_the_same_moment_orders_once(race, mug):
    for number in range(6):
        OutboundMessage.objects.all().delete()
        call = {"send_mail": True, "email": "potter@example.com", "key": f"order-{number}"}
        assert race(*[lambda call=call: buy(mug, 3, **call)] * 4) == [DONE] * 4
        assert SupplierOrder.objects.filter(key=call["key"]).count() == 1
        assert OutboundMessage.objects.filter(kind=messages.SUPPLIER_ORDER).count() == 1


def test_two_people_who_order_the_same_goods_at_the_same_moment_order_once(race, mug):
    seen = 0
    for number in range(6):
        found = race(
            *[lambda n=n, seen=seen, number=number: buy(mug, 3, seen=seen, key=f"{number}-{n}") for n in range(3)]
        )
        assert sorted(found) == ["InvalidInput", "InvalidInput", DONE]
        seen = SupplierOrder.objects.order_by("-pk").first().pk
    assert SupplierOrder.objects.count() == 6


def test_goods_come_while_the_waiting_orders_are_released(race):
    for _round in range(4):
        mug = factories.product("Mug", stock=40)
        order = waiting(mug, 4)
        bought = buy(mug, 4)
        found = race(
            lambda bought=bought: receive(bought, 4),
            lambda order=order: release.release_order(order=order, actor=TEAM),
        )
        assert found[0] == DONE
        order.fulfillment.refresh_from_db()
        assert order.fulfillment.has_backorder == (found[1] != DONE)
        assert record_of(mug).num_in_stock == 4
        if order.fulfillment.has_backorder:
            assert offered() == [(order.number, 4, 4)]
            release.release_order(order=order, actor=TEAM)
    assert GoodsReceipt.objects.count() == 4
