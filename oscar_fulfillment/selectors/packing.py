"""A shipment on the packing table: what is in it, what is counted, who packs it. One query, whatever the lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum

from oscar_fulfillment.core.keyboard import readings
from oscar_fulfillment.core.prepared import Prepared
from oscar_fulfillment.models import PackingScan, ParcelLine, ShipmentLine
from oscar_fulfillment.models.shipment import PENDING

#: How many digits an article's number may have (GTIN-8, UPC-A, EAN-13, GTIN-14).
_GTIN = frozenset({8, 12, 13, 14})


@dataclass
class PackingLine:
    """Units of one order line. ``codes`` is what its bar code may hold; ``counted`` is what is in the
    boxes, over all of them."""

    pk: int
    title: str
    sku: str
    quantity: int
    counted: int
    codes: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        return self.counted == self.quantity

    @property
    def missing(self) -> int:
        return self.quantity - self.counted


@dataclass
class PackingState:
    """A shipment as a scan finds it. ``packing`` is None while nobody has begun, or once all is packed."""

    shipment: int
    status: str
    packing: int | None
    packer: int | None
    packer_label: str
    box: int | None
    #: Whether a scan of this name has been counted already.
    seen: bool
    lines: list[PackingLine] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return all(line.is_complete for line in self.lines)

    @property
    def counted(self) -> int:
        return sum(line.counted for line in self.lines)

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    def line(self, pk: int) -> PackingLine | None:
        return next((line for line in self.lines if line.pk == pk), None)


def _rows(shipment: int, key: str) -> QuerySet[ShipmentLine, Any]:
    boxed = ParcelLine._default_manager.filter(
        line=OuterRef("line"), parcel__shipment=OuterRef("shipment"), parcel__status=PENDING
    ).order_by()
    seen = PackingScan._default_manager.filter(packing__shipment=OuterRef("shipment"), key=key)
    return (
        ShipmentLine._default_manager.filter(shipment=shipment)
        .order_by("line_id")
        .values_list(
            "shipment__status", "shipment__packing__pk", "shipment__packing__packer",
            "shipment__packing__packer_label", "shipment__packing__box", "line", "line__title", "quantity",
            "line__partner_sku", "line__upc", "line__stockrecord__partner_sku", "line__product__upc",
            Subquery(boxed.values("line").annotate(units=Sum("quantity")).values("units")), Exists(seen),
        )
    )  # fmt: skip


#: Asked at every scan.
_ROWS = Prepared(ShipmentLine, _rows, -1_234_567, "a scan's name")


def read_packing(shipment: int, *, key: str = "") -> PackingState | None:
    """The state of a shipment, and whether the scan named ``key`` was counted; None where there is no such shipment."""
    rows = _ROWS.fetch(shipment, key)
    if not rows:
        return None
    status, packing, packer, label, box, *_rest, was_seen = rows[0]
    found = PackingState(shipment, status, packing, packer, label or "", box, bool(was_seen))
    for row in rows:
        pk, title, quantity, *codes, counted, _seen = row[5:]
        known = tuple(dict.fromkeys(code for code in codes if code))
        found.lines.append(PackingLine(pk, title, codes[0] or codes[2] or "", quantity, counted or 0, known))
    return found


def find_lines(text: str, lines: Sequence[PackingLine]) -> list[PackingLine]:
    """The lines whose article a scanned text names: as it came, else as another keyboard layout meant it."""
    for reading in readings(text):
        wanted = article_keys(reading)
        if found := [line for line in lines if wanted & _keys(line.codes)]:
            return found
    return []


def _keys(codes: Iterable[str]) -> set[str]:
    return {key for code in codes for key in article_keys(code)}


def article_keys(code: str) -> set[str]:
    """What a code is compared by: without regard to case, and an article's number of whatever length as GTIN-14.

    Scanners give a UPC with twelve digits or with a zero before them.
    """
    text = "".join(str(unicodedata.decimal(c, c)) for c in code.strip())
    keys = {text.casefold()} - {""}
    if text.isascii() and text.isdecimal() and len(text) in _GTIN:
        keys.add(text.zfill(14))
    return keys
