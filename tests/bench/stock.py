"""Stock Oscar's side of the bench."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from oscar.core.loading import get_class, get_model

from .shared import _client, client, page, place, pool, rss
from .worker import Statements


def reset() -> dict[str, Any]:
    get_model("order", "Order").objects.filter(pk__in=pool(10_000)).update(status="Received")
    return {}


def transition(start: int, count: int) -> dict[str, Any]:
    """Lock, read, ask the EventHandler: what a careful shop does without us."""
    Order, handler = get_model("order", "Order"), get_class("order.processing", "EventHandler")()
    ids = pool(start + count)[start:]
    with Statements() as counted:
        began = time.perf_counter()
        for pk in ids:
            with transaction.atomic():
                order = Order.objects.select_for_update().get(pk=pk)
                handler.handle_order_status_change(order, "In process")
        seconds = time.perf_counter() - began
    return {"seconds": seconds / count, "statements": len(counted.sql) / count}


def bulk(count: int) -> dict[str, Any]:
    """The dashboard's bulk action, as its POST does it."""
    if not _client:
        _client.append(client())
    data = {"action": "change_order_statuses", "new_status": "In process", "selected_order": pool(count)}
    with Statements() as counted:
        began = time.perf_counter()
        answer = _client[0].post("/dashboard/orders/", data)
        seconds = time.perf_counter() - began
    assert answer.status_code == 302, answer.status_code
    moved = get_model("order", "Order").objects.filter(pk__in=pool(count), status="In process").count()
    assert moved == count, (moved, count)
    return {"seconds": seconds / count, "statements": len(counted.sql)}


def export() -> dict[str, Any]:
    """Stock's CSV of the whole list."""
    if not _client:
        _client.append(client())
    began = time.perf_counter()
    answer = _client[0].get("/dashboard/orders/?response_format=csv")
    body = answer.getvalue() if answer.streaming else answer.content
    return {"rows": body.count(b"\n"), "seconds": time.perf_counter() - began}


__all__ = [
    "bulk",
    "export",
    "page",
    "place",
    "reset",
    "rss",
    "transition",
]
