"""Real worker processes on both databases, killed in every way: nothing lost, nothing repeated outward, no orphans.

``vendor`` honours the idempotency key, as at-least-once destinations must; ``money`` does not and is at most once.
The tests read /proc, so they need Linux; the watchdog runs elsewhere too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from django.db import connection

from tests.workers.harness import Shop, alive, drop_template, make_template, wait_for

pytestmark = pytest.mark.feature("Z3")


@pytest.fixture(scope="module")
def vendor():
    """The database this run of the suite is about; the workers get one of their own."""
    return "postgres" if connection.vendor == "postgresql" else "sqlite"


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    made = {}

    def ensure(vendor):
        if vendor not in made:
            made[vendor] = make_template(vendor, tmp_path_factory.mktemp(vendor))

    yield ensure
    for shop in made.values():
        drop_template(shop)


@pytest.fixture
def shops(tmp_path, templates):
    made = []

    def make(vendor, **options):
        templates(vendor)
        made.append(Shop(vendor, tmp_path, **options))
        return made[-1]

    yield make
    for shop in made:
        if shop.log.exists():
            print(shop.said())
        shop.close()


def assert_nothing_lost_nothing_repeated(shop, vendor, money):
    """Every vendor message had its effect once; every money message was called at most once, and we know which."""
    wait_for(shop.settled, 40, "everything is settled")
    assert sorted(shop.book("effects")) == sorted(f"v{n}" for n in range(vendor))
    calls = Counter(shop.book("calls"))
    assert not calls or max(calls.values()) == 1
    statuses = shop.statuses()
    assert set(statuses) <= {"sent", "unknown"}
    assert statuses.total() == vendor + money
    # Only what was under way at the moment of a death is unknown (called or not): at most one per worker.
    assert money - statuses["unknown"] <= len(calls) <= money
    assert statuses["unknown"] <= 2


def test_a_busy_worker_is_killed(shops, vendor):
    shop = shops(vendor)
    shop.enqueue(("vendor", "v", 10, 0.3, False), ("money", "m", 6, 0.3, False), ("vendor", "ghost", 5, 0, True))
    shop.start()
    for book in ("v", "m"):
        line = wait_for(lambda b=book: [x for x in shop.book("busy") if x.split()[1].startswith(b)], 20, "busy")[-1]
        os.kill(int(line.split()[0]), signal.SIGKILL)
    assert_nothing_lost_nothing_repeated(shop, vendor=10, money=6)
    assert shop.said().count("process group") == 1, "a killed busy worker needs no restart of the cluster"


def test_idle_workers_are_killed_and_the_wedge_is_noticed_within_a_minute(shops, vendor):
    # The default on PostgreSQL; a shorter patience on SQLite to save the suite's time.
    shop = shops(vendor, timeout=30 if vendor == "postgres" else 6)
    shop.start()
    idle = wait_for(lambda: len(shop.workers("idle")) == 2 and shop.workers("idle"), 20, "both workers are idle")
    first = shop.leader()
    time.sleep(0.5)
    killed_at = time.monotonic()
    for pid in idle:
        os.kill(pid, signal.SIGKILL)
    shop.enqueue(("vendor", "v", 5, 0, False))
    wait_for(lambda: shop.leader() != first and shop.workers(), 60, "the cluster is restarted")
    took = time.monotonic() - killed_at
    assert_nothing_lost_nothing_repeated(shop, vendor=5, money=0)
    assert "no sign of life" in shop.said()
    assert took <= 60
    assert not alive(first)
    print(f"wedge on {vendor}: noticed, killed and restarted after {took:.0f} s")


def test_everything_is_killed_and_started_again(shops, vendor):
    shop = shops(vendor)
    shop.enqueue(("vendor", "v", 10, 0.2, False), ("money", "m", 6, 0.2, False))
    shop.start()
    wait_for(lambda: len(shop.book("busy")) >= 4, 20, "work is under way")
    # Only the watchdog: everything below it must go by itself, or orphans would work on unsupervised.
    shop.stop(signal.SIGKILL)
    wait_for(lambda: not shop.orphans(), 5, "no orphans")
    assert not shop.settled()
    shop.start()
    assert_nothing_lost_nothing_repeated(shop, vendor=10, money=6)


def test_sigterm_finishes_what_runs_and_leaves_the_rest(shops, vendor):
    shop = shops(vendor)
    shop.enqueue(("vendor", "v", 16, 0.3, False), ("money", "m", 8, 0.3, False))
    shop.start()
    wait_for(lambda: len(shop.book("busy")) >= 4, 20, "work is under way")
    assert shop.stop(signal.SIGTERM) == 0
    assert shop.orphans() == []
    statuses = shop.statuses()
    assert statuses["sending"] == 0
    assert statuses["pending"] > 0
    shop.start()
    assert_nothing_lost_nothing_repeated(shop, vendor=16, money=8)
    # Not even an attempt was repeated.
    keys = [line.split()[1] for line in shop.book("busy")]
    assert len(keys) == len(set(keys)) == 24
    assert shop.statuses()["unknown"] == 0


def test_a_dead_sentinel_leaves_no_orphans_and_the_cluster_comes_back(shops, vendor):
    shop = shops(vendor)
    shop.start()
    leader = shop.leader()
    old = shop.orphans()
    sentinel = min(pid for pid in old if pid != leader and parent(pid) == leader)
    os.kill(sentinel, signal.SIGKILL)
    wait_for(lambda: shop.leader() != leader and shop.workers(), 30, "the cluster is restarted")
    assert not any(alive(pid) for pid in old)
    shop.enqueue(("vendor", "v", 3, 0, False))
    assert_nothing_lost_nothing_repeated(shop, vendor=3, money=0)


def parent(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


WRITER = """
import sys, time, django; django.setup()
from django.db import transaction
from oscar_fulfillment.core.outbox import OutboxMessage, enqueue
from oscar_fulfillment.models import OutboundMessage
for n in range(100):
    with transaction.atomic():
        OutboundMessage.objects.count()  # reads first, then writes: what deferred transactions choke on
        enqueue([OutboxMessage("nothing", sys.argv[1], str(n))])
"""


def test_several_writers_and_the_workers_meet_no_lock_error(shops, vendor):
    shop = shops(vendor)
    shop.start()
    command = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen([*command, str(n)], env=shop.environment, stderr=subprocess.PIPE) for n in range(3)]
    errors = [writer.communicate(timeout=60)[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], errors
    wait_for(shop.settled, 30, "everything is settled")
    assert shop.statuses() == {"sent": 300}
    assert "locked" not in shop.said() + "".join(errors)
