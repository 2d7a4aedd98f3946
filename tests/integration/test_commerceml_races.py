"""Several exchanges with 1C at once, and several web processes at one exchange, on PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from oscar_fulfillment.models import ExchangeFile, OrderFulfillment, OutsideChange
from oscar_fulfillment.services import cancelling
from oscar_fulfillment.test import factories
from sandbox.simulators.onec_documents import read_orders
from sandbox.simulators.onec_wire import Stopped, pieces

from .connectors import ledger, send
from .onec import exchanging, session, told, waits

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("E11")]
CALLERS = 6


@pytest.fixture
def together():
    """Run a callable per caller at once; what each returned, or what stopped it."""

    def one(call, number, barrier):
        try:
            barrier.wait(30)
            return call(number)
        except Stopped as error:
            return error
        finally:
            connections.close_all()

    def run(call):
        barrier = threading.Barrier(CALLERS)
        with ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(lambda number: one(call, number, barrier), range(CALLERS)))

    return run


def released(count):
    return waits(*[factories.released_order(currency="RUB") for _number in range(count)])


def numbers(wire):
    return [order["number"] for order in read_orders(wire.query())]


def test_exchanges_at_once_lose_no_order_and_mark_none_that_was_not_read(together):
    with exchanging(page_size=7):
        orders = {order.number for order in released(20)}

        def whole(number):
            wire, seen = session(), set()
            while found := numbers(wire):
                seen |= set(found)
                wire.success()
            return seen

        found = together(whole)
        assert all(isinstance(seen, set) for seen in found), found
        assert set().union(*found) == orders
        assert {row.status for row in ledger("onec")} == {"acknowledged"}


def test_one_session_asked_by_many_remembers_one_page(together):
    with exchanging(page_size=5):
        released(12)
        wire = session()
        pages = together(lambda number: numbers(wire))
        assert len({tuple(page) for page in pages}) == 1
        together(lambda number: wire.success())
        assert [row.status for row in ledger("onec")].count("acknowledged") == 5


def test_orders_that_change_while_they_are_fetched_are_offered_anew(together):
    with exchanging():
        for _turn in range(5):
            orders = released(4)
            wires = [session() for _number in range(CALLERS)]

            def work(number, orders=orders, wires=wires):
                if number < len(orders):
                    cancelling.cancel_order(order=orders[number], actor=factories.TEAM, reason="Changed")
                    return send("onec")
                found = read_orders(wires[number].query())
                wires[number].success()
                return {order["number"]: order["was_cancelled"] for order in found}

            heard = [found for found in together(work) if found]
            send("onec")
            wire = session()
            later = {order["number"]: order["was_cancelled"] for order in read_orders(wire.query())}
            wire.success()
            for order in orders:
                told_now = [found.get(order.number) for found in heard] + [later.get(order.number)]
                assert True in told_now, (order.number, heard, later)
            assert {row.status for row in ledger("onec")} == {"acknowledged"}


def test_a_payment_that_many_tell_at_once_is_booked_once(together):
    with exchanging():
        for turn in range(5):
            (order,) = waits(factories.placed_order(currency="RUB"))
            content = told(order, paid_at="2026-11-26T10:00:00")
            wires = [session() for _number in range(CALLERS)]
            found = together(lambda number, c=content, w=wires: w[number].send("orders.xml", c))
            assert found == [None] * CALLERS
            assert OrderFulfillment.objects.get(pk=order.pk).payment_status == "paid"
            assert order.sources.get().amount_debited == order.total_incl_tax
            assert OutsideChange.objects.count() == turn + 1


def test_one_file_imported_by_many_processes_is_entered_once(together):
    with exchanging():
        (order,) = waits(factories.placed_order(currency="RUB"))
        wire = session()
        parts = pieces(told(order, paid_at="2026-11-26T10:00:00"), 150)
        for part in parts[:-1]:
            wire.lines("file", part, filename="orders.xml")
        # The last piece is sent by all: one appends it, the others are told that it is there.
        together(lambda number: wire.lines("file", parts[-1], filename="orders.xml"))
        together(lambda number: wire.enter("orders.xml"))
        file = ExchangeFile.objects.get()
        assert (file.status, file.size, file.pieces) == ("done", sum(map(len, parts)), len(parts))
        assert OrderFulfillment.objects.get(pk=order.pk).payment_status == "paid"
        assert OutsideChange.objects.count() == 1
