"""Start, watch and kill real workers on a database of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANAGE = [sys.executable, str(ROOT / "tests" / "workers" / "manage.py")]
TABLE = "oscar_fulfillment_outboundmessage"
ENQUEUE = """
import django; django.setup()
from django.db import transaction
from oscar_fulfillment.core.outbox import OutboxMessage, enqueue
for to, prefix, count, seconds, rollback in {batches!r}:
    with transaction.atomic():
        enqueue([OutboxMessage(to, "k", f"{{prefix}}{{n}}", {{"seconds": seconds}}) for n in range(count)])
        transaction.set_rollback(rollback)
"""
_templates: dict[str, str] = {}


def wait_for(condition, seconds: float, what: str):
    """The first true value of ``condition()``; an assertion error after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def postgres(sql: str, database: str = "postgres"):
    import psycopg

    with psycopg.connect(
        host=os.environ.get("PGHOST", "127.0.0.1"),
        port=os.environ.get("PGPORT", "5432"),
        user=os.environ.get("PGUSER", "postgres"),
        password=os.environ.get("PGPASSWORD", ""),
        dbname=database,
        autocommit=True,
    ) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


class Shop:
    """A database, the vendor's books, and at most one watchdog with its cluster."""

    def __init__(self, vendor: str, directory: Path, timeout: float = 9, **environment: str):
        self.vendor, self.books = vendor, directory / "books"
        self.life = directory / "life"
        self.log = directory / "log.txt"
        self.books.mkdir()
        self.life.mkdir()
        template = _templates.get(vendor)
        if vendor == "postgres":
            self.name = f"test_kills_{uuid.uuid4().hex[:12]}"
            postgres(f"CREATE DATABASE {self.name}" + (f" TEMPLATE {template}" if template else ""))
        else:
            self.name = str(directory / "shop.sqlite3")
            if template:
                shutil.copy(template, self.name)
        self.environment = {
            **os.environ,
            **environment,
            "WORKERS_DB": self.name,
            "WORKERS_BOOKS": str(self.books),
            "WORKERS_TIMEOUT": str(timeout),
            "TMPDIR": str(self.life),
            "DJANGO_SETTINGS_MODULE": "tests.workers.settings",
            "PYTHONPATH": str(ROOT),
        }
        self.process: subprocess.Popen | None = None
        self.groups: set[int] = set()
        if not template:
            self.manage("migrate", "--run-syncdb", "-v0")
            self.manage("fulfillment_setup")

    # -- the project --

    def manage(self, *arguments: str) -> None:
        subprocess.run([*MANAGE, *arguments], env=self.environment, check=True, capture_output=True, timeout=60)

    def enqueue(self, *batches: tuple[str, str, int, float, bool]) -> None:
        """Each batch in a transaction: destination, prefix of the keys, count, seconds a call takes, rolled back?"""
        code = ENQUEUE.format(batches=batches)
        subprocess.run([sys.executable, "-c", code], env=self.environment, check=True, timeout=60)

    def query(self, sql: str):
        if self.vendor == "postgres":
            return postgres(sql, self.name)
        with contextlib.closing(sqlite3.connect(self.name, timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def statuses(self) -> Counter[str]:
        return Counter(dict(self.query(f"SELECT status, count(*) FROM {TABLE} GROUP BY status")))

    def settled(self) -> bool:
        return not set(self.statuses()) & {"pending", "sending"}

    def book(self, name: str) -> list[str]:
        path = self.books / name
        return path.read_text().splitlines() if path.exists() else []

    # -- the processes --

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*MANAGE, "fulfillment_watchdog"], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(lambda: len(self.workers()) >= 2, 90, "workers are up")

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def leader(self) -> int:
        """The cluster's first process, whose id is the group's."""
        numbers = [line.split()[-1].rstrip(".") for line in self.said().splitlines() if "process group" in line]
        self.groups |= {int(number) for number in numbers}
        return int(numbers[-1])

    def workers(self, state: str = "") -> list[int]:
        """The living workers of the running cluster, by their signs of life."""
        found = []
        for path in self.life.glob("fulfillment-watchdog-*/*"):
            with contextlib.suppress(OSError):
                text = path.read_text()
                if (not state or (text == "idle") == (state == "idle")) and alive(int(path.name)):
                    found.append(int(path.name))
        return found

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        self.leader()
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def orphans(self) -> list[int]:
        """Processes of any cluster this shop ever started that still live."""
        with contextlib.suppress(IndexError):
            self.leader()
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                if int(fields[2]) in self.groups and fields[0] != "Z":
                    found.append(int(path.parent.name))
        return found

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.orphans():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.vendor == "postgres":
            postgres(f"DROP DATABASE {self.name} WITH (FORCE)")


def make_template(vendor: str, directory: Path) -> Shop:
    """A shop whose fresh database all later ones of this vendor are copied from."""
    shop = Shop(vendor, directory)
    _templates[vendor] = shop.name
    return shop


def drop_template(shop: Shop) -> None:
    del _templates[shop.vendor]
    shop.close()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
