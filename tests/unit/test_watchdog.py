"""The watchdog with small children in the place of a cluster (the real one: integration/test_worker_kills.py)."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from oscar_fulfillment.core import watchdog as module
from oscar_fulfillment.core.watchdog import DIRECTORY, PARENT, Watchdog


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def said():
    return []


def watch(said, code, *, stop_when, timeout=1.0, ping=lambda: None, workers=lambda: 1, **options):
    """Run a watchdog over ``python -c code`` until ``stop_when(watchdog)``, then SIGTERM; (exit code, watchdog)."""
    dog = Watchdog(
        command=[sys.executable, "-c", code],
        timeout=timeout,
        interval=0.2,
        ping=ping,
        workers=workers,
        say=said.append,
        **{"stop_grace": 5.0, "kill_grace": 0.3, **options},
    )
    done = threading.Event()

    def stop():
        until = time.monotonic() + 15
        while not done.is_set() and time.monotonic() < until and not stop_when(dog):
            time.sleep(0.05)
        if not done.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        return dog.run(), dog
    finally:
        done.set()
        thread.join()


def after(seconds):
    until = time.monotonic() + seconds
    return lambda dog: time.monotonic() > until


BUSY = f"""
import os, time, pathlib
sign = pathlib.Path(os.environ[{DIRECTORY!r}]) / str(os.getpid())
"""


def test_a_silent_child_is_restarted(said):
    code, dog = watch(said, "import time; time.sleep(60)", stop_when=lambda dog: dog.starts >= 2)
    assert code == 0
    assert any("no sign of life" in text for text in said)


def test_a_child_that_ends_is_restarted(said):
    code, dog = watch(said, "raise SystemExit(3)", stop_when=lambda dog: dog.starts >= 2)
    assert any("ended with code 3" in text for text in said)


def test_signs_of_life_keep_it(said):
    live = BUSY + "while True: sign.write_text('idle'); time.sleep(.1)"
    code, dog = watch(said, live, stop_when=after(2.5))
    assert (code, dog.starts) == (0, 1)


def test_workers_that_are_all_within_their_time_are_not_wedged(said):
    busy = BUSY + "sign.write_text(str(time.time() + 30)); time.sleep(60)"
    code, dog = watch(said, busy, stop_when=after(2.5))
    assert (code, dog.starts) == (0, 1)


def test_an_idle_worker_beside_a_busy_one_that_does_not_answer_is_a_wedge(said):
    busy = BUSY + "sign.write_text(str(time.time() + 30)); time.sleep(60)"
    code, dog = watch(said, busy, workers=lambda: 2, stop_when=lambda dog: dog.starts >= 2)
    assert dog.starts >= 2


def test_without_a_database_nothing_is_restarted(said):
    def ping():
        raise ConnectionError("the database is away")

    code, dog = watch(said, "import time; time.sleep(60)", ping=ping, stop_when=after(2.5))
    assert (code, dog.starts) == (0, 1)
    assert any("database is away" in text for text in said)


def is_gone(pid):
    """Whether a process that was killed has ended; on a busy machine it takes its time to get there."""
    stat = Path(f"/proc/{pid}/stat")
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if ") Z " in stat.read_text():
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_child_that_does_not_stop_is_killed_with_its_children(said, tmp_path):
    pids = tmp_path / "pids"
    stubborn = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\n"
        "time.sleep(60)"
    )
    ready = lambda dog: pids.exists() and len(pids.read_text().split()) == 2  # noqa: E731
    code, dog = watch(said, stubborn, stop_when=ready, timeout=30, stop_grace=0.5)
    assert code == 1
    for pid in pids.read_text().split():
        assert is_gone(pid), "the grandchild lives on"


def test_only_the_clusters_first_process_attaches(monkeypatch, tmp_path):
    connected = []
    monkeypatch.setattr(module.queue, "connect_signs_of_life", connected.append)
    monkeypatch.setattr(module, "_die_with_parent", lambda: None)
    monkeypatch.setattr(module.os, "register_at_fork", lambda **hooks: None)
    monkeypatch.delenv(DIRECTORY, raising=False)
    module.attach()
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    monkeypatch.setenv(PARENT, "1234567")
    module.attach()
    assert connected == []
    monkeypatch.setenv(PARENT, str(os.getppid()))
    module.attach()
    connected[0](5.0)
    sign = tmp_path / str(os.getpid())
    assert 10 < float(sign.read_text()) - time.time() < 16
    connected[0](None)
    assert sign.read_text() == "idle"
