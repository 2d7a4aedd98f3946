"""Carriers: who brings the parcels, by alias, as ``OSCAR_FULFILLMENT["CARRIERS"]`` declares them."""

from __future__ import annotations

from typing import Any

from oscar_fulfillment.core.registry import Registry

carriers = Registry("CARRIERS")


def suggest(order: Any) -> str:
    """The alias of the first carrier that knows the order's shipping method, "" if none does.

    Oscar keeps both words on the order: ``shipping_code`` and ``shipping_method`` (the name the buyer saw).
    """
    for alias in carriers:
        if carriers.get(alias).matches(order.shipping_code or "", order.shipping_method or ""):
            return alias
    return ""
