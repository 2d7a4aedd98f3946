"""Real workers and CDEK over HTTP: the worker is killed before, during and after it orders the carriage. It is ordered once."""

from __future__ import annotations

import os
import signal
import time

import pytest
from django.db import connection

from sandbox.simulators import __main__ as simulators
from sandbox.simulators.base import serve
from sandbox.simulators.cdek import Cdek
from tests.workers.gate import Clerk, Gate
from tests.workers.harness import Shop, drop_template, make_template, wait_for

pytestmark = pytest.mark.feature("E12", "E14", "Z3")

ORDER = "POST /cdek/v2/orders"


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    vendor = "postgres" if connection.vendor == "postgresql" else "sqlite"
    made = make_template(vendor, tmp_path_factory.mktemp(vendor))
    yield vendor
    drop_template(made)


@pytest.fixture
def simulator():
    return Cdek()


@pytest.fixture
def gate(simulator):
    return Gate(simulators.application({"cdek": simulator}))


@pytest.fixture
def shop(gate, templates, tmp_path):
    with serve(gate) as address:
        shop = Shop(templates, tmp_path, WORKERS_PROVIDER=address)
        yield shop
        print(shop.said())
        shop.close()


@pytest.fixture
def clerk(shop):
    clerk = Clerk(shop)
    yield clerk
    clerk.close()


@pytest.mark.parametrize("moment", ["before", "during", "after", "answered"])
def test_a_worker_is_killed_as_it_orders_the_carriage(shop, clerk, gate, simulator, moment):
    shop.start()
    gate.hold("GET /cdek/v2/orders" if moment == "before" else ORDER, done_first=moment in ("after", "answered"))
    reference = clerk.tell("release_with_carriage", f"K{moment}")
    wait_for(gate.arrived.is_set, 40, "the worker asks the carrier")
    busy = wait_for(lambda: shop.workers("busy"), 5, "who asks is busy")
    if moment == "answered":
        gate.opened.set()
        time.sleep(0.004)
    for pid in busy:
        os.kill(pid, signal.SIGKILL)
    gate.opened.set()
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
