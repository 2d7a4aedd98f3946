"""What a packing slip shows, for many orders in a constant number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch

from oscar_fulfillment.models import OrderFulfillment, Shipment, ShipmentLine
from oscar_fulfillment.models.shipment import PENDING


def read_slips(order_ids: Sequence[int]) -> list[dict[str, Any]]:
    """One dict per order, in the order of ``order_ids``: what is to be packed and where it goes.

    Lists what waits in released shipments; everything that was ordered where nothing waits.
    """
    waiting = Shipment._default_manager.filter(status=PENDING).prefetch_related(
        Prefetch("lines", ShipmentLine._default_manager.select_related("line"))
    )
    rows = (
        OrderFulfillment._default_manager.filter(pk__in=order_ids)
        .select_related("order__shipping_address__country", "payment_method")
        .prefetch_related("order__lines", Prefetch("shipments", waiting, to_attr="waiting"))
    )
    by_pk = {row.pk: _slip(row) for row in rows}
    return [by_pk[pk] for pk in order_ids if pk in by_pk]


def _slip(row: Any) -> dict[str, Any]:
    lines = [
        {"title": part.line.title, "sku": part.line.partner_sku, "quantity": part.quantity}
        for shipment in row.waiting
        for part in shipment.lines.all()
    ] or [
        {"title": line.title, "sku": line.partner_sku, "quantity": line.quantity} for line in row.order.lines.all()
    ]  # fmt: skip
    address = row.order.shipping_address
    return {
        "number": row.number,
        "language": row.language or None,
        "placed_at": row.placed_at,
        "customer": row.customer_name,
        "address": [line for line in address.active_address_fields() if line] if address else [],
        "phone": str(address.phone_number) if address and address.phone_number else "",
        "notes": address.notes if address else "",
        "shipping_method": row.order.shipping_method,
        "lines": lines,
        "units": sum(line["quantity"] for line in lines),
    }
