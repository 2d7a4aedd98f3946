"""The return slip: the customer puts it into the parcel, and its code finds the return when the parcel is here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from . import render
from .formats import Formats
from .marks import scan_mark
from .renderer import DocumentError
from .sellers import Seller


@dataclass(frozen=True)
class ReturnSlipLine:
    """Units of an article that come back; ``reason`` in the customer's language."""

    title: str
    sku: str
    quantity: int
    reason: str


@dataclass(frozen=True)
class ReturnSlipData:
    """Everything a return slip says. ``code`` is a text of :mod:`scan_codes`, ``instructions`` are the shop's words for
    this very return, "" for the usual ones. ``comes_from`` is the ISO code of the country it is sent from."""

    number: str
    return_number: int
    code: str
    issued: date
    language: str
    seller: Seller
    lines: tuple[ReturnSlipLine, ...]
    sender: str = ""
    comes_from: str = ""
    wants_exchange: bool = False
    instructions: str = ""


def render_return_slip(data: ReturnSlipData) -> bytes:
    """The PDF, in the slip's language."""
    if not data.lines:
        raise DocumentError("there is nothing on the return slip")
    with translation.override(data.language):
        return render("return_slip", _document(data), created=data.issued)


def _document(data: ReturnSlipData) -> dict[str, Any]:
    formats = Formats(data.language, data.seller.party.country)
    to = data.seller.returns_to
    country = [formats.country_name(to.country)] if to.country and to.country != data.comes_from else []
    return {
        "language": formats.locale.language,
        "region": formats.locale.territory,
        "title": _("Return slip"),
        "short": _("Return %(return)d of order %(number)s") % {"return": data.return_number, "number": data.number},
        "page": _("Page"),
        "seller": {"logo": data.seller.logo, **data.seller.party.texts()},
        "address": {
            "label": _("Send to"),
            "name": to.name,
            "address": [*to.address, *country],
            "tax_ids": [],
            "contact": [],
        },
        "code": scan_mark(data.code),
        "facts": [
            [label, value]
            for label, value in (
                (_("Order"), data.number),
                (_("Return"), f"R{data.return_number}"),
                (pgettext("of a document", "Date"), formats.date(data.issued)),
                (pgettext("on a parcel", "From"), data.sender),
                (
                    pgettext("on a return form", "I would like"),
                    pgettext("on a return form", "an exchange")
                    if data.wants_exchange
                    else pgettext("on a return form", "my money back"),
                ),
            )
            if value
        ],
        "instructions": data.instructions
        or _("Put this slip into the parcel and send it to the address below. Please keep the receipt of the carrier."),
        "headings": [_("Quantity"), _("SKU"), _("Article"), _("Reason")],
        "lines": [
            {"quantity": formats.number(line.quantity), "sku": line.sku, "title": line.title, "reason": line.reason}
            for line in data.lines
        ],
        "label": {
            "title": pgettext("on a parcel", "Return"),
            "hint": _("Cut out and glue onto the parcel, unless it carries a label already."),
        },
    }
