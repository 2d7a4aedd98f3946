"""The bodies of webhooks: plain JSON, made when a message is first sent and kept, so that every try says the same.

    {"type": "payment.approved", "timestamp": ..., "api_version": "1", "data": {"change": ..., "order": ..., ...}}

``change`` is what happened, from the history, which never changes; ``order`` is the order as it is when the message is
first sent. Messages may arrive out of order: ``order.version`` only grows. Sums are text, times ISO 8601 in UTC.
Nothing that names the buyer is in it, unless the webhook is made so.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from oscar.core.loading import get_model

from oscar_fulfillment.models import (
    Invoice,
    OrderFulfillment,
    OutboundMessage,
    Parcel,
    Return,
    Shipment,
    StatusChange,
    WebhookEndpoint,
)

#: The largest body, in bytes (Standard Webhooks asks for less than 20 kB); the most lines and shipments to begin with.
LARGEST, MOST_LINES, MOST_SHIPMENTS = 20_000, 100, 30
_ADDRESS = ("line1", "line2", "line3", "line4", "state", "postcode")


def make_body(message: OutboundMessage, endpoint: WebhookEndpoint) -> str:
    """The body for this endpoint, as JSON."""
    payload: Mapping[str, Any] = message.payload
    is_private = endpoint.includes_customer
    data: dict[str, Any] = dict(payload.get("facts", {}))
    at = message.created_at
    if sequences := payload.get("sequences") or ([payload["sequence"]] if "sequence" in payload else []):
        changes = _changes(payload["order"], sequences)
        at = changes[0].created_at if changes else at
        told = [_change(row, is_private) for row in changes]
        data["change"] = next((row for row in told if row["sequence"] == payload["sequence"]), None)
        if "sequences" in payload:
            data["changes"] = told
    if "return_id" in data:
        data["return"] = _return(data.pop("return_id"), is_private)
    if "parcel" in payload:
        data["parcel"] = _tracked(payload["parcel"]) | {"tracking": payload["tracking"]}
        if is_private:
            data["parcel"]["tracking"] |= payload.get("private", {})
    elif is_private and "message" in data:
        data["message"] = data["message"] | payload.get("private", {})
    if "order" in payload:
        data["order"] = _order(payload["order"])
        if is_private:
            data["customer"] = _customer(payload["order"])
    document = {"type": message.kind, "timestamp": moment(at), "api_version": endpoint.api_version, "data": data}
    return _fitting(document)


def moment(at: datetime | None) -> str | None:
    """A time in UTC, as bodies have it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _changes(order_id: int, sequences: list[int]) -> list[StatusChange]:
    rows = StatusChange._default_manager.filter(fulfillment=order_id, sequence__in=sequences)
    return list(rows.order_by("sequence"))


def _change(row: StatusChange, is_private: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "sequence": row.sequence,
        "machine": row.machine,
        "action": row.action,
        "from": row.from_status or None,
        "to": row.to_status or None,
        "at": moment(row.created_at),
        # A kind, not a name: "user", "customer", "provider", "rule" or "system".
        "by": row.actor_kind,
    }
    if is_private:
        found["reason"] = row.reason[:1000]
    return found


def _order(order_id: int | None) -> dict[str, Any] | None:
    """The order as it is now; None when it is gone."""
    row = OrderFulfillment._default_manager.select_related("order", "payment_method").filter(pk=order_id).first()
    if row is None:
        return None
    order = row.order
    lines = _lines(order)
    shipments = shipments_of([row.pk])[row.pk]
    return {
        "id": order.pk,
        "number": order.number,
        "version": row.version,
        "placed_at": moment(row.placed_at),
        "flow": row.flow,
        "status": order.status,
        "payment_status": row.payment_status,
        "shipping_status": row.shipping_status,
        "is_on_hold": row.hold_count > 0,
        "has_backorder": row.has_backorder,
        "problem": row.problem or None,
        "payment_method": row.payment_method.code if row.payment_method else None,
        "shipping_method": order.shipping_code or None,
        "currency": order.currency,
        "total_incl_tax": _sum(order.total_incl_tax),
        "total_excl_tax": _sum(order.total_excl_tax),
        "shipping_incl_tax": _sum(order.shipping_incl_tax),
        "shipping_excl_tax": _sum(order.shipping_excl_tax),
        "lines": lines[:MOST_LINES],
        "lines_left_out": max(len(lines) - MOST_LINES, 0),
        "shipments": shipments[:MOST_SHIPMENTS],
        "shipments_left_out": max(len(shipments) - MOST_SHIPMENTS, 0),
        "invoices": invoices_of([row.pk])[row.pk],
    }


def _sum(value: Any) -> str | None:
    return None if value is None else str(value)


