"""The invoice: the customer's demand for payment, mailed when an order is placed. No fiscal document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from . import render
from .formats import Formats
from .parties import Party
from .payment_parts.base import Demand
from .renderer import DocumentError
from .rubles import rubles_in_words
from .sellers import Seller

ZERO = Decimal(0)


@dataclass(frozen=True)
class InvoiceLine:
    """``unit_price`` and ``total`` include tax; ``total`` is after ``discount``, which is not negative."""

    title: str
    quantity: int
    unit_price: Decimal
    total: Decimal
    sku: str = ""
    discount: Decimal = ZERO


@dataclass(frozen=True)
class InvoiceData:
    """Everything an invoice says. Sums are in ``currency`` and include tax.

    ``charges`` are carriage, surcharges and the like: (label, amount), negative ones take off. Lines and charges add up
    to ``total``. ``tax`` is the tax in it, None where the shop does not know. ``serial`` is unique to it.
    """

    number: str
    serial: int
    issued: date
    currency: str
    language: str
    seller: Seller
    buyer: Party
    lines: tuple[InvoiceLine, ...]
    total: Decimal
    charges: tuple[tuple[str, Decimal], ...] = ()
    tax: Decimal | None = None
    due: date | None = None
    reserved_until: date | None = None
    delivery: Party | None = None
    instructions: str = ""
    notes: tuple[str, ...] = field(default=())


def render_invoice(data: InvoiceData) -> bytes:
    """The PDF, in the invoice's language. Raises :class:`DocumentError` where the sums do not add up or the seller's
    way of payment cannot carry them."""
    return render_invoices([data])


def render_invoices(invoices: Sequence[InvoiceData]) -> bytes:
    """One PDF of many invoices, each beginning on a page of its own."""
    if not invoices:
        raise DocumentError("there is no invoice to render")
    newest = max(data.issued for data in invoices)
    return render("invoice", {"documents": [_document(data) for data in invoices]}, created=newest)


def _document(data: InvoiceData) -> dict[str, Any]:
    if sum((line.total for line in data.lines), ZERO) + sum((sum_ for _l, sum_ in data.charges), ZERO) != data.total:
        raise DocumentError("the lines and charges of the invoice do not add up to its total")
    with translation.override(data.language):
        return _Writer(data).document()


class _Writer:
    """An invoice as texts, in the active language."""

    def __init__(self, data: InvoiceData):
        self.data = data
        self.formats = Formats(data.language, data.seller.party.country)

    def document(self) -> dict[str, Any]:
        data = self.data
        number = {"number": data.number, "date": self.formats.date(data.issued)}
        return {
            "language": self.formats.locale.language,
            "region": self.formats.locale.territory,
            "title": pgettext("demand for payment", "Invoice %(number)s of %(date)s") % number,
            "short": pgettext("demand for payment", "Invoice %(number)s") % number,
            "page": _("Page"),
            "seller": {"label": _("Seller"), "logo": data.seller.logo, **data.seller.party.texts()},
            "buyer": {"label": pgettext("of an invoice", "Bill to"), **data.buyer.texts()},
            "delivery": {"label": _("Deliver to"), **data.delivery.texts()} if data.delivery else None,
            "dates": self._dates(),
            **self._table(),
            "sums": self._sums(),
            "total": {"label": _("Amount due"), "sum": self._money(data.total)},
            "tax": self._tax(),
            "words": self._words(),
            "instructions": data.instructions,
            "notes": [note for note in (*data.notes, data.seller.note) if note],
            "signatures": [list(pair) for pair in data.seller.signatures],
            "payment": self._payment(),
        }

    def _money(self, amount: Decimal) -> str:
        return self.formats.money(amount, self.data.currency)

    def _bare(self, amount: Decimal) -> str:
        return self.formats.bare(amount, self.data.currency)

    def _dates(self) -> list[list[str]]:
        data = self.data
        rows: list[tuple[str, date | None]] = [
            (pgettext("of an invoice", "Date"), data.issued),
            (_("Payable until"), data.due),
            (_("Reserved until"), data.reserved_until),
        ]
        return [[label, self.formats.date(day)] for label, day in rows if day is not None]

    def _table(self) -> dict[str, Any]:
        """Headings and rows; the column of discounts only where there is one."""
        data = self.data
        discounted = any(line.discount for line in data.lines)
        in_currency = {"currency": data.currency}
        headings = [_("No."), _("Article"), _("Quantity"), _("Unit price")]
        headings += [_("Discount")] if discounted else []
        headings.append(_("Amount in %(currency)s") % in_currency)
        rows = []
        for place, line in enumerate(data.lines, 1):
            row = {
                "place": str(place), "title": line.title, "sku": line.sku,
                "quantity": self.formats.number(line.quantity), "price": self._bare(line.unit_price),
                "total": self._bare(line.total),
            }  # fmt: skip
            if discounted:
                row["discount"] = self._bare(-line.discount) if line.discount else ""
            rows.append(row)
        return {"headings": headings, "lines": rows, "discounted": discounted}

    def _sums(self) -> list[list[str]]:
        data = self.data
        if not data.charges:
            return []
        goods = sum((line.total for line in data.lines), ZERO)
        rows = [(_("Goods"), goods), *data.charges]
        return [[str(label), self._bare(amount)] for label, amount in rows]

    def _tax(self) -> list[str]:
        """Label and sum of the tax in the total; a note alone where there is none."""
        seller, tax = self.data.seller, self.data.tax
        if tax:
            named = {"tax": seller.tax_label or _("tax")}
            return [pgettext("in the total", "Including %(tax)s") % named, self._bare(tax)]
        return [seller.untaxed_note, ""] if seller.untaxed_note else []

    def _words(self) -> list[str]:
        """What stands below the total of a Russian invoice."""
        data = self.data
        if data.currency != "RUB" or self.formats.locale.language != "ru":
            return []
        count = _("Articles: %(count)s, in all %(sum)s") % {
            "count": self.formats.number(len(data.lines) + len(data.charges)), "sum": self._money(data.total),
        }  # fmt: skip
        return [count, rubles_in_words(data.total)]

    def _payment(self) -> dict[str, Any] | None:
        """The country's payment part; none where nothing is to be paid."""
        data = self.data
        if data.seller.payment is None or not data.total:
            return None
        demand = Demand(
            number=data.number, serial=data.serial, issued=data.issued, amount=data.total, currency=data.currency,
            tax=data.tax, tax_label=data.seller.tax_label, language=data.language, buyer=data.buyer,
        )  # fmt: skip
        words = {
            "how": _("How to pay"), "reference": _("Reference"), "scan": _("Scan this code with your bank's app"),
            "copy": _("Pix copy and paste"), "key": _("Pix key"), "receiver": _("Receiver"),
        }  # fmt: skip
        return {"words": words, **data.seller.payment.part(demand)}
