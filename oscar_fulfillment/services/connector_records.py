"""An order as systems beside the shop get it: plain data, read when it is sent, so that it is never older than that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from django.contrib.sites.models import Site
from django.urls import NoReverseMatch, reverse
from oscar.core.loading import get_model

from oscar_fulfillment.connectors.records import Contact, OrderLine, OrderRecord

from . import ledger, webhook_bodies

ZERO = Decimal(0)
_CENT = Decimal("0.01")
_RELATED = (
    "user", "shipping_address__country", "billing_address__country", "fulfillment__payment_method",
)  # fmt: skip


def order_of(order_id: int) -> Any:
    """The order with what a record is made of. Raises Order.DoesNotExist."""
    return get_model("order", "Order")._default_manager.select_related(*_RELATED).get(pk=order_id)


def record(order: Any) -> OrderRecord:
    """The order as it is now; 7 queries. ``order`` comes from :func:`order_of`."""
    return _records([order])[0]


def records(order_ids: Collection[int]) -> list[OrderRecord]:
    """Many orders as they are now, in this order; 8 queries for any number. Orders that are gone are left out."""
    found = get_model("order", "Order")._default_manager.select_related(*_RELATED).in_bulk(order_ids)
    return _records([found[pk] for pk in order_ids if pk in found])


def _records(orders: Sequence[Any]) -> list[OrderRecord]:
    ids = [order.pk for order in orders]
    lines: dict[int, list[Any]] = {pk: [] for pk in ids}
    for line in get_model("order", "Line")._default_manager.filter(order__in=ids).order_by("pk"):
        lines[line.order_id].append(line)
    totals = ledger.totals_of(ids)
    shipments, invoices = webhook_bodies.shipments_of(ids), webhook_bodies.invoices_of(ids)
    return [
        _record(order, lines[order.pk], totals[order.pk].net, shipments[order.pk], invoices[order.pk])
        for order in orders
    ]


def _record(order: Any, rows: Sequence[Any], received: Decimal, shipments: Any, invoices: Any) -> OrderRecord:
    fulfillment = order.fulfillment
    method = fulfillment.payment_method
    lines = tuple(_line(line) for line in rows)
    incl = sum((line.total_incl_tax for line in lines), ZERO) + order.shipping_incl_tax
    excl = sum((line.total_excl_tax for line in lines), ZERO) + (order.shipping_excl_tax or ZERO)
    return OrderRecord(
        id=order.pk,
        number=order.number,
        version=fulfillment.version,
        placed_at=fulfillment.placed_at,
        flow=fulfillment.flow,
        language=fulfillment.language,
        currency=order.currency,
        payment_status=fulfillment.payment_status,
        shipping_status=fulfillment.shipping_status,
        lines=lines,
        buyer=_contact(order, order.billing_address or order.shipping_address),
        receiver=_contact(order, order.shipping_address) if order.shipping_address else None,
        total_incl_tax=order.total_incl_tax,
        total_excl_tax=order.total_excl_tax,
        shipping_incl_tax=order.shipping_incl_tax,
        shipping_excl_tax=order.shipping_excl_tax,
        shipping_code=order.shipping_code or "",
        shipping_name=order.shipping_method or "",
        payment_code=method.code if method else "",
        payment_name=str(method.name) if method else "",
        received=received,
        # Surcharges, and what a shop's own rounding adds: what the lines do not say.
        extra_incl_tax=order.total_incl_tax - incl,
        extra_excl_tax=order.total_excl_tax - excl,
        link=dashboard_link(order.number),
        is_on_hold=fulfillment.hold_count > 0,
        has_backorder=fulfillment.has_backorder,
        shipments=tuple(shipments),
        invoices=tuple(invoices),
    )


def dashboard_link(number: str) -> str:
    """The order's page in the dashboard, for people who look at it from over there; "" where the shop has none."""
    try:
        path = reverse("dashboard:order-detail", kwargs={"number": number})
    except NoReverseMatch:
        return ""
    return f"https://{Site.objects.get_current().domain}{path}"


def _line(line: Any) -> OrderLine:
    quantity = max(line.quantity, 1)
    rate = getattr(line, "tax_rate", None)
    if rate is None and line.line_price_excl_tax:
        net = line.line_price_excl_tax
        rate = (line.line_price_incl_tax - net) / net
    return OrderLine(
        id=line.pk,
        sku=line.partner_sku or "",
        upc=line.upc or "",
        title=line.title,
        quantity=line.quantity,
        unit_incl_tax=(line.line_price_incl_tax / quantity).quantize(_CENT),
        unit_excl_tax=(line.line_price_excl_tax / quantity).quantize(_CENT),
        total_incl_tax=line.line_price_incl_tax,
        total_excl_tax=line.line_price_excl_tax,
        # A share in the database, per cent for accountants; to a tenth, since it may be worked out from cents.
        tax_rate=None if rate is None else (rate * 100).quantize(Decimal("0.1")),
    )


def _contact(order: Any, address: Any) -> Contact:
    fulfillment = order.fulfillment
    common = {"email": order.email or "", "tax_id_kind": fulfillment.tax_id_kind, "tax_id": fulfillment.tax_id}
    if address is None:
        return Contact(name=fulfillment.customer_name or order.email or order.number, **common)
    phone = getattr(address, "phone_number", "")
    return Contact(
        name=address.name or fulfillment.customer_name or order.email or order.number,
        phone=str(getattr(phone, "as_e164", phone) or ""),
        line1=address.line1 or "",
        line2=address.line2 or "",
        line3=address.line3 or "",
        city=address.line4 or "",
        state=address.state or "",
        postcode=address.postcode or "",
        country=address.country_id or "",
        **common,
    )
