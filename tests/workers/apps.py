"""Destinations that write down every call, and a vendor that honours the idempotency key, as vendors do."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django.apps import AppConfig


def append(name: str, line: str) -> None:
    """One atomic line at the end of a book; a killed process leaves a whole line or none."""
    path = Path(os.environ["WORKERS_BOOKS"]) / name
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, (line + "\n").encode())
    finally:
        os.close(descriptor)


def lines(name: str) -> list[str]:
    path = Path(os.environ["WORKERS_BOOKS"]) / name
    return path.read_text().splitlines() if path.exists() else []


def vendor(message) -> None:
    """At least once: works ``seconds``, then does it, unless this key was done before (files are its index)."""
    append("busy", f"{os.getpid()} {message.key}")
    time.sleep(message.payload.get("seconds", 0))
    done = Path(os.environ["WORKERS_BOOKS"]) / "done"
    done.mkdir(exist_ok=True)
    try:
        os.close(os.open(done / message.key, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        append("deduplicated", message.key)
        return
    append("effects", message.key)


def money(message) -> None:
    """At most once: a vendor without idempotency keys. Every call is an effect."""
    append("busy", f"{os.getpid()} {message.key}")
    append("calls", message.key)
    time.sleep(message.payload.get("seconds", 0))


class WorkersConfig(AppConfig):
    name = "tests.workers"

    def ready(self) -> None:
        from oscar_fulfillment.core import outbox
        from oscar_fulfillment.services import carrier_orders, emissions, operation_runs

        # A worker that died while it asked a provider is waited for so long: shorter than a lease, as ever.
        operation_runs.CLAIM = carrier_orders.CLAIM = emissions.CLAIM = 4
        outbox.register_destination("vendor", vendor)
        outbox.register_destination("money", money, at_most_once=True)
        outbox.register_destination("nothing", lambda message: None)
