"""What the tests share that kill real workers: a shop of processes, a clerk in it, a gate before the vendor, the killing.

A test module says what stands behind the gate (fixture ``vendor``: a WSGI application) and where the shop finds it
(``reached``: the names of the variables of its environment).
"""

from __future__ import annotations

import os
import signal
import time

import pytest
from django.db import connection

from sandbox.simulators.base import serve

from .gate import Clerk, Gate
from .harness import Shop, drop_template, make_template, wait_for


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """The name of the database of this run; the workers get a copy of their own."""
    name = "postgres" if connection.vendor == "postgresql" else "sqlite"
    made = make_template(name, tmp_path_factory.mktemp(name))
    yield name
    drop_template(made)


@pytest.fixture
def gate(vendor):
    return Gate(vendor)


@pytest.fixture
def reached():
    return ("WORKERS_PROVIDER",)


@pytest.fixture
def served(gate, reached):
    """The variables of the shop's environment, while the vendor listens."""
    with serve(gate) as address:
        yield dict.fromkeys(reached, address)


@pytest.fixture
def shop(served, templates, tmp_path):
    shop = Shop(templates, tmp_path, **served)
    yield shop
    print(shop.said())
    shop.close()


@pytest.fixture
def clerk(shop):
    clerk = Clerk(shop)
    yield clerk
    clerk.close()


def kill_busy(shop, gate, *, answered=False):
    """Kill whoever waits at the gate, and open it. ``answered``: open it a moment before."""
    busy = wait_for(lambda: shop.workers("busy"), 5, "who calls is busy")
    if answered:
        gate.opened.set()
        time.sleep(0.004)
    for pid in busy:
        os.kill(pid, signal.SIGKILL)
    gate.opened.set()
