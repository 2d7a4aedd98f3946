"""The address label (A6): sender, recipient, carrier and a bar code, one for each parcel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from . import render
from .formats import Formats
from .marks import bar_mark
from .parties import Party
from .renderer import DocumentError
from .scan_codes import grouped, parse
from .sellers import Seller


@dataclass(frozen=True)
class LabelData:
    """Everything a label says. ``code`` is what its bar code holds: the carrier's tracking code, else a text of
    :mod:`scan_codes`. ``shipment`` and ``parcel`` are a number and how many there are; ``made`` is the day."""

    number: str
    made: date
    language: str
    seller: Seller
    recipient: Party
    code: str
    carrier: str = ""
    shipment: tuple[int, int] | None = None
    parcel: tuple[int, int] = (1, 1)


def render_labels(labels: Sequence[LabelData]) -> bytes:
    """One PDF of many labels, each a page of 105 by 148 mm. Raises :class:`DocumentError` where there are none."""
    if not labels:
        raise DocumentError("there is no address label to render")
    newest = max(data.made for data in labels)
    return render("address_label", {"documents": [_document(data) for data in labels]}, created=newest)


def _document(data: LabelData) -> dict[str, Any]:
    with translation.override(data.language):
        formats = Formats(data.language, data.seller.party.country)
        is_ours = parse(data.code) is not None
        facts = [[pgettext("of a customer", "Order"), data.number]]
        if data.shipment and data.shipment[1] > 1:
            facts.append([_("Shipment"), _of(data.shipment)])
        facts.append([pgettext("a box", "Parcel"), _of(data.parcel)])
        return {
            "language": formats.locale.language,
            "region": formats.locale.territory,
            "short": _("Label of order %(number)s") % {"number": data.number},
            "page": _("Page"),
            "sender": {"label": pgettext("on a parcel", "From"), "logo": data.seller.logo, **data.seller.party.texts()},
            "recipient": {"label": pgettext("on a parcel", "To"), **data.recipient.texts()},
            "carrier": data.carrier,
            "facts": facts,
            "code": bar_mark(data.code, shown=grouped(data.code) if is_ours else ""),
        }


def _of(place: tuple[int, int]) -> str:
    return _("%(number)d of %(total)d") % {"number": place[0], "total": place[1]}
