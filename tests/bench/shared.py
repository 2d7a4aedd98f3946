"""What both workers do the same way."""

from __future__ import annotations

import itertools
import random
import time
from decimal import Decimal
from typing import Any

from django.db import connection
from oscar.core.loading import get_class, get_model

from .worker import Statements, memory

_serial = itertools.count(random.getrandbits(40))


def basket(lines: int = 2) -> Any:
    """A basket with some of the generated products, as a visitor leaves it before the last click."""
    Basket, Product = get_model("basket", "Basket"), get_model("catalogue", "Product")
    made = Basket.objects.create()
    made.strategy = get_class("partner.strategy", "Selector")().strategy()
    for item in Product.objects.order_by("pk")[:lines]:
        made.add_product(item, 1)
    return made


def order_arguments(made: Any) -> dict[str, Any]:
    charge = get_class("shipping.methods", "Free")()
    shipping_charge = charge.calculate(made)
    total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(made, shipping_charge)
    address = get_model("order", "ShippingAddress").objects.create(
        first_name="Ana", last_name="Souza", line1="Rua A, 1", line4="São Paulo", postcode="01310-100", country_id="BR"
    )
    return {
        "basket": made, "total": total, "shipping_method": charge, "shipping_charge": shipping_charge,
        "shipping_address": address, "order_number": f"B{next(_serial)}", "guest_email": "ana@example.com",
    }  # fmt: skip


def place(times: int, **extra: Any) -> dict[str, Any]:
    """Only ``place_order`` is timed: that is what we add to."""
    creator = get_class("order.utils", "OrderCreator")()
    seconds, statements = [], 0
    for _time in range(times):
        arguments = order_arguments(basket()) | extra
        with Statements() as counted:
            began = time.perf_counter()
            creator.place_order(**arguments)
            seconds.append(time.perf_counter() - began)
        inside = [sql for sql in counted.sql if "queuesignal" not in sql and "django_q" not in sql]
        statements = len([sql for sql in inside if not sql.startswith(("SAVEPOINT", "RELEASE"))])
        wake = len(counted.sql) - len(inside)
    return {"seconds": sorted(seconds)[len(seconds) // 2], "statements": statements, "wake": wake}


def rss() -> dict[str, Any]:
    return {"kb": memory()}


def client() -> Any:
    from django.contrib.auth import get_user_model
    from django.test import Client

    found = Client(raise_request_exception=True)
    found.force_login(get_user_model().objects.get(first_name="Bench"))
    return found


_client: list[Any] = []


def page(path: str, times: int = 5) -> dict[str, Any]:
    """A page by the test client: median seconds, statements, status."""
    if not _client:
        _client.append(client())
    seconds = []
    for _time in range(times):
        with Statements() as counted:
            began = time.perf_counter()
            answer = _client[0].get(path)
            body = answer.getvalue() if answer.streaming else answer.content
            seconds.append(time.perf_counter() - began)
    return {
        "seconds": sorted(seconds)[len(seconds) // 2], "statements": len(counted.sql), "status": answer.status_code,
        "bytes": len(body), "location": answer.headers.get("Location", ""),
    }  # fmt: skip


def pool(count: int) -> list[int]:
    """The ids of the orders that the transition rows may move."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM bench_plan WHERE k = -1 ORDER BY id LIMIT %s", [count])
        return [pk for (pk,) in cursor.fetchall()]


__all__ = ["Decimal", "page", "place", "pool", "rss"]
