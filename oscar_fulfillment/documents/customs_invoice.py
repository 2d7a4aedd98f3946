"""The pro-forma or commercial invoice: what customs want to know of goods that leave the country."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from . import render
from .formats import Formats
from .parties import Party
from .renderer import DocumentError
from .sellers import Seller

ZERO = Decimal(0)
PROFORMA, COMMERCIAL = "proforma", "commercial"
TITLES: dict[str, Promise] = {
    PROFORMA: _("Pro-forma invoice"),
    COMMERCIAL: _("Commercial invoice"),
}
#: Why the goods leave, as customs ask; a seller may name a reason of its own.
REASONS: dict[str, Promise] = {
    "sale": pgettext_lazy("reason for export", "Sale of goods"),
    "gift": pgettext_lazy("reason for export", "Gift"),
    "sample": pgettext_lazy("reason for export", "Commercial sample"),
    "return": pgettext_lazy("reason for export", "Return of goods"),
    "repair": pgettext_lazy("reason for export", "Repair"),
}
_DECLARATION = _(
    "I declare that the information on this invoice is true and correct and that the goods are of the stated origin."
)


@dataclass(frozen=True)
class CustomsLine:
    """``total`` is the value of all units, without tax. ``hs_code`` is the tariff number, ``origin`` an ISO country
    code, ``weight`` the grams of one unit; "" and None where nobody knows."""

    title: str
    quantity: int
    total: Decimal
    sku: str = ""
    hs_code: str = ""
    origin: str = ""
    weight: int | None = None


@dataclass(frozen=True)
class CustomsData:
    """Everything the invoice says. Values are in ``currency``, without tax; lines and charges add up to ``total``.

    ``reason`` is a key of :data:`REASONS` or a text, ``incoterm`` for instance "DAP Moscow". ``consignee`` is None
    where the buyer receives. ``signed_by`` is office and name, "" leaves the line empty.
    """

    kind: str
    number: str
    issued: date
    language: str
    currency: str
    seller: Seller
    buyer: Party
    lines: tuple[CustomsLine, ...]
    total: Decimal
    consignee: Party | None = None
    charges: tuple[tuple[str, Decimal], ...] = ()
    reason: str = "sale"
    incoterm: str = ""
    parcels: int = 1
    signed_by: tuple[str, str] = ("", "")


def render_customs_invoices(invoices: Sequence[CustomsData]) -> bytes:
    """One PDF of many invoices, each beginning on a page of its own, in its own language and with English labels below.
    Raises :class:`DocumentError` where the values do not add up."""
    if not invoices:
        raise DocumentError("there is no customs invoice to render")
    newest = max(data.issued for data in invoices)
    return render("customs_invoice", {"documents": [_document(data) for data in invoices]}, created=newest)


def _document(data: CustomsData) -> dict[str, Any]:
    if sum((line.total for line in data.lines), ZERO) + sum((sum_ for _l, sum_ in data.charges), ZERO) != data.total:
        raise DocumentError("the lines and charges of the customs invoice do not add up to its total")
    with translation.override(data.language):
        return _Writer(data).document()


class _Writer:
    """An invoice as texts, in the active language."""

    def __init__(self, data: CustomsData):
        self.data = data
        self.formats = Formats(data.language, data.seller.party.country)

    def document(self) -> dict[str, Any]:
        data, both = self.data, self._both
        office, name = data.signed_by
        return {
            "language": self.formats.locale.language,
            "region": self.formats.locale.territory,
            "title": both(TITLES[data.kind]),
            "short": f"{TITLES[data.kind]} {data.number}",
            "page": str(_("Page")),
            "seller": {"logo": data.seller.logo, **data.seller.party.texts()},
            "parties": self._parties(),
            "facts": self._facts(),
            "headings": [
                both(_("Description of the goods")), both(_("Tariff number (HS)")), both(_("Country of origin")),
                both(_("Net weight")), both(_("Quantity")), both(pgettext_lazy("customs", "Value of one")),
                both(pgettext_lazy("customs", "Value")),
            ],
            "lines": [self._line(line) for line in data.lines],
            "sums": [[str(label), self._money(amount)] for label, amount in data.charges],
            "total": {"label": both(_("Total value")), "sum": self.formats.money(data.total, data.currency)},
            "declaration": both(_DECLARATION),
            "signature": {
                "place": both(_("Place and date")), "sign": both(_("Signature")),
                "name": ", ".join(part for part in (name, office) if part),
            },
        }  # fmt: skip

    def _both(self, words: Promise) -> list[str]:
        """In the active language, and in English unless that is the same."""
        local = str(words)
        with translation.override("en"):
            english = str(words)
        return [local] if english == local else [local, english]

    def _parties(self) -> list[dict[str, Any]]:
        data = self.data
        parties = [
            (pgettext_lazy("customs", "Seller and exporter"), data.seller.party),
            (pgettext_lazy("customs", "Buyer"), data.buyer),
            (pgettext_lazy("customs", "Consignee"), data.consignee or data.buyer),
        ]
        return [{"label": " / ".join(self._both(label)), **party.texts()} for label, party in parties]

    def _facts(self) -> list[list[Any]]:
        data = self.data
        reason = " / ".join(self._both(REASONS[data.reason])) if data.reason in REASONS else data.reason
        weights = [line.weight * line.quantity for line in data.lines if line.weight is not None]
        known = len(weights) == len(data.lines)
        rows: list[tuple[Promise, str]] = [
            (pgettext_lazy("of an invoice", "Number"), data.number),
            (pgettext_lazy("of an invoice", "Date"), self.formats.date(data.issued)),
            (_("Reason for export"), reason),
            (_("Terms of delivery (Incoterms)"), data.incoterm),
            (_("Currency"), data.currency),
            (_("Parcels"), self.formats.number(data.parcels)),
            (_("Net weight"), self.formats.kilograms(sum(weights)) if known else ""),
        ]
        return [[self._both(label), value] for label, value in rows if value]

    def _line(self, line: CustomsLine) -> dict[str, Any]:
        return {
            "title": line.title,
            "sku": line.sku,
            "hs_code": line.hs_code,
            "origin": f"{self.formats.country_name(line.origin)} ({line.origin.upper()})" if line.origin else "",
            "weight": self.formats.kilograms(line.weight * line.quantity) if line.weight is not None else "",
            "quantity": self.formats.number(line.quantity),
            "price": self._money(line.total / line.quantity if line.quantity else ZERO),
            "total": self._money(line.total),
        }

    def _money(self, amount: Decimal) -> str:
        """With the currency's code, which every customs officer reads."""
        return f"{self.formats.bare(amount, self.data.currency)}\N{NO-BREAK SPACE}{self.data.currency}"
