"""Shipments that are still here, divided and put together. The order's statuses stay as they are.

What is in a shipment is its own: a fiscal document names its goods, a carrier was told of its boxes. So a part keeps
the document of the whole, only shipments of one document are put together, and none whose carriage is ordered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import CarrierOrder, Packing, Parcel, ParcelLine, Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.models.shipment import CANCELLED, PENDING

from .door import move
from .shipments import ShipmentBook, divide

SPLIT = Move("shipment", "split_shipment", is_record=True)
MERGE = Move("shipment", "merge_shipments", is_record=True)


def split_shipment(
    *,
    order: Any,
    shipment: int,
    quantities: Mapping[int, int],
    actor: Actor,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Take units (per line pk) out of a shipment that is still here, into a new one of the same fiscal document.

    Boxes stay with what is left, and so do the units that were counted into them. :class:`InvalidInput` by
    ``line_<pk>`` for a foreign line or more than there is, by ``quantities`` for none or all of it; refused for a
    shipment that has left, or whose carriage is ordered.
    """
    wanted = {pk: quantity for pk, quantity in quantities.items() if quantity}

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            found = _free_to_change(step, ShipmentBook([step.subject.pk]), [shipment])
            if not found:
                continue
            held = {line.line_id: line.quantity for line in found[0].lines.all()}
            _check_units(wanted, held, _counted_in(found[0]))
            stays = {pk: units - wanted.get(pk, 0) for pk, units in held.items() if units > wanted.get(pk, 0)}
            (new,) = divide(step, [(found[0], stays, wanted)])
            step.data |= {"shipments": [found[0].pk, new.pk], "lines": {str(pk): n for pk, n in wanted.items()}}

    return move(order, SPLIT, actor=actor, effect=effect, expected_version=expected_version, key=key, lock=True)


def _check_units(wanted: Mapping[int, int], held: Mapping[int, int], boxed: Mapping[int, int]) -> None:
    errors = {}
    for pk, units in wanted.items():
        most = held.get(pk, 0) - boxed.get(pk, 0)
        if pk not in held:
            errors[f"line_{pk}"] = [_("This is not in the shipment.")]
        elif units < 0 or units > held[pk]:
            errors[f"line_{pk}"] = [_("Choose between 0 and %(most)d.") % {"most": held[pk]}]
        elif units > most:
            errors[f"line_{pk}"] = [_("At most %(most)d: the others are packed already.") % {"most": most}]
    if errors:
        raise InvalidInput(errors)
    if not wanted:
        raise InvalidInput({"quantities": [_("Choose what goes into the new shipment.")]})
    if sum(wanted.values()) == sum(held.values()):
        raise InvalidInput({"quantities": [_("Leave something in the shipment, or do not split it.")]})


def _counted_in(shipment: Shipment) -> dict[int, int]:
    """Units per line pk that somebody counted into its boxes."""
    rows = ParcelLine._default_manager.filter(parcel__shipment=shipment).exclude(parcel__status=CANCELLED)
    return dict(rows.order_by().values_list("line_id").annotate(Sum("quantity")))


def merge_shipments(
    *, order: Any, shipments: Collection[int], actor: Actor, expected_version: int | None = None, key: str = ""
) -> StatusChange:
    """Put shipments that are still here into the first of them (the one that the customer was told to collect, if any).

    Their boxes move along; the emptied ones stay as cancelled, so that the history can name them. Refused for
    shipments of different fiscal documents, or whose carriage is ordered; :class:`InvalidInput` for less than two.
    """
    wanted = sorted(set(shipments))
    if len(wanted) < 2:
        raise InvalidInput({"shipments": [_("Choose at least two shipments.")]})

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            found = _free_to_change(step, ShipmentBook([step.subject.pk]), wanted)
            if found and (reason := _do_not_fit(found)):
                step.refuse(reason)
            if step.reasons:
                continue
            found.sort(key=lambda each: (each.ready_at is None, each.number))
            _put_together(found[0], found[1:])
            step.data |= {"shipments": [each.pk for each in found], "into": found[0].pk}

    return move(order, MERGE, actor=actor, effect=effect, expected_version=expected_version, key=key, lock=True)


def _free_to_change(step: Step, book: ShipmentBook, wanted: Sequence[int]) -> list[Shipment]:
    """These shipments of the order, all of them still here, ordered from no carrier and on no packing table; else []
    and a refusal."""
    found = [each for each in book.of(step.subject.pk, PENDING) if each.pk in wanted]
    if len(found) < len(wanted):
        step.refuse(Reason("not_pending", _("This shipment does not wait to be sent.")))
    elif CarrierOrder._default_manager.filter(shipment__in=found, status__in=CarrierOrder.STANDING).exists():
        step.refuse(
            Reason(
                "carriage_ordered",
                _("The carriage is ordered with these goods."),
                _("Cancel it at the carrier first"),
            )
        )
    elif Packing._default_manager.filter(shipment__in=found).exists():
        step.refuse(Reason("being_packed", _("These goods are being packed."), _("Finish it at the scan desk")))
    return [] if step.reasons else found


def _do_not_fit(shipments: Sequence[Shipment]) -> Reason | None:
    if len({each.invoice_id for each in shipments}) > 1:
        return Reason("other_invoice", _("These shipments have different fiscal documents."))
    if len({each.replaces_id for each in shipments}) > 1:
        return Reason("other_return", _("What replaces returned goods is sent by itself."))
    if sum(each.ready_at is not None for each in shipments) > 1:
        return Reason("ready_already", _("The customer has a pick-up code for each of these shipments."))
    return None


def _put_together(into: Shipment, others: Sequence[Shipment]) -> None:
    units = {line.line_id: line.quantity for line in into.lines.all()}
    for other in others:
        for line in other.lines.all():
            units[line.line_id] = units.get(line.line_id, 0) + line.quantity
    ShipmentLine._default_manager.filter(shipment__in=[into, *others]).delete()
    ShipmentLine._default_manager.bulk_create(
        ShipmentLine(shipment=into, line_id=pk, quantity=quantity) for pk, quantity in sorted(units.items())
    )
    _move_boxes(into, others)
    # What was ordered and taken back, or refused, is told where the goods are.
    CarrierOrder._default_manager.filter(shipment__in=others).update(shipment=into)
    Shipment._default_manager.filter(pk__in=[other.pk for other in others]).update(status=CANCELLED)


def _move_boxes(into: Shipment, others: Sequence[Shipment]) -> None:
    """Boxes keep their order and go on counting where the first shipment's end."""
    count = into.parcels.order_by("-number").values_list("number", flat=True).first() or 0
    boxes = Parcel._default_manager.filter(shipment__in=others).order_by("shipment", "number")
    moved = []
    for place, box in enumerate(boxes, count + 1):
        box.shipment, box.number = into, place
        moved.append(box)
    if moved:
        Parcel._default_manager.bulk_update(moved, ["shipment", "number"])
