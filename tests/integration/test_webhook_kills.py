"""Real workers and a listening system: workers are killed before, during and after a message goes out. None is lost."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from sandbox.simulators import __main__ as simulators
from sandbox.simulators.receiver import Receiver
from tests.workers.fixtures import kill_busy
from tests.workers.harness import wait_for

pytestmark = pytest.mark.feature("Z15", "Z3")

HOOK = "POST /receiver/hook"


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def vendor(receiver):
    return simulators.application({"receiver": receiver})


@pytest.fixture
def reached():
    return ("WORKERS_RECEIVER",)


def settled(clerk):
    found = clerk.tell("webhook_log")
    return found if found and {status for status, *_more in found.values()} == {"sent"} else None


@pytest.mark.parametrize("done_first", [False, True], ids=["before it arrives", "after it arrived"])
def test_a_worker_is_killed_while_it_tells(shop, clerk, gate, receiver, done_first):
    receiver.configure_keys(clerk.tell("listen", f"{shop.environment['WORKERS_RECEIVER']}/receiver/hook"))
    shop.start()
    gate.hold(HOOK, done_first=done_first)
    numbers = [f"K{number}" for number in range(8)]
    clerk.tell("approve", numbers)
    wait_for(gate.arrived.is_set, 40, "a worker calls")
    kill_busy(shop, gate)
    found = wait_for(lambda: settled(clerk), 120, "everything is told")
    assert sorted(number for _status, _tries, number in found.values()) == numbers
    arrived = Counter(message["id"] for message in receiver.messages)
    assert set(arrived) == set(found), "each event arrived, under its own id"
    assert max(arrived.values()) <= 2, "the one that was under way may come twice: its id tells"
    assert {message["verdict"] for message in receiver.messages} == {"verified"}
    said = {message["id"]: message["body"] for message in receiver.messages}
    assert all(message["body"] == said[message["id"]] for message in receiver.messages), "and says the same"


def test_all_is_killed_and_started_again(shop, clerk, receiver):
    receiver.configure_keys(clerk.tell("listen", f"{shop.environment['WORKERS_RECEIVER']}/receiver/hook"))
    receiver.answer_with("500")
    clerk.tell("approve", ["A1", "A2", "A3"])
    shop.start()
    wait_for(lambda: receiver.messages, 40, "somebody tries")
    shop.stop(signal.SIGKILL)
    wait_for(lambda: not shop.orphans(), 5, "no orphans")
    receiver.answer_with("204")
    shop.start()
    found = wait_for(lambda: settled(clerk), 120, "everything is told")
    taken = {message["id"] for message in receiver.messages if message["answer"] == "204"}
    assert taken == set(found)
