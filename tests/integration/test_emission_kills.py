"""Real workers and the tax office over TLS: the worker is killed before, during and after a note is handed in. It is
authorised once, under the key that was signed first."""

from __future__ import annotations

import pytest

from sandbox.simulators.sefaz import Sefaz
from sandbox.simulators.sefaz_tls import serve_tls
from tests import tax_office
from tests.workers.fixtures import kill_busy
from tests.workers.harness import wait_for

pytestmark = pytest.mark.feature("A9", "Z5")


@pytest.fixture
def sefaz():
    return Sefaz()


@pytest.fixture
def vendor(sefaz):
    return sefaz


@pytest.fixture
def served(gate):
    pki = tax_office.pki()
    with serve_tls(gate, pki) as address:
        yield {"WORKERS_NFE": address, "WORKERS_PKI": str(pki.folder)}


@pytest.mark.parametrize("moment", ["during", "after", "answered"])
def test_a_worker_is_killed_as_it_hands_a_note_in(shop, clerk, gate, sefaz, moment):
    shop.start()
    gate.hold("POST /ws/NFeAutorizacao4", done_first=moment != "during")
    clerk.tell("issue_note", f"N{moment}")
    wait_for(gate.arrived.is_set, 40, "the worker hands the note in")
    key = clerk.tell("note")["key"]
    assert key, "what goes out is stored before"
    kill_busy(shop, gate, answered=moment == "answered")
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
