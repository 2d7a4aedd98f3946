"""A shipment as the scan desk shows it, in a number of queries that does not grow with its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Prefetch

from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import Packing, Parcel, ParcelLine, Shipment
from oscar_fulfillment.models.shipment import PENDING

from .order_page import image_url, lines_with_pictures
from .packing import PackingLine, PackingState, read_packing
from .scan_desk import goods_refusals

#: What can be done with a shipment at the desk.
REFUSED, NEW, ASIDE, OTHERS, COUNTING, PACKED = "refused", "new", "aside", "others", "counting", "packed"


@dataclass
class DeskLine:
    """A line of the shipment: its picture's URL ("" without one), its stock record, and where it lies, which whoever
    shows it asks the shop."""

    counted: PackingLine
    image: str = ""
    stockrecord: Any = None
    bin: str = ""


@dataclass
class DeskPage:
    """Everything about one shipment. ``stage`` is one of this module's words."""

    shipment: Shipment
    state: PackingState
    stage: str
    lines: list[DeskLine]
    boxes: list[Parcel]
    packing: Packing | None
    reasons: list[Reason] = field(default_factory=list)
    #: The name of the last scan that counts, "" if there is none to take back.
    last_scan: str = ""

    @property
    def order(self) -> Any:
        return self.shipment.fulfillment.order

    @property
    def box(self) -> Parcel | None:
        """The open box."""
        return next((box for box in self.boxes if self.packing is not None and box.pk == self.packing.box_id), None)

    @property
    def blank(self) -> Parcel | None:
        """The next box that has no tracking code."""
        return next((box for box in self.boxes if not box.tracking_code), None)


def desk_page(pk: int, user: Any) -> DeskPage | None:
    """The shipment for this person; None where there is no such, or nothing is in it."""
    rows = Shipment._default_manager.select_related("fulfillment__order", "fulfillment__payment_method", "packing")
    row = rows.filter(pk=pk).first()
    state = read_packing(pk) if row is not None else None
    if row is None or state is None:
        return None
    boxes = list(
        row.parcels.filter(status=PENDING)
        .order_by("number")
        .prefetch_related(Prefetch("lines", ParcelLine._default_manager.select_related("line")))
    )
    packing: Packing | None = getattr(row, "packing", None)
    reasons = goods_refusals(row)
    stage = REFUSED if reasons else _stage(packing, boxes, user)
    page = DeskPage(row, state, stage, [], boxes, packing, reasons)
    rows = lines_with_pictures().filter(pk__in=[line.pk for line in state.lines]).select_related("stockrecord__product")
    known = {line.pk: line for line in rows}
    page.lines = [
        DeskLine(line, image_url(known[line.pk]), known[line.pk].stockrecord)
        for line in state.lines
        if line.pk in known
    ]
    if packing is not None and stage == COUNTING:
        scans = packing.scans.filter(is_undone=False).order_by("-pk")
        page.last_scan = scans.values_list("key", flat=True).first() or ""
    return page


def _stage(packing: Packing | None, boxes: list[Parcel], user: Any) -> str:
    if packing is not None:
        if packing.packer_id is None:
            return ASIDE
        return COUNTING if packing.packer_id == user.pk else OTHERS
    return PACKED if boxes and all(box.packed_at for box in boxes) else NEW


def packed_by(user: Any) -> list[Shipment]:
    """What this person has on the table, the latest first."""
    rows = Shipment._default_manager.filter(packing__packer=user, status=PENDING)
    return list(rows.select_related("fulfillment__order", "packing").order_by("-packing__begun_at")[:20])
