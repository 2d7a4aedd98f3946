"""Outbox rows per second with two real workers on PostgreSQL, and how long an idle shop's message takes.

    python -m tests.bench.outbox [rows]

Prints each figure beside its target (P13: at least 300 rows/s). Needs PostgreSQL (PGHOST, PGPORT, PGUSER, PGPASSWORD).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.workers.harness import TABLE, Shop, wait_for

TARGET = 300
LATENCY = """
import time, django; django.setup()
from oscar_fulfillment.core.outbox import OutboxMessage, enqueue
for n in range(20):
    enqueue([OutboxMessage("nothing", "latency", str(n))])
    time.sleep(0.73)
"""


def rate(rows: int, seconds: float) -> tuple[float, int]:
    """Rows per second from the first to the last note of a backlog, and how many workers shared it."""
    with tempfile.TemporaryDirectory() as directory:
        shop = Shop("postgres", Path(directory), timeout=30)
        try:
            to = "vendor" if seconds else "nothing"
            shop.enqueue((to, "r", rows, seconds, False))
            began = time.monotonic()
            shop.start()
            up = time.monotonic() - began
            wait_for(shop.settled, 300, "the backlog is sent")
            ((took, sent),) = shop.query(
                "SELECT extract(epoch FROM max(sent_at) - min(sent_at))::float, count(*) "
                f"FROM {TABLE} WHERE status = 'sent'"
            )
            workers = len({line.split()[0] for line in shop.book("busy")}) if seconds else 0
            assert sent == rows, f"{rows - sent} lost"
            print(
                f"  {rows} rows, handler {seconds * 1000:g} ms: {rows / took:.0f} rows/s (workers up after {up:.1f} s)"
            )
            return rows / took, workers
        finally:
            shop.close()


def latency() -> float:
    """Median milliseconds from the commit to the note in an idle shop."""
    with tempfile.TemporaryDirectory() as directory:
        shop = Shop("postgres", Path(directory), timeout=30)
        try:
            shop.start()
            subprocess.run([sys.executable, "-c", LATENCY], env=shop.environment, check=True, capture_output=True)
            wait_for(shop.settled, 30, "all are sent")
            rows = shop.query(f"SELECT extract(epoch FROM sent_at - created_at)::float * 1000 FROM {TABLE}")
            return statistics.median(value for (value,) in rows)
        finally:
            shop.close()


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 6000
    print("P13 outbox, PostgreSQL, 2 workers")
    noop, _ = rate(rows, 0)
    _, workers = rate(max(300, rows // 20), 0.005)
    print(f"  workers that shared the backlog: {workers}")
    print(f"  idle latency: {latency():.0f} ms median")
    print(f"P13 {noop:.0f} rows/s, target >= {TARGET}: {'reached' if noop >= TARGET else 'MISSED'}")
    return 0 if noop >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
