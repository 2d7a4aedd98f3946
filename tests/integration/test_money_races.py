"""Several people at the same file, movement and payout at the same moment on PostgreSQL: each is done once."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, connections

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.models import BankEntry, BankStatement, OutboundMessage, StatusChange
from oscar_fulfillment.services import bank, messages, payout_imports
from oscar_fulfillment.test import factories

from .bank import ACCOUNT, content, lines, text_file
from .payments import money, statuses
from .test_payouts import take as take_payout
from .test_payouts import waiting

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("D6", "D13")]

THREADS = 6
ACTORS = [Actor.system(f"person {number}") for number in range(THREADS)]
ROUNDS = range(max(10 * int(os.environ.get("RACE_ROUNDS", "100")) // 100, 1))


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


def won(results):
    return [result for result in results if not isinstance(result, Exception)]


def test_the_same_file_by_six_people_is_imported_once(race):
    def take(number):
        return bank.import_statement(
            content=content("camt053_v02_collective.xml"), file_name="a.xml", actor=ACTORS[number]
        )

    results = race(take)
    assert len(won(results)) == 1
    assert all("imported before" in str(error) for error in results if isinstance(error, Exception))
    assert (BankStatement.objects.count(), BankEntry.objects.count()) == (1, 4)


def test_files_that_overlap_bring_each_movement_once(race):
    rows = [f"05.11.2026;Payer {n};text {n};{n}.00\n" for n in range(1, 40)]

    def take(number):
        mine = rows[number * 3 : number * 3 + 24]
        # Each the other way round than its neighbour: without one import at a time they would wait crosswise.
        text = "".join(mine if number % 2 else reversed(mine))
        return text_file(f"Date;Name;Text;Amount\n{text}", name=f"{number}.csv", actor=ACTORS[number])

    results = won(race(take))
    assert len(results) == THREADS
    assert BankEntry.objects.count() == len({n for t in range(THREADS) for n in range(t * 3, t * 3 + 24)})
    assert sum(statement.new_count for statement in results) == BankEntry.objects.count()


def test_the_same_movement_by_six_people_is_booked_once(race):
    for round_number in ROUNDS:
        orders = [
            factories.placed_order(currency="CHF", lines=[(factories.product(price="50.00"), 1)]) for _i in range(2)
        ]
        statement = lines(("05.11.2026", "Ana", f"round {round_number}", "50.00"), name=f"{round_number}.csv")
        (found,) = statement.entries.all()

        def confirm(number, found=found, orders=orders):
            # Two orders that both might be meant: the movement pays one of them.
            return bank.confirm_entry(entry=found, order=orders[number % 2], actor=ACTORS[number])

        results = race(confirm)
        assert len(won(results)) == 1
        assert all(isinstance(error, bank.EntryDecided) for error in results if isinstance(error, Exception))
        assert sum((money(order)[1] for order in orders), Decimal(0)) == Decimal("50.00")
        assert sorted(statuses(order)[0] for order in orders) == ["awaiting_payment", "paid"]
        mails = OutboundMessage.objects.filter(order__in=orders, kind=messages.PAYMENT_APPROVED)
        assert mails.count() == 1
        assert BankEntry.objects.get(pk=found.pk).account == ACCOUNT


def test_confirming_and_setting_aside_at_once_is_one_of_them(race):
    for round_number in ROUNDS:
        order = factories.placed_order(currency="CHF", lines=[(factories.product(price="50.00"), 1)])
        statement = lines(("05.11.2026", "Ana", f"aside {round_number}", "50.00"), name=f"{round_number}.csv")
        (found,) = statement.entries.all()

        def decide(number, found=found, order=order):
            if number % 2:
                return bank.ignore_entry(entry=found, actor=ACTORS[number])
            return bank.confirm_entry(entry=found, order=order, actor=ACTORS[number])

        assert len(won(race(decide))) == 1
        state = BankEntry.objects.get(pk=found.pk).state
        assert (state, money(order)[1]) in [("matched", Decimal("50.00")), ("ignored", 0)]


def test_the_same_payout_line_by_six_people_is_confirmed_once(race):
    order, payment = waiting()
    payout = take_payout((payment.external_id, "", "payment", "20.00", "0.60"))

    def confirm(number):
        return payout_imports.confirm_lines(payout=payout, actor=ACTORS[number])

    results = [outcome for outcomes in race(confirm) for outcome in outcomes]
    assert len([outcome for outcome in results if not outcome.error]) == 1
    assert StatusChange.objects.filter(fulfillment=order.pk, action="confirm_payout").count() == 1
