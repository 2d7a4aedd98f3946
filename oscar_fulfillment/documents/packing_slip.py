"""The packing slip: what is in a shipment and where it goes, with the form to send something back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from . import render
from .formats import Formats
from .marks import bar_mark, scan_mark
from .parties import Party
from .qr import MASK, qr_svg
from .renderer import DocumentError
from .scan_codes import grouped
from .sellers import Seller

#: A slip of more lines than these goes over more than one page, with its return form.
FEW = 10


@dataclass(frozen=True)
class SlipLine:
    """``bin`` is where the goods lie, "" where the shop does not say."""

    title: str
    quantity: int
    sku: str = ""
    bin: str = ""


@dataclass(frozen=True)
class Printed:
    """That a document was printed: when (in the shop's time zone) and by whom."""

    at: datetime
    by: str


@dataclass(frozen=True)
class ReturnForm:
    """The form at the end of a slip. ``reasons`` are in the customer's language; ``url`` is the page where the customer
    announces the return, "" where there is none."""

    address: Party
    reasons: tuple[str, ...]
    instructions: str = ""
    url: str = ""


@dataclass(frozen=True)
class SlipData:
    """Everything a slip says. ``code`` is a text of :mod:`scan_codes`; ``shipment`` is its number and how many there
    are, None where the order has none yet; ``later`` is what was ordered and follows. ``reprint``: the printing before
    this one."""

    number: str
    placed: date
    language: str
    seller: Seller
    code: str
    lines: tuple[SlipLine, ...]
    delivery: Party | None = None
    shipment: tuple[int, int] | None = None
    shipping_method: str = ""
    invoice: str = ""
    notes: str = ""
    later: tuple[SlipLine, ...] = ()
    reprint: Printed | None = None
    returns: ReturnForm | None = None


def render_slips(slips: Sequence[SlipData]) -> bytes:
    """One PDF of many slips, each beginning on a page of its own and in its own language."""
    if not slips:
        raise DocumentError("there is no packing slip to render")
    newest = max(data.placed for data in slips)
    return render("packing_slip", {"documents": [_document(data) for data in slips]}, created=newest)


def _document(data: SlipData) -> dict[str, Any]:
    with translation.override(data.language):
        return _Writer(data).document()


class _Writer:
    """A slip as texts, in the active language."""

    def __init__(self, data: SlipData):
        self.data = data
        self.formats = Formats(data.language, data.seller.party.country)

    def document(self) -> dict[str, Any]:
        data = self.data
        number = {"number": data.number}
        units = sum(line.quantity for line in data.lines)
        return {
            "language": self.formats.locale.language,
            "region": self.formats.locale.territory,
            "title": _("Packing slip"),
            "order": _("Order %(number)s") % number,
            "short": _("Packing slip of order %(number)s") % number,
            "page": _("Page"),
            "counted": len(data.lines) > FEW,
            "seller": {"logo": data.seller.logo, **data.seller.party.texts()},
            "delivery": {"label": _("Deliver to"), **data.delivery.texts()} if data.delivery else None,
            "facts": self._facts(),
            "code": scan_mark(data.code),
            "reprint": self._reprint(),
            "notes": {"label": _("Note on the delivery"), "text": data.notes} if data.notes else None,
            **self._table(),
            "units": ngettext("%(count)s item", "%(count)s items", units) % {"count": self.formats.number(units)},
            "later": {"label": _("Follows later"), "lines": [self._later(line) for line in data.later]},
            "returns": self._returns(data.returns) if data.returns else None,
        }

    def _facts(self) -> list[list[str]]:
        data = self.data
        rows = [(pgettext("of an order", "Placed"), self.formats.date(data.placed))]
        if data.shipment:
            number, total = data.shipment
            of = _("%(number)d of %(total)d") if total > 1 else "%(number)d"
            rows.append((_("Shipment"), of % {"number": number, "total": total}))
        rows += [(_("Shipping method"), data.shipping_method), (pgettext("fiscal document", "Invoice"), data.invoice)]
        return [[label, value] for label, value in rows if value]

    def _reprint(self) -> str:
        printed = self.data.reprint
        if printed is None:
            return ""
        when = self.formats.moment(printed.at)
        if not printed.by:
            return _("Reprint: printed before on %(when)s") % {"when": when}
        return _("Reprint: printed before on %(when)s by %(who)s") % {"when": when, "who": printed.by}

    def _table(self) -> dict[str, Any]:
        """Headings and rows; the column of bins only where there is one."""
        lines = self.data.lines
        located = any(line.bin for line in lines)
        headings = [pgettext("in a warehouse", "Bin")] if located else []
        headings += [_("Quantity"), _("SKU"), _("Article")]
        rows = [
            {"bin": line.bin, "quantity": self.formats.number(line.quantity), "sku": line.sku, "title": line.title}
            for line in lines
        ]
        return {"located": located, "headings": headings, "lines": rows}

    def _later(self, line: SlipLine) -> str:
        text = f"{self.formats.number(line.quantity)} × {line.title}"
        return f"{text} ({line.sku})" if line.sku else text

    def _returns(self, form: ReturnForm) -> dict[str, Any]:
        instructions = form.instructions or _(
            "Enter how many of which articles come back, and the number of the reason. Put this form into the parcel."
        )
        return {
            "title": _("Return form"),
            "instructions": instructions,
            "address": {"label": _("Send to"), **form.address.texts()},
            "reasons": {"label": _("Reasons"), "lines": list(form.reasons)},
            "wanted": {
                "label": pgettext("on a return form", "I would like"),
                "lines": [pgettext("on a return form", "my money back"), pgettext("on a return form", "an exchange")],
            },
            "headings": [_("Coming back"), _("Reason no."), _("Delivered"), _("SKU"), _("Article")],
            "code": bar_mark(self.data.code, shown=grouped(self.data.code)),
            "qr": qr_svg(form.url, mask=MASK) if form.url else "",
            "online": _("Or announce your return here:") if form.url else "",
            "url": form.url,
        }
