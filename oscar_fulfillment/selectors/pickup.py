"""Goods that wait to be collected: found by what the customer shows or says, and where they are."""

from __future__ import annotations

import unicodedata
from typing import Any

from oscar_fulfillment.carriers import carriers, picks_up, suggest
from oscar_fulfillment.core.keyboard import readings
from oscar_fulfillment.models import Shipment
from oscar_fulfillment.models.shipment import PENDING


def read_pickup_code(typed: str) -> str:
    """The digits of a code as it was typed or scanned: without blanks and dashes, of any script and keyboard layout."""
    for text in readings(typed):
        digits = "".join(str(unicodedata.decimal(c, c)) for c in text if not c.isspace() and c not in "-–·.")
        if digits.isascii() and digits.isdecimal():
            return digits
    return typed.strip()


def find_by_pickup_code(typed: str) -> Shipment | None:
    """The goods that wait for this code."""
    code = read_pickup_code(typed)
    if not code.isdecimal() or len(code) > 12:
        return None
    rows = Shipment._default_manager.filter(pickup_code=code, status=PENDING)
    return rows.select_related("fulfillment__order", "fulfillment__payment_method").first()


def pickup_place(order: Any) -> str:
    """Where the customer comes for this order, in the words of its carrier's setup; "" where it says nothing."""
    return str(getattr(carriers.get(suggest(order)), "place", "")) if picks_up(order) else ""


def goods_at_the_counter(most: int = 50) -> list[Shipment]:
    """What is ready and waits for its customer, the longest first."""
    rows = Shipment._default_manager.filter(status=PENDING).exclude(pickup_code="")
    return list(rows.select_related("fulfillment").order_by("ready_at", "pk")[:most])
