"""What follows packing: the boxes are closed, get their tracking codes by scan, and leave."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers, offered, suggest
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.keyboard import readings
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import CarrierOrder, Packing, PackingScan, Parcel, ParcelLine, Shipment, StatusChange
from oscar_fulfillment.models.shipment import DISPATCHED, PENDING
from oscar_fulfillment.selectors.packing import find_lines, read_packing
from oscar_fulfillment.selectors.scan_desk import goods_refusals

from . import parcels, shipping
from .door import move
from .packing_rows import check_weight, close_box, in_other_hands, refuse
from .shipments import ShipmentBook, split_off

PACK = Move("shipment", "pack", is_record=True)


def close_packing(*, shipment: int, actor: Actor, weight: int | None = None, in_part: bool = False) -> StatusChange:
    """Say that everything is in its boxes; ``weight`` (grams) is the open box's. Once per packing: asked for again it
    returns the first result.

    Refused while something is missing, unless ``in_part``: what is missing stays behind as a shipment of its own.
    """
    weight = check_weight(weight)
    row = Shipment._default_manager.select_related("fulfillment__order").filter(pk=shipment).first()
    packing = Packing._default_manager.filter(shipment=shipment).first()
    if row is None:
        raise refuse("no_shipment", _("There is no such shipment any more."))
    if packing is None:
        return _packed_before(row)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if reasons := _not_to_be_closed(step, shipment, actor, in_part):
                step.reasons += reasons
                continue
            if in_part:
                _leave_the_rest(step, shipment)
            if step.reasons:
                continue
            boxes = _close(shipment, packing, actor, weight)
            step.data |= {"shipment": shipment, "boxes": len(boxes)}
            if weights := sum(box.weight or 0 for box in boxes):
                step.data["weight"] = weights

    key = f"pack:{packing.pk}"
    return move(row.fulfillment.order, PACK, actor=actor, effect=effect, key=key, lock=True)


def _packed_before(row: Shipment) -> StatusChange:
    changes = StatusChange._default_manager.filter(
        fulfillment=row.fulfillment_id, machine=PACK.machine, action=PACK.action
    )
    found = next((change for change in changes if change.data.get("shipment") == row.pk), None)
    if found is None:
        raise refuse("not_packing", _("Nobody is packing this shipment."), _("Scan its slip first"))
    return found


def _not_to_be_closed(step: Step, shipment: int, actor: Actor, in_part: bool) -> list[Reason]:
    state = read_packing(shipment)
    if state is None or state.packing is None:
        return [Reason("not_packing", _("Nobody is packing this shipment."), _("Scan its slip first"))]
    if state.packer is None or actor.user is None or state.packer != actor.user.pk:
        return in_other_hands(state.packer_label).reasons
    row = Shipment._default_manager.select_related("fulfillment__payment_method").get(pk=shipment)
    row.fulfillment = step.subject
    if reasons := goods_refusals(row):
        return reasons
    if any(line.counted > line.quantity for line in state.lines):
        return [Reason("surplus", _("There is more in the boxes than the shipment holds: take it out."))]
    if not state.counted:
        return [Reason("empty_box", _("The box is empty: scan what goes into it."))]
    if not state.is_complete and not in_part:
        return [Reason("incomplete", _("Not everything is in yet."))]
    return []


def _leave_the_rest(step: Step, shipment: int) -> None:
    """What was not counted gets a shipment of its own."""
    state = read_packing(shipment)
    assert state is not None
    if state.is_complete:
        return
    book = ShipmentBook([step.subject.pk])
    row = next(row for row in book.of(step.subject.pk, PENDING) if row.pk == shipment)
    split_off(book, step, [row], {line.pk: line.counted for line in state.lines if line.counted})
    step.data["missing"] = state.quantity - state.counted


def _close(shipment: int, packing: Packing, actor: Actor, weight: int | None) -> list[Parcel]:
    """Close the open box, drop those that stayed empty, and clear the table."""
    boxes = list(Parcel._default_manager.filter(shipment=shipment, status=PENDING).order_by("number"))
    filled = set(ParcelLine._default_manager.filter(parcel__in=boxes).values_list("parcel_id", flat=True))
    PackingScan._default_manager.filter(packing=packing.pk).delete()
    Packing._default_manager.filter(pk=packing.pk).delete()
    empty = [box for box in boxes if box.pk not in filled and not box.tracking_code]
    Parcel._default_manager.filter(pk__in=[box.pk for box in empty]).delete()
    kept = [box for box in boxes if box not in empty]
    for box in kept:
        if box.packed_at is None:
            close_box(box, actor, weight if box.pk == packing.box_id else None)
    return kept


@dataclass(frozen=True)
class Leaving:
    """How far a shipment's boxes are. ``blank`` is the next that needs a code; None: it has left, by ``change``."""

    shipment: Shipment
    boxes: list[Parcel]
    blank: Parcel | None = None
    change: StatusChange | None = None


