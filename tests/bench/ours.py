"""Our side of the bench."""

from __future__ import annotations

import time
from typing import Any

from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderFulfillment, PaymentMethod
from oscar_fulfillment.services import door, payments

from . import shared
from .shared import page, pool, rss
from .worker import Statements


def _user() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(first_name="Bench")


def reset() -> dict[str, Any]:
    """The pool awaits its payment again (versions and history stay: the chain goes on)."""
    ids = pool(10_000)
    OrderFulfillment.objects.filter(pk__in=ids).update(payment_status="awaiting_payment", shipping_status="received")
    get_model("order", "Order").objects.filter(pk__in=ids).update(status="Received")
    return {}


def transition(start: int, count: int) -> dict[str, Any]:
    """``approve_payment``: guards, vetoes, Oscar's payment event, history, the customer's mail, signals."""
    actor = Actor.from_user(_user())
    orders = list(get_model("order", "Order").objects.filter(pk__in=pool(start + count)[start:]))
    with Statements() as counted:
        began = time.perf_counter()
        for order in orders:
            payments.approve_payment(order=order, actor=actor)
        seconds = time.perf_counter() - began
    inside = [sql for sql in counted.sql if "queuesignal" not in sql and "django_q" not in sql]
    return {"seconds": seconds / count, "statements": len(inside) / count, "wake": len(counted.sql) - len(inside)}


def bulk(count: int) -> dict[str, Any]:
    """``approve_payment`` for so many orders in one call."""
    ids, actor = pool(count), Actor.from_user(_user())
    with Statements() as counted:
        began = time.perf_counter()
        steps = door.move_many(ids, payments.APPROVE, actor=actor, effect=payments.approve_effect, key="")
        seconds = time.perf_counter() - began
    assert len(steps) == count
    assert not any(step.reasons for step in steps)
    inside = [sql for sql in counted.sql if "queuesignal" not in sql and "django_q" not in sql]
    return {"seconds": seconds / count, "statements": len(inside)}


def place(times: int) -> dict[str, Any]:
    return shared.place(times, fulfillment={"payment_method": PaymentMethod.objects.first(), "language": "en"})


__all__ = ["bulk", "page", "place", "reset", "rss", "transition"]
