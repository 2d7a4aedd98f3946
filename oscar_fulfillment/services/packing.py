"""Packing by scan: each article is counted into the open box, and what does not belong there is refused.

    open_packing -> scan_article (count_line, undo_scan, next_box) ... -> close_packing: "packed" in the history

Everything is in the database: another device, a second packer or a crash loses nothing. Each write holds the order's
row, as the steps that move its goods do, and reads what it decides by under that lock. Refusals are
:class:`TransitionNotAllowed` with a reason; nothing is changed then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.models import Packing, PackingScan
from oscar_fulfillment.models.shipment import PENDING
from oscar_fulfillment.selectors.packing import PackingLine, PackingState, find_lines
from oscar_fulfillment.selectors.scan_desk import goods_refusals, name_of_article

from .packing_rows import (
    box_of,
    check_units,
    check_weight,
    close_box,
    hold,
    in_other_hands,
    lock_order,
    move_units,
    new_box,
    person,
    put_in,
    read_shipment,
    refuse,
    surplus,
)


@dataclass(frozen=True)
class Counted:
    """What a scan came to: the line, and how far it and the shipment are."""

    state: PackingState
    line: PackingLine
    units: int
    #: The same scan was counted before: nothing was added now.
    is_repeated: bool = False

    @property
    def is_complete(self) -> bool:
        return self.state.is_complete


def open_packing(*, shipment: int, actor: Actor, take_over: bool = False) -> Packing:
    """Begin to pack a shipment, or go on. Refused for goods that may not leave, and while another person packs it;
    ``take_over`` takes it out of their hands.
    """
    with transaction.atomic():
        lock_order(shipment)
        row: Any = read_shipment(shipment)
        if reasons := goods_refusals(row):
            raise TransitionNotAllowed(reasons)
        packing: Packing | None = getattr(row, "packing", None)
        if packing is None:
            if row.open_box is None and row.packed_boxes:
                raise refuse("packed_already", _("This shipment is packed already."))
            box: int = row.open_box or new_box(row, row.last_box).pk
            return Packing._default_manager.create(
                shipment=row, box_id=box, packer=actor.user, packer_label=actor.label, begun_at=timezone.now()
            )
        if packing.packer_id is not None and packing.packer_id != person(actor) and not take_over:
            raise in_other_hands(packing.packer_label)
        if packing.packer_id != person(actor):
            packing.packer, packing.packer_label = actor.user, actor.label
            packing.save(update_fields=["packer", "packer_label"])
        return packing


def scan_article(
    *, shipment: int, actor: Actor, text: str, key: str, quantity: int = 1, take_out: bool = False
) -> Counted:
    """Count the article that was scanned (its EAN, UPC or SKU): into the open box, or ``take_out`` of a box.

    ``key`` is the caller's name of this scan: sent again it counts once. Refused: what is not in this shipment, or
    more of it than the shipment holds (or, taken out, than is in one of its boxes).
    """
    units = -check_units(quantity) if take_out else check_units(quantity)
    with transaction.atomic():
        state = hold(shipment, actor, key)
        lines = find_lines(text, state.lines)
        if not lines:
            raise _wrong_article(text)
        # The same article may be on several lines: the first that takes these units.
        line = next((line for line in lines if 0 <= line.counted + units <= line.quantity), lines[0])
        return _count(state, line, units, key)


def count_line(*, shipment: int, actor: Actor, line: int, key: str, quantity: int) -> Counted:
    """Count units of an order line (its id) without scanning each; below zero: take so many out."""
    with transaction.atomic():
        state = hold(shipment, actor, key)
        found = state.line(line)
        if found is None:
            raise refuse("wrong_article", _("This article is not in this shipment."))
        return _count(state, found, (1 if quantity > 0 else -1) * check_units(abs(quantity)), key)


def undo_scan(*, shipment: int, actor: Actor, scan: str) -> Counted:
    """Take a scan (its ``key``) back. Asked for again it changes nothing."""
    with transaction.atomic():
        state = hold(shipment, actor)
        row = PackingScan._default_manager.filter(packing=state.packing, key=scan).first()
        line = state.line(row.line_id) if row is not None else None
        if row is None or line is None:
            raise refuse("nothing_to_undo", _("There is no scan to take back."))
        if row.is_undone:
            return Counted(state, line, 0, is_repeated=True)
        if row.quantity < 0 and line.missing < -row.quantity:
            raise surplus(line)
        PackingScan._default_manager.filter(pk=row.pk).update(is_undone=True)
        move_units(state, line, -row.quantity, row.box_id)
        return Counted(state, line, -row.quantity)


def next_box(*, shipment: int, actor: Actor, box: int, weight: int | None = None) -> Packing:
    """Close the open ``box`` (its id) and go on with another; asked for again it changes nothing.

    ``weight`` in grams. Refused for an empty box, and once everything is in.
    """
    weight = check_weight(weight)
    with transaction.atomic():
        state = hold(shipment, actor)
        packing = Packing._default_manager.select_related("box").get(shipment=shipment)
        if packing.box_id != box:
            return packing
        if not packing.box.lines.exists():
            raise refuse("empty_box", _("The box is empty: scan what goes into it."))
        if state.is_complete:
            raise refuse("all_in", _("Everything is in: no other box is needed."))
        close_box(packing.box, actor, weight)
        row: Any = read_shipment(shipment)
        packing.box_id = row.open_box or new_box(row, row.last_box).pk
        packing.save(update_fields=["box"])
        return packing


def put_aside(*, shipment: int, actor: Actor) -> None:
    """Leave a shipment as it is, for whoever goes on with it."""
    with transaction.atomic():
        hold(shipment, actor)
        Packing._default_manager.filter(shipment=shipment).update(packer=None, packer_label="")


def reopen_packing(*, shipment: int, actor: Actor) -> Packing:
    """Open the last box of a packed shipment again. Refused once it has left."""
    with transaction.atomic():
        lock_order(shipment)
        row = read_shipment(shipment)
        if reasons := goods_refusals(row):
            raise TransitionNotAllowed(reasons)
        found = getattr(row, "packing", None)
        box = row.parcels.filter(status=PENDING).exclude(packed_at=None).order_by("-number").first()
        if found is not None or box is None:
            raise refuse("not_packed", _("This shipment is not packed yet."))
        box.packed_at, box.packed_by_label = None, ""
        box.save(update_fields=["packed_at", "packed_by_label"])
        return Packing._default_manager.create(
            shipment=row, box=box, packer=actor.user, packer_label=actor.label, begun_at=timezone.now()
        )


def _count(state: PackingState, line: PackingLine, units: int, key: str) -> Counted:
    key = key.strip()
    if not key or len(key) > 64 or not key.isprintable():
        raise InvalidInput({"scan": [_("The form is damaged. Load the page again.")]})
    if state.seen:
        return Counted(state, line, 0, is_repeated=True)
    if line.counted + units > line.quantity:
        raise surplus(line)
    if units > 0:
        put_in(state.box, line.pk, units, (state.packing, key))
        line.counted += units
        return Counted(state, line, units)
    box = box_of(state, line, -units)
    values = {"packing_id": state.packing, "key": key, "box_id": box, "line_id": line.pk, "quantity": units}
    PackingScan._default_manager.create(**values, scanned_at=timezone.now())
    move_units(state, line, units, box)
    return Counted(state, line, units)


def _wrong_article(text: str) -> TransitionNotAllowed:
    if name := name_of_article(text):
        return refuse("wrong_article", _("Wrong article: “%(article)s” is not in this shipment.") % {"article": name})
    shown = "".join(c for c in text.strip() if c.isprintable())[:40]
    return refuse("wrong_article", _("“%(code)s” is no article of this shipment.") % {"code": shown})
