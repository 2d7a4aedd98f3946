"""Several people and workers at once on PostgreSQL: every number is given out once, without a gap; a note goes out once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterUnavailable, FulfillmentError
from oscar_fulfillment.models import NfeEmission, NfeSeries
from oscar_fulfillment.services import emission_issue, emission_numbers, emission_runs
from tests import tax_office as shop

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("A9", "Z5")]

THREADS = 6
ACTORS = [Actor.system(f"person {number}") for number in range(THREADS)]


@pytest.fixture
def office(settings):
    with shop.tax_office(settings) as office:
        shop.profile()
        yield office


@pytest.fixture
def race():
    """Run one callable per thread at the same moment; answers with what each came to."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"
    barrier = threading.Barrier(THREADS)
    pool = ThreadPoolExecutor(THREADS)

    def run(number, call):
        barrier.wait(60)
        try:
            return call(number)
        except FulfillmentError as error:
            return error

    yield lambda call: list(pool.map(lambda number: run(number, call), range(THREADS)))
    list(pool.map(lambda _number: (barrier.wait(60), connections.close_all()), range(THREADS)))
    pool.shutdown()


def won(results):
    return [result for result in results if not isinstance(result, Exception)]


def test_numbers_have_neither_gaps_nor_doubles(race, office):
    orders = [[shop.released() for _round in range(4)] for _thread in range(THREADS)]
    race(lambda n: [emission_issue.issue_note(order=order, actor=ACTORS[n]) for order in orders[n]])
    numbers = sorted(NfeEmission.objects.values_list("number", flat=True))
    assert numbers == list(range(1, 4 * THREADS + 1))
    assert NfeSeries.objects.get().next_number == 4 * THREADS + 1


def test_an_order_that_six_people_issue_has_one_note_and_uses_one_number(race, office):
    for _round in range(3):
        order = shop.released()
        results = race(lambda n, order=order: emission_issue.issue_note(order=order, actor=ACTORS[n]))
        assert len(won(results)) == 1
        assert order.fulfillment.emissions.count() == 1
    assert sorted(NfeEmission.objects.values_list("number", flat=True)) == [1, 2, 3]


def test_six_workers_with_one_note_send_it_once(race, office):
    note = emission_issue.issue_note(order=shop.released(), actor=shop.CLERK)
    results = race(lambda n: emission_runs.run_emission(note.pk))
    assert len(won(results)) >= 1
    assert all(isinstance(error, AdapterUnavailable) for error in results if isinstance(error, Exception))
    note.refresh_from_db()
    assert note.status == NfeEmission.AUTHORISED
    assert office.asked == ["NFeAutorizacao"]
    assert note.fulfillment.history.filter(action="nfe_authorised").count() == 1
    assert note.fulfillment.history.filter(action="invoice").count() == 1


def test_a_rejected_note_that_six_people_mend_goes_out_once(race, office):
    order = shop.released()
    note = shop.issued(order)
    NfeEmission.objects.filter(pk=note.pk).update(status=NfeEmission.REJECTED)
    results = race(lambda n: emission_issue.mend_note(emission=NfeEmission.objects.get(pk=note.pk), actor=ACTORS[n]))
    assert len(won(results)) == 1


def test_numbers_are_voided_once_beside_those_that_are_given_out(race, office):
    emission_numbers.set_next_number(alias="BRL", number=11, actor=shop.CLERK)
    orders = [shop.released() for _thread in range(THREADS)]

    def work(n):
        if n % 2:
            return emission_issue.issue_note(order=orders[n], actor=ACTORS[n])
        return emission_numbers.void_numbers(
            alias="BRL", first=1, last=10, actor=ACTORS[n], reason="Numeros nao usados"
        )

    results = race(work)
    assert len(won(results)) == THREADS // 2 + 1
    assert sorted(NfeEmission.objects.values_list("number", flat=True)) == [11, 12, 13]
