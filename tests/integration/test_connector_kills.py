"""Real workers and Bitrix24 over HTTP: the worker is killed before, during and after it makes the deal, and as it moves
one. There is one deal, and it shows what the order is."""

from __future__ import annotations

import pytest

from sandbox.simulators import __main__ as simulators
from sandbox.simulators.bitrix24 import Bitrix24
from tests.workers.fixtures import kill_busy
from tests.workers.harness import wait_for

pytestmark = pytest.mark.feature("E9", "Z3")

#: The call that makes the deal, and with it everything else.
BATCH = "POST /bitrix24/rest/"


@pytest.fixture
def portal():
    return Bitrix24()


@pytest.fixture
def vendor(portal):
    return simulators.application({"bitrix24": portal})


@pytest.fixture
def reached():
    return ("WORKERS_CRM",)


def arrived(clerk, state=""):
    """The deal's row once it arrived (and shows this)."""
    rows = [row for row in clerk.tell("exports") if row[0] == "order" and row[1] == "acknowledged"]
    return rows if rows and (not state or rows[0][3] == state) else None


@pytest.mark.parametrize("moment", ["during", "after", "answered"])
def test_a_worker_is_killed_as_it_makes_a_deal(shop, clerk, gate, portal, moment):
    shop.start()
    gate.hold(BATCH, done_first=moment != "during")
    clerk.tell("place", f"K{moment}")
    wait_for(gate.arrived.is_set, 40, "the worker calls the CRM")
    kill_busy(shop, gate, answered=moment == "answered")
    clerk.tell("unclaim")
    ((_kind, _status, external_id, _state, attempts),) = wait_for(lambda: arrived(clerk), 120, "the deal is there")
    assert attempts >= 1
    # The portal's own books: one deal, whatever was asked.
    assert [str(deal["ID"]) for deal in portal.deals] == [external_id]


def test_a_worker_is_killed_as_it_moves_a_deal(shop, clerk, gate, portal):
    shop.start()
    clerk.tell("place", "K1")
    wait_for(lambda: arrived(clerk), 60, "the deal is there")
    (before,) = (deal["STAGE_ID"] for deal in portal.deals)
    gate.hold(BATCH, done_first=True)
    clerk.tell("start", "K1")
    wait_for(gate.arrived.is_set, 40, "the worker calls the CRM")
    kill_busy(shop, gate)
    clerk.tell("unclaim")
    ours = wait_for(lambda: arrived(clerk, "C5:EXECUTING"), 120, "it is known to show the new stage")
    assert len(ours) == 1
    (after,) = (deal["STAGE_ID"] for deal in portal.deals)
    assert (before != after, after) == (True, "C5:EXECUTING")