def dispatch_by_code(
    *,
    shipment: int,
    actor: Actor,
    text: str,
    carrier: str = "",
    box: int | None = None,
    weight: int | None = None,
) -> Leaving:
    """Give the next box (or ``box``, its id) the tracking code that was scanned; with the last one the shipment leaves.

    ``carrier`` defaults to the shipping method's. :class:`InvalidInput` for what is no tracking code: also an article
    of this shipment, or a code of our own, so that a scan too many is no tracking code.
    """
    weight = check_weight(weight)
    if (before := _left_with(shipment, text)) is not None:
        return before
    row, boxes = _to_leave(shipment)
    typed = _read_code(row, text, carrier)
    known = [each.tracking_code for each in boxes if each.tracking_code]
    if typed["tracking_code"] in known:
        raise InvalidInput({"tracking_code": [_("This code is on another box already.")]})
    blanks = [each for each in boxes if not each.tracking_code]
    named = next((each for each in blanks if each.pk == box), blanks[0] if blanks else None)
    if box is not None and blanks and named is not None and named.pk != box:
        raise InvalidInput({"tracking_code": [_("This box has its code already.")]})
    if named is not None:
        rest = [each for each in blanks if each is not named]
        if weight is not None:
            Parcel._default_manager.filter(pk=named.pk).update(weight=weight)
        if rest:
            if not Parcel._default_manager.filter(pk=named.pk, status=PENDING, tracking_code="").update(**typed):
                raise InvalidInput({"tracking_code": [_("This box has its code already.")]})
            return Leaving(row, boxes, rest[0])
    codes = [{"carrier": each.carrier, "tracking_code": each.tracking_code} for each in boxes if each.tracking_code]
    return _leave(row, actor, boxes, [*codes, typed])


def _left_with(shipment: int, text: str) -> Leaving | None:
    """The first result, where the shipment has left with this very code: the answer was lost, and it is asked again."""
    codes = [reading.replace(" ", "").upper() for reading in readings(text)]
    boxes = Parcel._default_manager.filter(shipment=shipment, status=DISPATCHED, tracking_code__in=codes)
    box = boxes.select_related("shipment__fulfillment__order").first() if text.strip() else None
    if box is None:
        return None
    row = box.shipment
    steps = StatusChange._default_manager.filter(fulfillment=row.fulfillment_id, action=shipping.DISPATCH.action)
    change = next((step for step in steps.order_by("-sequence") if row.pk in step.data.get("shipments", [])), None)
    return Leaving(row, [box], None, change)


def dispatch_as_it_is(*, shipment: int, actor: Actor, carrier: str = "") -> Leaving:
    """Let a shipment leave with the codes that its boxes have, or with none (own van; the number comes later)."""
    row, boxes = _to_leave(shipment)
    codes = [{"carrier": each.carrier, "tracking_code": each.tracking_code} for each in boxes if each.tracking_code]
    return _leave(row, actor, boxes, codes or [{"carrier": carrier, "tracking_code": ""}])


def needs_code(row: Shipment, boxes: Sequence[Parcel]) -> bool:
    """Whether a code must be scanned before the shipment leaves: not where each box has one, and not where its carrier
    was asked for the number and gives it by itself."""
    if boxes and all(box.tracking_code for box in boxes):
        return False
    return not CarrierOrder._default_manager.filter(shipment=row.pk, status__in=CarrierOrder.STANDING).exists()


def usual_carrier(order: Any) -> str:
    """The carrier that the desk proposes: the shipping method's, else the shop's "other" one, "" without any."""
    return suggest(order) or next((alias for alias, _name in offered() if carriers.get(alias).is_generic), "")


def _to_leave(shipment: int) -> tuple[Shipment, list[Parcel]]:
    rows = Shipment._default_manager.select_related("fulfillment__order", "fulfillment__payment_method", "packing")
    row = rows.filter(pk=shipment).first()
    if row is None:
        raise refuse("no_shipment", _("There is no such shipment any more."))
    if getattr(row, "packing", None) is not None and row.status == PENDING:
        raise refuse("incomplete", _("This shipment is not packed to the end."), _("Pack it first"))
    if reasons := goods_refusals(row):
        raise TransitionNotAllowed(reasons)
    if row.fulfillment.is_collected:
        raise refuse("collected", _("The customer comes for these goods: they are handed over, not sent."))
    return row, list(row.parcels.filter(status=PENDING).order_by("number"))


def _read_code(row: Shipment, text: str, carrier: str) -> dict[str, str]:
    order = row.fulfillment.order
    alias = carrier or usual_carrier(order)
    if not text.strip():
        raise InvalidInput({"tracking_code": [_("Scan the tracking code.")]})
    if scan_codes.parse(text) is not None or text.strip() == order.number:
        raise InvalidInput({"tracking_code": [_("This is a slip, not a tracking code. Scan the parcel's label.")]})
    state = read_packing(row.pk)
    if state is not None and (lines := find_lines(text, state.lines)):
        message = _("This is an article (%(article)s), not a tracking code. Scan the parcel's label.")
        raise InvalidInput({"tracking_code": [message % {"article": lines[0].title}]})
    first: InvalidInput | None = None
    for reading in readings(text):
        try:
            return parcels.read_parcel(carrier=alias, tracking_code=reading, order=order)
        except InvalidInput as error:
            first = first or error
    assert first is not None
    raise first


def _leave(row: Shipment, actor: Actor, boxes: list[Parcel], typed: Sequence[dict[str, str]]) -> Leaving:
    # The same codes again are the same step, another code is not.
    words = "|".join(each["tracking_code"] for each in typed)
    key = f"desk:{row.pk}:{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    change = shipping.dispatch_order(
        order=row.fulfillment.order, actor=actor, shipment=row.pk, boxes=list(typed), key=key
    )
    return Leaving(row, boxes, None, change)
