"""Real workers and a provider over HTTP: the worker is killed before, during and after its call, and once the answer is
on its way. One effect at the provider, and all books agree.
"""

from __future__ import annotations

import json

import pytest

from sandbox.simulators import __main__ as simulators
from sandbox.simulators import yookassa
from tests.workers.fixtures import kill_busy
from tests.workers.gate import Gate
from tests.workers.harness import wait_for

pytestmark = pytest.mark.feature("A3", "E2", "Z3")

KINDS = ("capture", "void", "refund", "notification")
#: The call of each that changes something (or, of a notification, asks), and the one before it.
CALLS = {"capture": "/capture", "void": "/cancel", "refund": "POST /yookassa/v3/refunds"}
LOOK = CALLS["notification"] = "GET /yookassa/v3/payments/"


@pytest.fixture
def letters():
    return []


@pytest.fixture
def simulator(letters):
    found = yookassa.YooKassa(notification_url="https://shop.example/hook")
    found.deliver = lambda letter: letters.append(letter) or 200
    return found


@pytest.fixture
def vendor(simulator):
    return simulators.application({"yookassa": simulator})


@pytest.fixture
def gate(vendor, simulator):
    gate = Gate(vendor)
    gate.simulator = simulator
    return gate


@pytest.mark.parametrize("moment", ["before", "during", "after", "answered"])
def test_a_worker_is_killed_at_its_call(shop, clerk, gate, simulator, letters, moment):
    numbers = clerk.tell("begin", KINDS)
    for number in numbers.values():
        simulator.decide(number, "approve")
    for kind in KINDS[:3]:
        assert clerk.tell("settle", kind) == ("captured" if kind == "refund" else "authorized")
    shop.start()
    for kind in KINDS:
        gate.hold(LOOK if moment == "before" else CALLS[kind], done_first=moment in ("after", "answered"))
        if kind == "notification":
            letter = next(letter for letter in letters if numbers[kind].encode() in letter.body)
            assert clerk.tell("receive", {}, letter.body.decode()) is True
        else:
            clerk.tell("ask", kind)
        wait_for(gate.arrived.is_set, 40, f"the worker asks the provider: {kind}")
        kill_busy(shop, gate, answered=moment == "answered")
    wait_for(lambda: clerk.tell("waiting") == 0, 90, "everything is done")
    books = clerk.tell("books")
    assert books["differences"] == []
    for kind, status, money, steps in (
        ("capture", "paid", ["20.00", "20.00", "0.00"], ["authorize_payment", "capture_payment"]),
        ("void", "cancelled", ["0.00", "0.00", "0.00"], ["authorize_payment", "cancel", "cancel_payment"]),
        ("refund", "partially_refunded", ["20.00", "20.00", "4.00"], ["approve_payment", "refund_payment"]),
        ("notification", "paid", ["20.00", "20.00", "0.00"], ["approve_payment"]),
    ):
        found = books[kind]
        assert (found["status"], found["money"], sorted(found["steps"])) == (status, money, steps), kind
        assert found["operations"] == ([] if kind == "notification" else ["done"]), kind
        assert found["followups"] == [], kind
    # The provider's own books: what it did, it did once.
    assert simulator.books.count("refund") == 1
    told = [json.loads(letter.body)["event"] for letter in letters]
    assert told.count("payment.canceled") == 1
    assert len([letter for letter in letters if b"payment.succeeded" in letter.body
                and numbers["capture"].encode() in letter.body]) == 1  # fmt: skip
