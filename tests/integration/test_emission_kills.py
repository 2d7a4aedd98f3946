"""Real workers and the tax office over TLS: the worker is killed before, during and after a note is handed in. It is
authorised once, under the key that was signed first."""

from __future__ import annotations

import os
import signal
import time

import pytest
from django.db import connection

from sandbox.simulators.sefaz import Sefaz
from sandbox.simulators.sefaz_tls import serve_tls
from tests import tax_office
from tests.workers.gate import Clerk, Gate
from tests.workers.harness import Shop, drop_template, make_template, wait_for

pytestmark = pytest.mark.feature("A9", "Z5")


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    vendor = "postgres" if connection.vendor == "postgresql" else "sqlite"
    made = make_template(vendor, tmp_path_factory.mktemp(vendor))
    yield vendor
    drop_template(made)


@pytest.fixture
def sefaz():
    return Sefaz()


@pytest.fixture
def gate(sefaz):
    return Gate(sefaz)


@pytest.fixture
def shop(gate, templates, tmp_path):
    pki = tax_office.pki()
    with serve_tls(gate, pki) as address:
        shop = Shop(templates, tmp_path, WORKERS_NFE=address, WORKERS_PKI=str(pki.folder))
        yield shop
        print(shop.said())
        shop.close()


@pytest.fixture
def clerk(shop):
    clerk = Clerk(shop)
    yield clerk
    clerk.close()


@pytest.mark.parametrize("moment", ["during", "after", "answered"])
def test_a_worker_is_killed_as_it_hands_a_note_in(shop, clerk, gate, sefaz, moment):
    shop.start()
    gate.hold("POST /ws/NFeAutorizacao4", done_first=moment != "during")
    clerk.tell("issue_note", f"N{moment}")
    wait_for(gate.arrived.is_set, 40, "the worker hands the note in")
    key = clerk.tell("note")["key"]
    assert key, "what goes out is stored before"
    busy = wait_for(lambda: shop.workers("busy"), 5, "who sends is busy")
    if moment == "answered":
        gate.opened.set()
        time.sleep(0.004)
    for pid in busy:
        os.kill(pid, signal.SIGKILL)
    gate.opened.set()
    found = wait_for(lambda: _entered(clerk), 120, "the note is authorised and entered")
    assert (found["key"], found["keys"], found["mails"]) == (key, [], 1)
    assert [step for step in found["steps"] if step in ("nfe_authorised", "invoice")] in (
        ["invoice", "nfe_authorised"],
        ["nfe_authorised", "invoice"],
    )
    # The tax office's own books: one note, whatever was sent.
    assert [note["key"] for note in sefaz.books.all("note")] == [key]


def _entered(clerk):
    found = clerk.tell("note")
    return found if found["shipping"] == "invoiced" else None
