"""The data of an order's documents, and what becomes of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone, translation
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from oscar_fulfillment.documents.invoice import InvoiceData, InvoiceLine, render_invoice
from oscar_fulfillment.documents.sellers import Seller, has_seller

from .document_parties import Sellers, buyer, destination, other_receiver
from .languages import nearest_language

ZERO = Decimal(0)


def invoice_pdf(order: Any) -> bytes:
    """The invoice of an order with a fulfillment row. Raises what :func:`invoice_data` and ``render_invoice`` raise."""
    return render_invoice(invoice_data(order))


def invoice_filename(order: Any) -> str:
    """A name that any file system and mail takes."""
    return get_valid_filename(f"invoice-{order.number}"[:100].rstrip(".")) + ".pdf"


def can_be_invoiced(order: Any) -> bool:
    """Whether SELLERS names a seller for this order."""
    return has_seller(country=destination(order), currency=order.currency, flow=order.fulfillment.flow)


def seller_of(order: Any) -> Seller:
    """Who sells it. Raises ConfigurationError where SELLERS names nobody, or an entry that is wrong."""
    return Sellers().required(order)


def mails_invoice(order: Any) -> bool:
    """Whether the order's payment method sends the invoice with the confirmation."""
    method = order.fulfillment.payment_method
    return method is not None and method.sends_invoice


def invoice_data(order: Any) -> InvoiceData:
    """What the invoice of this order says, in the order's language. Reads lines, surcharges and addresses.

    Raises ConfigurationError where SELLERS names no seller for it, or one that is wrong.
    """
    fulfillment = order.fulfillment
    seller = Sellers().required(order)
    language = nearest_language(fulfillment.language)
    with translation.override(language):
        lines = tuple(_line(line) for line in order.lines.all())
        return InvoiceData(
            number=order.number,
            serial=order.pk,
            issued=_day(order.date_placed),
            due=_due(order, seller),
            reserved_until=_term(order, "reserved_until"),
            currency=order.currency,
            language=language,
            seller=seller,
            buyer=buyer(order, seller),
            delivery=other_receiver(order, seller),
            lines=lines,
            charges=tuple(_charges(order, lines)),
            total=order.total_incl_tax,
            tax=order.total_incl_tax - order.total_excl_tax,
            instructions=_instructions(fulfillment, language),
        )


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date() if timezone.is_aware(moment) else moment.date()


def _term(order: Any, name: str) -> date | None:
    try:
        moment = getattr(order.fulfillment.terms, name)
    except ObjectDoesNotExist:
        return None
    return _day(moment) if moment else None


def _due(order: Any, seller: Seller) -> date | None:
    """The day of the order's own terms, else of its method's policy, else the seller's."""
    if agreed := _term(order, "due_at"):
        return agreed
    method = order.fulfillment.payment_method
    days = method.due_days if method is not None and method.due_days is not None else seller.due_days
    return _day(order.date_placed) + timedelta(days=days) if days is not None else None


def _instructions(fulfillment: Any, language: str) -> str:
    method = fulfillment.payment_method
    return str(method.text("instructions", language)).strip() if method is not None else ""


def _line(line: Any) -> InvoiceLine:
    before, after = line.line_price_before_discounts_incl_tax, line.line_price_incl_tax
    unit = line.unit_price_incl_tax
    if unit is None:
        unit = before / line.quantity if line.quantity else ZERO
    return InvoiceLine(
        title=line.title, sku=line.partner_sku, quantity=line.quantity, unit_price=unit, total=after,
        discount=before - after,
    )  # fmt: skip


def _charges(order: Any, lines: tuple[InvoiceLine, ...]) -> list[tuple[str, Decimal]]:
    """What is paid beside the goods. A shop whose totals hold more than Oscar's (gift cards) sees it as adjustment."""
    rows = []
    if order.shipping_incl_tax:
        rows.append((order.shipping_method or _("Shipping"), order.shipping_incl_tax))
    rows += [(surcharge.name, surcharge.incl_tax) for surcharge in order.surcharges.all() if surcharge.incl_tax]
    rest = order.total_incl_tax - sum((line.total for line in lines), ZERO) - sum((sum_ for _l, sum_ in rows), ZERO)
    return [*rows, (_("Adjustment"), rest)] if rest else rows
