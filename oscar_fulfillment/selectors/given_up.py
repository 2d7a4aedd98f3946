"""What of an order will not be sent at all, in money: the order's total stays what was agreed, less of it is needed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from oscar_fulfillment.models import OrderFulfillment, ShipmentLine

ZERO = Decimal(0)
_CENT = Decimal("0.01")


def may_have(fulfillment: OrderFulfillment) -> bool:
    """Whether anything of the order can have been given up: what was never released has no shipment. No query."""
    return fulfillment.shipping_status != "received" or fulfillment.has_backorder


def price_of(line: Any, quantity: int) -> Decimal:
    """So many units of an order line, with tax, at the price that was agreed."""
    return (line.line_price_incl_tax * quantity / line.quantity).quantize(_CENT) if line.quantity else ZERO


def values(order_ids: Iterable[int]) -> dict[int, Decimal]:
    """The price of the goods that were given up, by order; orders without any are left out. One query.

    What was to be sent again for goods that came back is not counted: nobody paid for it twice.
    """
    rows = ShipmentLine._default_manager.filter(
        shipment__is_dropped=True, shipment__replaces=None, shipment__fulfillment__in=list(order_ids)
    ).select_related("line", "shipment")
    found: dict[int, Decimal] = {}
    for row in rows:
        order_id = row.shipment.fulfillment_id
        found[order_id] = found.get(order_id, ZERO) + price_of(row.line, row.quantity)
    return found


def value(fulfillment: OrderFulfillment) -> Decimal:
    """The same of one order; without a query where there can be none."""
    return values([fulfillment.pk]).get(fulfillment.pk, ZERO) if may_have(fulfillment) else ZERO


def needed(fulfillment: OrderFulfillment) -> Decimal:
    """What is to be paid for what is sent: the order's total without the goods that were given up."""
    return max(fulfillment.order.total_incl_tax - value(fulfillment), ZERO)