def _lines(order: Any) -> list[dict[str, Any]]:
    rows = order.lines.order_by("pk").values(
        "pk", "partner_sku", "upc", "title", "quantity", "line_price_incl_tax", "line_price_excl_tax",
    )  # fmt: skip
    return [
        {
            "id": row["pk"],
            "sku": row["partner_sku"],
            "upc": row["upc"] or None,
            "title": row["title"],
            "quantity": row["quantity"],
            "price_incl_tax": _sum(row["line_price_incl_tax"]),
            "price_excl_tax": _sum(row["line_price_excl_tax"]),
        }
        for row in rows
    ]


def shipments_of(order_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Which units of orders go together, with their parcels, per order; 3 queries for any number of orders."""
    rows = Shipment._default_manager.filter(fulfillment__in=order_ids).order_by("number").prefetch_related("lines")
    boxes = Parcel._default_manager.filter(shipment__fulfillment__in=order_ids).order_by("shipment", "number")
    parcels: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for parcel in boxes:
        parcels[parcel.shipment_id].append(_parcel(parcel))
    found: dict[int, list[dict[str, Any]]] = {order_id: [] for order_id in order_ids}
    for row in rows:
        found[row.fulfillment_id].append(
            {
                "id": row.pk,
                "number": row.number,
                "status": row.status,
                "dispatched_at": moment(row.dispatched_at),
                "delivered_at": moment(row.delivered_at),
                "invoice": row.invoice_id,
                "lines": [{"line": line.line_id, "quantity": line.quantity} for line in row.lines.all()],
                "parcels": parcels[row.pk],
            }
        )
    return found


def _parcel(parcel: Parcel) -> dict[str, Any]:
    return {
        "id": parcel.pk,
        "number": parcel.number,
        "status": parcel.status,
        "carrier": parcel.carrier or None,
        "tracking_code": parcel.tracking_code or None,
        "tracking_url": parcel.tracking_url or None,
        "tracking_state": parcel.tracking_state or None,
    }


def _tracked(pk: int) -> dict[str, Any]:
    parcel = Parcel._default_manager.filter(pk=pk).first()
    return {"id": pk} if parcel is None else _parcel(parcel) | {"shipment": parcel.shipment_id}


def invoices_of(order_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """The fiscal documents of orders, also those that were cancelled, per order; 1 query."""
    found: dict[int, list[dict[str, Any]]] = {order_id: [] for order_id in order_ids}
    for row in Invoice._default_manager.filter(fulfillment__in=order_ids).order_by("pk"):
        found[row.fulfillment_id].append(
            {
                "id": row.pk,
                "kind": row.kind,
                "number": row.number or None,
                "series": row.series or None,
                "access_key": row.access_key or None,
                "is_cancelled": row.cancelled_at is not None,
            }
        )
    return found


def _return(pk: int, is_private: bool) -> dict[str, Any] | None:
    row = Return._default_manager.prefetch_related("lines").filter(pk=pk).first()
    if row is None:
        return None
    found: dict[str, Any] = {
        "id": row.pk,
        "number": row.number,
        "status": row.status,
        "wants": row.wants,
        "outcome": row.outcome or None,
        "by_customer": row.by_customer,
        "refund_amount": _sum(row.refund_amount),
        "tracking_code": row.tracking_code or None,
        "lines": [
            {"line": line.line_id, "quantity": line.quantity, "reason": line.reason, "restocked": line.restocked,
             "damaged": line.damaged}
            for line in row.lines.all()[:MOST_LINES]
        ],
    }  # fmt: skip
    if is_private:
        found["customer_note"] = row.customer_note[:1000]
    return found


def _customer(order_id: int | None) -> dict[str, Any] | None:
    """Who bought, and where it goes: only for webhooks that were made so."""
    Order = get_model("order", "Order")
    related = ("user", "shipping_address__country", "billing_address__country", "fulfillment")
    order = Order._default_manager.select_related(*related).filter(pk=order_id).first()
    if order is None:
        return None
    return {
        "name": order.fulfillment.customer_name,
        "email": order.email,
        "is_guest": order.user_id is None,
        "language": order.fulfillment.language,
        "tax_id_kind": order.fulfillment.tax_id_kind or None,
        "tax_id": order.fulfillment.tax_id or None,
        "shipping_address": _address(order.shipping_address),
        "billing_address": _address(order.billing_address),
    }


def _address(address: Any) -> dict[str, Any] | None:
    if address is None:
        return None
    found = {"name": address.name} | {name: getattr(address, name) for name in _ADDRESS}
    phone = getattr(address, "phone_number", "")
    return found | {"country": address.country_id, "phone": str(phone) if phone else ""}


def _fitting(document: dict[str, Any]) -> str:
    """The document as JSON, with as many lines and shipments as fit: what is left out is counted in it."""
    order = document["data"].get("order")
    while len((text := _dump(document)).encode()) > LARGEST:
        named = [name for name in ("lines", "shipments") if order and order[name]]
        if not named:
            break
        longest = max(named, key=lambda name: len(_dump(order[name])))
        kept = len(order[longest]) * 2 // 3
        order[f"{longest}_left_out"] += len(order[longest]) - kept
        del order[longest][kept:]
    return text


def _dump(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
