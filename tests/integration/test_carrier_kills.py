"""Real workers and CDEK over HTTP: the worker is killed before, during and after it orders the carriage. It is ordered once."""

from __future__ import annotations

import pytest

from sandbox.simulators import __main__ as simulators
from sandbox.simulators.cdek import Cdek
from tests.workers.fixtures import kill_busy
from tests.workers.harness import wait_for

pytestmark = pytest.mark.feature("E12", "E14", "Z3")

ORDER = "POST /cdek/v2/orders"


@pytest.fixture
def simulator():
    return Cdek()


@pytest.fixture
def vendor(simulator):
    return simulators.application({"cdek": simulator})


@pytest.mark.parametrize("moment", ["before", "during", "after", "answered"])
def test_a_worker_is_killed_as_it_orders_the_carriage(shop, clerk, gate, simulator, moment):
    shop.start()
    gate.hold("GET /cdek/v2/orders" if moment == "before" else ORDER, done_first=moment in ("after", "answered"))
    reference = clerk.tell("release_with_carriage", f"K{moment}")
    wait_for(gate.arrived.is_set, 40, "the worker asks the carrier")
    kill_busy(shop, gate, answered=moment == "answered")
    found = wait_for(lambda: _done(clerk), 120, "the number is there")
    assert found["status"] == "created"
    assert found["boxes"] == [found["code"]]
    assert found["mails"] == 1
    # The carrier's own books: one order that stands, whatever was asked.
    orders = simulator.books.all("order")
    assert [order["body"]["number"] for order in orders] == [reference]


def _done(clerk):
    found = clerk.tell("carriage")
    assert found["status"] in ("requested", "accepted", "created"), found
    return found if found["status"] == "created" else None
