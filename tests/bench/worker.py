"""A process of ours or of stock Oscar that does what the bench asks, one JSON line at a time.

``python -m tests.bench.worker ours|stock`` reads ``{"op": name, ...}`` and answers ``{"seconds": ..., ...}``. A process
for each, so that the two may have different apps, and so that their memory can be compared.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import resource
import subprocess
import sys
import traceback
from typing import Any


class Worker:
    """The bench's end of such a process."""

    def __init__(self, kind: str, database: str):
        settings = "tests.bench.stock_settings" if kind == "stock" else "tests.settings"
        env = {**os.environ, "DB": "postgres", "PGDATABASE": database, "DJANGO_SETTINGS_MODULE": settings}
        self.kind = kind
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker", kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True,
        )  # fmt: skip

    def __call__(self, op: str, **options: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"op": op, **options}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the worker died"}')
        if "error" in answer:
            raise RuntimeError(f"{self.kind} {op}: {answer['error']}")
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


class Statements:
    """Counts what goes to the database inside ``with``, BEGIN and COMMIT not among them."""

    def __init__(self) -> None:
        self.sql: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.sql.append(sql)
        return execute(sql, params, many, context)

    def __enter__(self) -> Statements:
        from django.db import connection

        self.wrapper = connection.execute_wrapper(self)
        self.wrapper.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self.wrapper.__exit__(*args)


def memory() -> int:
    """Resident memory of this process now, in KB."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


def seed() -> None:
    """What the generated orders refer to, through the models."""
    from django.contrib.sites.models import Site
    from oscar.core.loading import get_model

    from oscar_fulfillment.test import factories

    from .generate import PRODUCTS

    Site.objects.get_or_create(pk=1, defaults={"domain": "bench.example.com", "name": "bench"})
    get_model("address", "Country").objects.get_or_create(
        iso_3166_1_a2="BR", defaults={"printable_name": "Brazil", "name": "BRAZIL", "is_shipping_country": True}
    )
    factories.manual_method()
    for number in range(PRODUCTS):
        factories.product(f"Product {number}", stock=1_000_000)
    factories.staff_user(first_name="Bench", is_superuser=True)


def serve(kind: str) -> None:
    ops = importlib.import_module(f"tests.bench.{kind}")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the apps print must not get among the answers
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(ops, request.pop("op"))(**request) or {}
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    import django

    django.setup()
    logging.disable(logging.WARNING)
    if sys.argv[1] == "seed":
        seed()
    else:
        with contextlib.suppress(KeyboardInterrupt):
            serve(sys.argv[1])
