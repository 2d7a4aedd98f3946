"""An order as JSON for systems beside the shop: what the API answers and what signed webhooks of connectors carry.

One document for both, with the names of webhooks' bodies (``services.webhook_bodies``), and the buyer in it: an ERP
writes the invoice. Sums are text, times ISO 8601 in UTC, what is not known is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .records import Contact, OrderLine, OrderRecord


def order_document(order: OrderRecord) -> dict[str, Any]:
    """The order, ready for JSON."""
    return {
        "id": order.id,
        "number": order.number,
        "version": order.version,
        "placed_at": _moment(order.placed_at),
        "flow": order.flow,
        "payment_status": order.payment_status,
        "shipping_status": order.shipping_status,
        "is_on_hold": order.is_on_hold,
        "has_backorder": order.has_backorder,
        "payment_method": order.payment_code or None,
        "payment_method_name": order.payment_name or None,
        "shipping_method": order.shipping_code or None,
        "shipping_method_name": order.shipping_name or None,
        "currency": order.currency,
        "total_incl_tax": str(order.total_incl_tax),
        "total_excl_tax": str(order.total_excl_tax),
        "shipping_incl_tax": str(order.shipping_incl_tax),
        "shipping_excl_tax": str(order.shipping_excl_tax),
        "extra_incl_tax": str(order.extra_incl_tax),
        "extra_excl_tax": str(order.extra_excl_tax),
        "received": str(order.received),
        "lines": [_line(line) for line in order.lines],
        "shipments": [dict(shipment) for shipment in order.shipments],
        "invoices": [dict(invoice) for invoice in order.invoices],
        "customer": _customer(order),
        "link": order.link or None,
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(line: OrderLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "sku": line.sku,
        "upc": line.upc or None,
        "title": line.title,
        "quantity": line.quantity,
        "price_incl_tax": str(line.total_incl_tax),
        "price_excl_tax": str(line.total_excl_tax),
        "unit_price_incl_tax": str(line.unit_incl_tax),
        "unit_price_excl_tax": str(line.unit_excl_tax),
        "tax_rate": None if line.tax_rate is None else str(line.tax_rate),
    }


def _customer(order: OrderRecord) -> Mapping[str, Any]:
    buyer = order.buyer
    return {
        "name": buyer.name,
        "email": buyer.email,
        "language": order.language,
        "tax_id_kind": buyer.tax_id_kind or None,
        "tax_id": buyer.tax_id or None,
        "shipping_address": _address(order.receiver) if order.receiver else None,
        "billing_address": _address(buyer),
    }


def _address(contact: Contact) -> dict[str, str]:
    return {
        "name": contact.name,
        "line1": contact.line1,
        "line2": contact.line2,
        "line3": contact.line3,
        "line4": contact.city,
        "state": contact.state,
        "postcode": contact.postcode,
        "country": contact.country,
        "phone": contact.phone,
    }
