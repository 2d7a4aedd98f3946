"""The pro-forma and commercial invoices of orders: what is read for them, and the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.customs_invoice import CustomsData, CustomsLine, render_customs_invoices
from oscar_fulfillment.selectors.consignments import Consignment, read_consignments

from .document_hooks import customs_of
from .document_parties import Sellers, buyer, other_receiver, seen_from
from .languages import nearest_language

CENT = Decimal("0.01")
ZERO = Decimal(0)


def customs_pdf(order_ids: Sequence[int], *, kind: str, shipment: int | None = None) -> bytes:
    """The customs invoices of these orders, one for each shipment that waits, else that was sent, else for the order.
    ``kind``: a constant of ``documents.customs_invoice``.

    Raises :class:`DocumentError` where there is nothing in them, ``ConfigurationError`` where SELLERS names no seller.
    """
    invoices = customs_data(order_ids, kind=kind, shipment=shipment)
    if not invoices:
        raise DocumentError(_("there are no goods"))
    return render_customs_invoices(invoices)


def customs_data(order_ids: Sequence[int], *, kind: str, shipment: int | None = None) -> list[CustomsData]:
    """What the invoices say, each in its order's language."""
    sellers, found = Sellers(), []
    lines = _lines_with_products()
    for consignment in read_consignments(order_ids, shipment=shipment, lines=lines, also=["order__surcharges"]):
        language = nearest_language(consignment.fulfillment.language)
        with translation.override(language):
            found.append(_invoice(consignment, sellers, kind, language))
    return found


def _lines_with_products() -> Any:
    """Order lines with their products and what is known of those, in a constant number of statements."""
    Line, Product = get_model("order", "Line"), get_model("catalogue", "Product")
    products = Product._default_manager.all().prefetch_attribute_values()
    return Line._default_manager.prefetch_related(Prefetch("product", products))


def _invoice(consignment: Consignment, sellers: Sellers, kind: str, language: str) -> CustomsData:
    order, shipment = consignment.order, consignment.shipment
    seller = sellers.required(order)
    lines = tuple(_line(line, quantity, consignment.before.get(line.pk, 0)) for line, quantity in consignment.contents)
    charges = _charges(order) if not any(consignment.before.values()) else ()
    day = (shipment.dispatched_at or shipment.created_at) if shipment else consignment.fulfillment.placed_at
    several = consignment.place is not None and consignment.place[1] > 1
    return CustomsData(
        kind=kind,
        number=f"{order.number}-{shipment.number}" if several else order.number,
        issued=timezone.localtime(day).date(),
        language=language,
        currency=order.currency,
        seller=replace(seller, party=seen_from(seller.party, "")),
        buyer=buyer(order, seller, abroad_only=False),
        consignee=other_receiver(order, seller, abroad_only=False),
        lines=lines,
        charges=charges,
        total=sum((line.total for line in lines), ZERO) + sum((amount for _label, amount in charges), ZERO),
        reason=seller.export_reason,
        incoterm=seller.incoterm,
        parcels=max(len(consignment.parcels), 1),
        signed_by=seller.signatures[0] if seller.signatures else ("", ""),
    )


def _line(line: Any, quantity: int, before: int) -> CustomsLine:
    customs = customs_of(line.product)
    return CustomsLine(
        title=line.title,
        quantity=quantity,
        total=_share(line.line_price_excl_tax, line.quantity, before, quantity),
        sku=line.partner_sku,
        hs_code=customs.hs_code,
        origin=customs.origin,
        weight=customs.weight,
    )


def _share(total: Decimal, units: int, before: int, quantity: int) -> Decimal:
    """The value of ``quantity`` of the ``units`` after the first ``before``: the shares of all add up to the total."""
    if not units:
        return ZERO
    if before + quantity > units:
        before = 0  # sent again for what came back
    return _cents(total * (before + quantity) / units) - _cents(total * before / units)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT)


def _charges(order: Any) -> tuple[tuple[str, Decimal], ...]:
    """What is paid beside the goods, on the invoice of the first shipment."""
    rows = []
    if order.shipping_excl_tax:
        rows.append((order.shipping_method or _("Shipping"), order.shipping_excl_tax))
    rows += [(surcharge.name, surcharge.excl_tax) for surcharge in order.surcharges.all() if surcharge.excl_tax]
    return tuple(rows)
