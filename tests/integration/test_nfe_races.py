"""Several uploads, workers and people at the same notes at the same moment on PostgreSQL: each is done once."""

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection, connections

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.models import Invoice, NfeFile, StatusChange
from oscar_fulfillment.services import invoicing, nfe_applying, nfe_imports, nfe_work
from oscar_fulfillment.test import nfe

from .nfe import ERP, released, take
from .nfe import shipping as status_of

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("A10", "Z5")]

THREADS = 6
ROUNDS = range(max(5 * int(os.environ.get("RACE_ROUNDS", "100")) // 100, 1))


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


def test_overlapping_uploads_bring_each_file_once(race):
    contents = [nfe.make_note(total="5.00", number=number) for number in range(1, 25)]

    def upload(number):
        mine = contents[number * 2 : number * 2 + 14]
        ordered = mine if number % 2 else mine[::-1]
        files = [(f"{number}-{place}.xml", io.BytesIO(content)) for place, content in enumerate(ordered)]
        taken = nfe_imports.take_files(files=files, actor=ERP)
        nfe_work.begin(taken.batch)
        return taken

    results = race(upload)
    assert sum(taken.new for taken in results) == NfeFile.objects.count() == 24
    nfe_work.work()
    assert set(NfeFile.objects.values_list("status", "verdict")) == {("checked", "choose")}


def test_workers_and_impatient_people_apply_each_note_once(race):
    for _round in ROUNDS:
        orders = [released() for _number in range(5)]
        files = take(*(nfe.make_note(order=order) for order in orders))
        rows = NfeFile.objects.filter(pk__in=[file.pk for file in files])

        def work(number, rows=rows):
            batch = nfe_applying.apply_files(files=rows, actor=ERP)
            while nfe_applying.apply_queued(most=2):
                pass
            return batch

        results = race(work)
        assert not [result for result in results if isinstance(result, Exception)]
        nfe_work.work()
        assert [status_of(order) for order in orders] == ["invoiced"] * 5
        assert set(rows.values_list("status", "problem")) == {("applied", "")}
        for order in orders:
            assert Invoice.objects.filter(fulfillment=order.pk).count() == 1
            assert StatusChange.objects.filter(fulfillment=order.pk, action="invoice").count() == 1


def test_two_notes_and_a_hand_at_one_order_invoice_it_once(race):
    for _round in ROUNDS:
        order = released()
        files = take(*(nfe.make_note(order=order) for _number in range(THREADS - 1)))

        def act(number, order=order, files=files):
            if number == THREADS - 1:
                return invoicing.invoice_order(order=order, actor=ERP, kind="none")
            nfe_applying.apply_files(files=NfeFile.objects.filter(pk=files[number].pk), actor=ERP)
            return nfe_applying.apply_queued(batch=NfeFile.objects.get(pk=files[number].pk).batch)

        race(act)
        nfe_work.work()
        assert status_of(order) == "invoiced"
        assert Invoice.objects.filter(fulfillment=order.pk).count() == 1
        assert NfeFile.objects.filter(fulfillment=order.pk, status="applied").count() <= 1
        assert not NfeFile.objects.filter(fulfillment=order.pk, status__in=["queued", "received"]).exists()


def test_a_cancellation_and_its_note_at_the_same_moment_end_cancelled(race):
    for _round in ROUNDS:
        order = released()
        content = nfe.make_note(order=order)
        files = {"note": content, "event": nfe.make_cancellation(nfe.key_of(content))}

        def act(number, files=files):
            name = "note" if number % 2 else "event"
            taken = nfe_imports.take_files(files=[(name, io.BytesIO(files[name]))], actor=ERP)
            nfe_work.begin(taken.batch)
            nfe_applying.apply_files(files=NfeFile.objects.filter(batch=taken.batch), actor=ERP)
            return nfe_applying.apply_queued()

        race(act)
        for _again in range(2):
            nfe_work.work()
            nfe_applying.apply_files(files=NfeFile.objects.all(), actor=ERP)
            nfe_work.work()
        # Whoever was first: the note is not left standing as valid with its cancellation filed beside it.
        event = NfeFile.objects.get(access_key=nfe.key_of(content), kind="cancellation")
        assert event.status == "applied"
        assert (status_of(order), Invoice.objects.filter(fulfillment=order.pk, cancelled_at=None).count()) == (
            "released",
            0,
        )


def test_workers_with_whole_chunks_and_a_hand_enter_each_note_once(race):
    for _round in ROUNDS:
        orders = [released() for _number in range(6)]
        files = take(*(nfe.make_note(order=order) for order in orders))
        rows = NfeFile.objects.filter(pk__in=[file.pk for file in files])

        def work(number, rows=rows, orders=orders, files=files):
            if number == 0:
                # Backwards: whoever enters several locks their orders in one order all the same.
                for order in orders[:1:-2]:
                    with suppress(FulfillmentError):
                        invoicing.invoice_order(order=order, actor=ERP, kind="none")
                return
            # Each has some of them, overlapping; and as if the others' workers had been given up.
            mine = [file.pk for file in files[number % 3 :]]
            nfe_applying.apply_files(files=rows.filter(pk__in=mine), actor=ERP)
            for pk in mine:
                NfeFile.objects.filter(pk=pk, status="queued").update(touched_at=None)
            while nfe_applying.apply_queued():
                pass

        results = race(work)
        assert not [result for result in results if isinstance(result, Exception)]
        nfe_work.work()
        assert [status_of(order) for order in orders] == ["invoiced"] * 6
        for order, file in zip(orders, files, strict=True):
            file.refresh_from_db()
            invoice = Invoice.objects.get(fulfillment=order.pk)
            assert StatusChange.objects.filter(fulfillment=order.pk, action="invoice").count() == 1
            assert (file.status, file.invoice_id) == (
                ("applied", invoice.pk) if invoice.access_key else ("checked", None)
            )
