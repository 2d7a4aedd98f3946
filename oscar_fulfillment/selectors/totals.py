"""Totals over all orders that do not read all orders: what there was is counted once a day, what came since is added.

Counting a million orders, their lines and their customers takes seconds; the dashboard's front page shows them at every
visit and reloads by itself. The count of the day is kept in Django's cache (``default``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Exists, Max, OuterRef, Sum
from oscar.core.loading import get_model

#: Seconds after which everything is counted anew: deleted and edited orders show then.
COUNTED_FOR = 24 * 60 * 60
#: The newest orders are not in the count that is kept: others with smaller ids may not be committed yet.
UNSETTLED = 200
_KEY = "oscar_fulfillment.totals.1"


@dataclass(frozen=True)
class Totals:
    """Of all orders: how many, their lines, the accounts that have any, and the sum with tax (in whatever currency)."""

    orders: int
    lines: int
    customers: int
    revenue: Decimal

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.orders + other.orders,
            self.lines + other.lines,
            self.customers + other.customers,
            self.revenue + other.revenue,
        )


def all_time() -> Totals:
    """The totals of now. Three statements over the orders since the count of the day; three over all when it is due."""
    kept: tuple[Any, Totals] | None = cache.get(_KEY)
    if kept is None:
        newest = get_model("order", "Order")._default_manager.aggregate(newest=Max("pk"))["newest"]
        until = (newest or 0) - UNSETTLED
        kept = (until, _count(until, settled=True))
        cache.set(_KEY, kept, COUNTED_FOR)
    until, before = kept
    return before + _count(until, settled=False)


def _count(until: int, *, settled: bool) -> Totals:
    """Of the orders up to this id, or of those behind it."""
    Order, Line = get_model("order", "Order"), get_model("order", "Line")
    side = "lte" if settled else "gt"
    orders = Order._default_manager.filter(**{f"pk__{side}": until})
    sums = orders.aggregate(orders=Count("pk"), revenue=Sum("total_incl_tax"))
    buyers = orders.filter(user__isnull=False)
    if not settled:  # who bought before is counted already
        earlier = Order._default_manager.filter(user=OuterRef("user"), pk__lte=until)
        buyers = buyers.filter(~Exists(earlier))
    return Totals(
        orders=sums["orders"],
        lines=Line._default_manager.filter(**{f"order__{side}": until}).count(),
        customers=buyers.order_by().values("user").distinct().count(),
        revenue=sums["revenue"] or Decimal("0.00"),
    )
