"""The picking list: what is to be fetched for many orders, in the order of the bins, each article once."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from . import render
from .formats import Formats
from .renderer import DocumentError


@dataclass(frozen=True)
class Wanted:
    """Units of one article for one order. ``key`` says which article it is: the same for all its orders."""

    key: Hashable
    order: str
    quantity: int
    title: str
    sku: str = ""
    bin: str = ""


@dataclass
class Pick:
    """One article in one bin: how many, and which orders take how many."""

    bin: str
    sku: str
    title: str
    orders: dict[str, int] = field(default_factory=dict)

    @property
    def quantity(self) -> int:
        return sum(self.orders.values())


@dataclass(frozen=True)
class PickingData:
    """Everything a picking list says. ``made`` is in the shop's time zone; ``part`` is its number and how many there
    are, where the orders were too many for one."""

    shop: str
    made: datetime
    language: str
    wanted: tuple[Wanted, ...]
    part: tuple[int, int] | None = None


def collect(wanted: Iterable[Wanted]) -> list[Pick]:
    """The articles by bin, then by title; a bin "A2" comes before "A10", articles without a bin come last."""
    found: dict[tuple[str, Hashable], Pick] = {}
    for line in wanted:
        pick = found.setdefault((line.bin, line.key), Pick(line.bin, line.sku, line.title))
        pick.orders[line.order] = pick.orders.get(line.order, 0) + line.quantity
    return sorted(found.values(), key=lambda pick: (not pick.bin, _natural(pick.bin), _natural(pick.title), pick.sku))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Digits count as numbers, letters without regard to their case."""
    pieces = re.split(r"([0-9]{1,18})", text.casefold())
    return [(0, int(piece), "") if at % 2 else (1, 0, piece) for at, piece in enumerate(pieces) if piece]


def render_picking_list(data: PickingData) -> bytes:
    """The PDF, in the language of who picks. Raises :class:`DocumentError` where there is nothing to pick."""
    if not data.wanted:
        raise DocumentError("there is nothing to pick")
    with translation.override(data.language):
        return render("picking_list", _document(data), created=data.made.date())


def _document(data: PickingData) -> dict[str, Any]:
    formats = Formats(data.language)
    picks = collect(data.wanted)
    orders = len({line.order for line in data.wanted})
    units = sum(pick.quantity for pick in picks)
    located = any(pick.bin for pick in picks)
    title = _("Picking list")
    if data.part and data.part[1] > 1:
        title = _("Picking list, part %(number)d of %(total)d") % {"number": data.part[0], "total": data.part[1]}
    headings = [pgettext("in a warehouse", "Bin")] if located else []
    sums = [
        ngettext("%(count)s order", "%(count)s orders", orders) % {"count": formats.number(orders)},
        ngettext("%(count)s article", "%(count)s articles", len(picks)) % {"count": formats.number(len(picks))},
        ngettext("%(count)s item", "%(count)s items", units) % {"count": formats.number(units)},
    ]
    return {
        "language": formats.locale.language,
        "region": formats.locale.territory,
        "title": title,
        "shop": data.shop,
        "made": formats.moment(data.made),
        "page": _("Page"),
        "sums": sums,
        "located": located,
        "headings": [*headings, _("Quantity"), _("Article"), _("Orders")],
        "picks": [
            {
                "bin": pick.bin, "quantity": formats.number(pick.quantity), "sku": pick.sku, "title": pick.title,
                "orders": [[number, formats.number(quantity)] for number, quantity in pick.orders.items()],
            }
            for pick in picks
        ],
    }  # fmt: skip
