"""Supervision of a qcluster from outside: it must be noticed when workers live but nothing moves.

django-q2's workers read one multiprocessing queue under one lock. An idle worker that is killed dies holding it, all
others then wait for ever, and even SIGTERM no longer ends the cluster. So the watchdog asks for a heartbeat through the
whole way (database, pusher, worker), and counts any task a worker begins or ends as life. Workers that are all busy
within the time a task may take are not wedged.

Signs of life are the modification times of one file per worker in a directory of the watchdog's: no database write per
task, and still visible when the database is what hangs.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import queue

logger = logging.getLogger("oscar_fulfillment.watchdog")

DIRECTORY = "OSCAR_FULFILLMENT_WATCHDOG_DIR"
PARENT = "OSCAR_FULFILLMENT_WATCHDOG_PID"
PR_SET_PDEATHSIG = 1
# Seconds beyond its time-out that a task may take to die.
MARGIN = 10.0


# -- in the cluster's processes ---------------------------------------------------------------------------------------


def attach() -> None:
    """Called when the app starts: in processes of a watched cluster, report life and die with the parent."""
    directory = os.environ.get(DIRECTORY)
    if not directory:
        return
    if os.getppid() == int(os.environ.get(PARENT) or 0):
        # The cluster's first process. Its descendants are forked and do the same, each for its own parent.
        _die_with_parent()
        if os.getppid() != int(os.environ[PARENT]):
            os._exit(1)  # the watchdog died before we could ask to be told
        os.register_at_fork(after_in_child=_die_with_parent)
        queue.connect_signs_of_life(lambda seconds: _report(Path(directory), seconds))


def _die_with_parent() -> None:
    """A killed sentinel leaves its workers running, unsupervised (Linux only; elsewhere the group is killed)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _report(directory: Path, seconds: float | None) -> None:
    """Busy for at most so many seconds, or idle (None). A full disk must not stop the worker."""
    with contextlib.suppress(OSError):
        until = "idle" if seconds is None else f"{time.time() + seconds + MARGIN:.3f}"
        (directory / str(os.getpid())).write_text(until)


# -- in the watchdog --------------------------------------------------------------------------------------------------


@dataclass
class Life:
    """What the signs in the directory say."""

    directory: Path

    def last(self) -> float:
        """Unix time of the newest sign, 0.0 without any."""
        return max((self._mtime(path) for path in self.directory.iterdir()), default=0.0)

    def busy(self) -> int:
        """How many living workers are within the time their task may take."""
        count = 0
        for path in self.directory.iterdir():
            with contextlib.suppress(OSError, ValueError):
                until = path.read_text()
                if until not in ("", "idle") and float(until) >= time.time():
                    os.kill(int(path.name), 0)
                    count += 1
        return count

    def clear(self) -> None:
        for path in self.directory.iterdir():
            with contextlib.suppress(OSError):
                path.unlink()

    @staticmethod
    def _mtime(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0


@dataclass
class Watchdog:
    """Runs ``command`` in a process group of its own and restarts it when it dies or is wedged.

    ``timeout``: seconds of silence; ``interval``: seconds between heartbeats; ``stop_grace``: seconds a cluster may
    take to finish its tasks when asked to stop; ``kill_grace``: the same for a wedged one, which does nothing anyway.
    """

    command: Sequence[str]
    timeout: float = 30.0
    interval: float = 10.0
    stop_grace: float = 75.0
    kill_grace: float = 3.0
    ping: Callable[[], None] = queue.ping
    workers: Callable[[], int] = queue.workers
    say: Callable[[str], None] = logger.warning
    starts: int = 0
    _stopping: int = field(default=0, init=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; returns the exit code: 0 if the cluster ended in time, else 1."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        with tempfile.TemporaryDirectory(prefix="fulfillment-watchdog-") as directory:
            life = Life(Path(directory))
            short_lives = 0
            while not self._stopping:
                life.clear()
                began = time.time()
                self._start(directory)
                try:
                    reason = self._watch(life)
                finally:
                    in_time = self._end(self.stop_grace if self._stopping else self.kill_grace)
                if self._stopping:
                    return 0 if in_time else 1
                self.say(f"The cluster is restarted: {reason}.")
                short_lives = short_lives + 1 if time.time() - began < self.timeout / 2 else 0
                self._sleep(2.0 ** min(short_lives, 5) - 1)
        return 0

    def _on_signal(self, number: int, frame: Any) -> None:
        self._stopping += 1
        if self._stopping > 1:
            self._kill_group()

    def _start(self, directory: str) -> None:
        environment = {**os.environ, DIRECTORY: directory, PARENT: str(os.getpid())}
        self._child = subprocess.Popen(self.command, env=environment, start_new_session=True)  # noqa: S603
        self.starts += 1
        self.say(f"The cluster runs as process group {self._child.pid}.")

    def _watch(self, life: Life) -> str:
        """Return why the cluster must be restarted (or anything when stopping)."""
        assert self._child is not None
        alive_at = time.time()
        asked_at = 0.0
        while not self._stopping:
            if self._child.poll() is not None:
                return f"it ended with code {self._child.returncode}"
            now = time.time()
            if now - asked_at >= self.interval:
                asked_at = now
                try:
                    self.ping()
                except Exception as error:
                    # Without the database the workers cannot work either: restarting them would not help.
                    self.say(f"No heartbeat can be asked for: {type(error).__name__}: {error}")
                    alive_at = now
            alive_at = max(alive_at, life.last())
            if now - alive_at >= self.timeout and life.busy() < self.workers():
                return f"no sign of life for {now - alive_at:.0f} s"
            self._sleep(0.5)
        return "stopping"

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(min(0.1, max(0.0, until - time.monotonic())))

    def _end(self, grace: float) -> bool:
        """End the cluster and everything it started; whether it went by itself within ``grace`` seconds."""
        child = self._child
        assert child is not None
        in_time = True
        if child.poll() is None:
            # To the first process only: it finishes the running tasks. A signal to the group would tear them.
            child.terminate()
            until = time.monotonic() + grace
            while child.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
            in_time = child.poll() is not None
        # Always: the leader may be gone and its children not.
        self._kill_group()
        child.wait()
        return in_time

    def _kill_group(self) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
