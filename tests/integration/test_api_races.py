"""Many calls of the API at the same moment on PostgreSQL: each thing is done once, and no order is passed over."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction
from oscar.core.loading import get_model

from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.models import ApiKey, Export, Invoice, OrderFulfillment, OutsideChange, StatusChange
from oscar_fulfillment.services import api_keys, api_systems, connector_exports
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from .api import Caller, hand_over

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("A8", "A10")]

THREADS = 6
ROUNDS = range(max(10 * int(os.environ.get("RACE_ROUNDS", "100")) // 100, 1))


@pytest.fixture
def race():
    """Run one callable per thread at the same moment; answers with what each came to."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"
    barrier = threading.Barrier(THREADS)
    pool = ThreadPoolExecutor(THREADS)

    def run(number, call):
        barrier.wait(30)
        return call(number)

    yield lambda call: list(pool.map(lambda number: run(number, call), range(THREADS)))
    list(pool.map(lambda _number: (barrier.wait(30), connections.close_all()), range(THREADS)))
    pool.shutdown()


@pytest.fixture
def erp(transactional_db):
    return Caller()


def test_one_note_by_six_calls_is_entered_once(race, erp):
    for number in ROUNDS:
        order = factories.released_order()
        body = {"access_key": make_key(number=number + 1), "value": "20.00"}
        answers = race(lambda _number, at=f"/orders/{order.number}/invoice", body=body: erp.post(at, body))
        assert {answer.status_code for answer in answers} == {200}, [answer.content for answer in answers]
        assert len({answer.json()["receipt"] for answer in answers}) == 1
        assert Invoice.objects.filter(fulfillment=order.pk).count() == 1
        assert StatusChange.objects.filter(fulfillment=order.pk, action="invoice").count() == 1
        assert OutsideChange.objects.filter(fulfillment=order.pk).count() == 1


def test_one_of_six_different_notes_is_entered(race, erp):
    for number in ROUNDS:
        order = factories.released_order()

        def post(place, at=f"/orders/{order.number}/invoice", first=number * 10 + 1):
            return erp.post(at, {"access_key": make_key(number=first + place)})

        answers = race(post)
        codes = sorted(answer.status_code for answer in answers)
        assert codes[0] == 200
        assert set(codes[1:]) == {409}, [answer.content for answer in answers]
        assert Invoice.objects.filter(fulfillment=order.pk).count() == 1


def test_one_idempotency_key_is_done_once(race, erp):
    item = factories.product(stock=5).stockrecords.get()
    for number in ROUNDS:
        answers = race(
            lambda _place, n=number: erp.put(
                f"/stock/{item.partner_sku}", {"num_in_stock": n + 100}, Idempotency_Key=f"k{n}"
            )
        )
        codes = {answer.status_code for answer in answers}
        assert 200 in codes
        assert codes <= {200, 409}
        assert OutsideChange.objects.filter(key__startswith="stock:").count() == number + 1


def test_stock_and_reservations_wait_for_each_other(race, erp):
    for _round in ROUNDS:
        goods = factories.product(stock=50)
        item = goods.stockrecords.get()
        order = factories.paid_order(lines=[(goods, 5)])

        def work(number, order=order, sku=item.partner_sku):
            if number:
                return erp.put(f"/stock/{sku}", {"num_in_stock": 40 + number}).status_code
            from oscar_fulfillment.services import release

            return release.release_order(order=order, actor=factories.TEAM) and 200

        assert set(race(work)) == {200}
        item.refresh_from_db()
        assert 41 <= item.num_in_stock <= 45
        assert item.num_allocated == 5


def test_an_allowance_is_not_spent_twice(race, erp, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "API": {"rate": 1, "burst": 10}}
    now = time.time()
    key = ApiKey.objects.get()
    waits = race(lambda _number: [api_keys.pay(key, moment=now).wait for _time in range(10)])
    assert sum(wait == 0 for each in waits for wait in each) == 10


def test_no_order_is_passed_over_by_a_cursor_while_others_are_handed_over(race, erp):
    """Six workers hand over while one caller walks: what it has seen by the end of its walk is a beginning without gaps."""
    api_systems.systems.prime()
    for _round in ROUNDS:
        orders = [factories.released_order() for _time in range(THREADS * 2)]
        Export.objects.all().delete()
        from oscar_fulfillment.models import OutboundMessage

        waiting = list(OutboundMessage.objects.filter(destination="connector:erp", status="pending"))
        seen, positions = [], []

        def work(number, waiting=waiting, seen=seen, positions=positions):
            if number == 0:
                cursor = 0
                for _look in range(40):
                    rows = list(Export.objects.filter(pk__gt=cursor).order_by("pk").values_list("pk", flat=True))
                    seen.extend(rows)
                    cursor = rows[-1] if rows else cursor
                    time.sleep(0.002)
                positions.append(cursor)
                return
            for message in waiting[number - 1 :: THREADS - 1]:
                connector_exports.send(message)

        race(work)
        # Nothing that is behind the cursor was unseen.
        behind = set(Export.objects.filter(pk__lte=positions[0]).values_list("pk", flat=True))
        assert behind == set(seen)
        assert Export.objects.count() == len(orders)
        OutboundMessage.objects.all().delete()


def test_a_handing_over_waits_for_one_with_a_smaller_id(erp):
    """The very case: a row is inserted, and its transaction takes its time."""
    first, second = factories.released_order(), factories.released_order()
    done = threading.Event()

    def slow():
        with transaction.atomic():
            lock_rows(OrderFulfillment.objects.filter(pk=first.pk))
            from oscar_fulfillment.core.locks import lock_name

            lock_name("oscar_fulfillment.exports.erp")
            Export.objects.create(
                fulfillment_id=first.pk, connector="erp", kind="order", sequence=99, created_at=first.date_placed
            )
            done.set()
            time.sleep(0.5)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    done.wait(10)
    hand_over()
    found = list(Export.objects.order_by("pk").values_list("fulfillment", flat=True))
    thread.join()
    assert found == [first.pk, second.pk]


def test_keys_of_one_name_made_at_once(race, transactional_db):
    def make(number):
        values = {"name": "the same", "system": f"s{number}", "scopes": ["orders:read"]}
        try:
            return api_keys.make_key(actor=factories.TEAM, values=values)
        except api_keys.InvalidInput:
            return None

    assert sum(found is not None for found in race(make)) == 1
    assert get_model("oscar_fulfillment", "ApiKey").objects.count() == 1
