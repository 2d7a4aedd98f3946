"""Carriers: who brings the parcels, by alias, as ``OSCAR_FULFILLMENT["CARRIERS"]`` and the dashboard declare them."""

from __future__ import annotations

from typing import Any

from .base import Capability
from .registry import CarrierRegistry

carriers = CarrierRegistry("CARRIERS")


def suggest(order: Any) -> str:
    """The alias of the first carrier that knows the order's shipping method, "" if none does.

    Oscar keeps both words on the order: ``shipping_code`` and ``shipping_method`` (the name the buyer saw).
    """
    for alias in carriers:
        if carriers.get(alias).matches(order.shipping_code or "", order.shipping_method or ""):
            return alias
    return ""


def picks_up(order: Any) -> bool:
    """Whether the customer comes for the goods, by the order's shipping method."""
    alias = suggest(order)
    return bool(alias) and Capability.PICKUP in carriers.get(alias).capabilities


def offered() -> list[tuple[str, Any]]:
    """Alias and name of each carrier that a parcel may be sent by: all but the shop's own counters."""
    known = ((alias, carriers.get(alias)) for alias in carriers)
    return [(alias, adapter.name) for alias, adapter in known if Capability.PICKUP not in adapter.capabilities]
