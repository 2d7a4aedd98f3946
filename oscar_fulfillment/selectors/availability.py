"""What is left to be released, and what the stock has for it: one answer behind the release and the missing goods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from oscar_fulfillment.models import ShipmentLine
from oscar_fulfillment.models.shipment import CANCELLED


def released_lines(orders: Any) -> QuerySet[ShipmentLine]:
    """What was released of these orders (anything ``__in`` takes) or will never be sent: nobody asks for it again.

    Goods that replace others are sent beside what was ordered.
    """
    rows = ShipmentLine._default_manager.filter(shipment__fulfillment__in=orders, shipment__replaces=None)
    return rows.exclude(shipment__status=CANCELLED, shipment__is_dropped=False)


@dataclass(frozen=True)
class Goods:
    """Units for one line. ``reserved``: allocated to it. ``free``: in stock beyond every order's allocations.
    ``missing``: asked, but not in the house."""

    reserved: int
    free: int
    missing: int


def find_goods(
    *, asked: int, allocated: int | None, in_stock: int | None, all_allocated: int | None, taken: int
) -> Goods:
    """What there is of ``asked`` units. ``allocated`` is the line's, ``in_stock`` and ``all_allocated`` are the stock
    record's, ``taken`` units of it were promised before this line.
    """
    in_stock = in_stock or 0
    reserved = max(min(asked, allocated or 0), 0)
    free = max(in_stock - (all_allocated or 0), 0)
    available = min(max(in_stock - taken, 0), reserved + free)
    return Goods(reserved, free, max(asked - available, 0))
