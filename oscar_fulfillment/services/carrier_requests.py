"""What a carrier is told of a shipment: who receives it, what is in its boxes, what is to be collected."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django.utils.module_loading import import_string

from oscar_fulfillment.carriers.events import Address, CarrierOrderRequest, Package, PackedItem
from oscar_fulfillment.conf import settings
from oscar_fulfillment.models import CarrierOrder, Shipment
from oscar_fulfillment.models.shipment import CANCELLED

ZERO = Decimal(0)


def lane(alias: str) -> str:
    """The outbox destination of a carrier: one that is down delays no other."""
    return f"carriers:{alias}"


def reference_of(number: str, shipment: Shipment, attempt: int) -> str:
    """Our name of an order at a carrier: unique, letters, digits and dashes only, at most 40 of them."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", number).strip("-")[:20]
    return f"{plain or 'O'}-{shipment.pk}-{attempt}"


def build_request(row: CarrierOrder) -> CarrierOrderRequest:
    """The request of an order that was asked for; reads lines, boxes and products."""
    shipment = row.shipment
    fulfillment = shipment.fulfillment
    order = fulfillment.order
    contents = list(shipment.lines.select_related("line__product").order_by("line_id"))
    return CarrierOrderRequest(
        reference=row.reference,
        order_number=order.number,
        recipient=address_of(order),
        packages=_packages(shipment, contents),
        currency=order.currency,
        shipping_code=order.shipping_code or "",
        shipping_name=order.shipping_method or "",
        pickup_point=_pickup_point(order),
        cash_on_delivery=_to_collect(fulfillment, order, contents),
        language=fulfillment.language,
    )


def _pickup_point(order: Any) -> str:
    return str(import_string(settings.PICKUP_POINT)(order) or "") if settings.PICKUP_POINT else ""


def address_of(order: Any) -> Address:
    """Where the order goes. The name alone where it has no address (then a carrier refuses it, with its reason)."""
    found, fulfillment = order.shipping_address, order.fulfillment
    if found is None:
        return Address(name=fulfillment.customer_name or order.number, email=order.email or "")
    return Address(
        name=found.name or fulfillment.customer_name,
        line1=found.line1 or "",
        line2=", ".join(part for part in (found.line2, found.line3) if part),
        city=found.line4 or "",
        state=found.state or "",
        postcode=found.postcode or "",
        country=found.country_id or "",
        phone=str(found.phone_number) if found.phone_number else "",
        email=order.email or "",
        tax_id=fulfillment.tax_id,
    )


def _item(line: Any, quantity: int) -> PackedItem:
    unit = line.line_price_incl_tax / line.quantity if line.quantity else ZERO
    return PackedItem(
        title=line.title,
        sku=line.partner_sku or str(line.pk),
        quantity=quantity,
        value=unit.quantize(Decimal("0.01")),
        weight=_grams(line.product),
    )


def _grams(product: Any) -> int:
    """A product's weight by its attribute "weight" in kilograms, as Oscar's shipping scales read it; 0 without one."""
    if product is None:
        return 0
    value = getattr(product.attr, "weight", None)
    try:
        return max(int(Decimal(str(value)) * 1000), 0) if value is not None else 0
    except ArithmeticError:
        return 0


def _packages(shipment: Shipment, contents: list[Any]) -> tuple[Package, ...]:
    """The boxes that were packed; one with everything where nobody has."""
    by_line = {part.line_id: part.line for part in contents}
    boxes = list(shipment.parcels.exclude(status=CANCELLED).prefetch_related("lines").order_by("number"))
    packed = [
        Package(
            number=place,
            weight=box.weight or 0,
            length=box.length or 0,
            width=box.width or 0,
            height=box.height or 0,
            items=tuple(_item(by_line[c.line_id], c.quantity) for c in box.lines.all() if c.line_id in by_line),
        )
        for place, box in enumerate(boxes, 1)
    ]
    if packed and all(package.items for package in packed):
        return tuple(packed)
    first = packed[0] if packed else Package(1)
    everything = tuple(_item(part.line, part.quantity) for part in contents)
    return (Package(1, first.weight, first.length, first.width, first.height, everything),)


def _to_collect(fulfillment: Any, order: Any, contents: list[Any]) -> Decimal:
    """What the recipient pays at the door: the order's total where everything goes, else the share of these goods."""
    method = fulfillment.payment_method
    if method is None or not method.paid_on_delivery or fulfillment.payment_status != "awaiting_payment":
        return ZERO
    if sum(part.quantity for part in contents) == sum(line.quantity for line in order.lines.all()):
        return order.total_incl_tax
    shares = (part.line.line_price_incl_tax * part.quantity / part.line.quantity for part in contents)
    return sum(shares, ZERO).quantize(Decimal("0.01"))
