"""Goods of a return are here: counted and looked at line by line, what is good goes into the stock again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.carriers.events import TrackingState
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Return, ReturnLine, Shipment, ShipmentLine
from oscar_fulfillment.models.returns import APPROVED, RECEIVED, REFUND, REQUESTED
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, RETURNED

from . import messages, oscar_events, parcels, stock
from .door import move
from .return_rows import (
    UNDELIVERABLE,
    check_units,
    made_by,
    move_return,
    name_return,
    read_lines,
    write_return,
)
from .shipments import ShipmentBook

RECEIVE = Move("shipping", "receive_return")
#: How long a note on a line may be.
NOTE = 500
#: (units back into the stock, units damaged, note) per order line pk.
Inspected = Mapping[int, tuple[int, int, str]]


@dataclass(frozen=True)
class _Line:
    restocked: int
    damaged: int
    note: str

    @property
    def received(self) -> int:
        return self.restocked + self.damaged


def receive_return(
    *,
    ret: Return,
    lines: Inspected,
    actor: Actor,
    note: str = "",
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> Return:
    """Say what of a return is here, and in which state. Less than announced is fine; the rest can be announced anew.

    Good units go into the stock, damaged ones do not. A shipment all of whose units are back is returned, and the order
    once all of them are. A return that nobody approved can be received too: the parcel is here. :class:`InvalidInput`
    for more than was announced, or nothing at all.
    """
    typed, note = _read(lines), clean_text("note", note)

    def write(step: Step, row: Return) -> None:
        _receive(step, row, typed, note, notify)

    return move_return(
        ret, RECEIVE, actor=actor, sources=(REQUESTED, APPROVED), write=write, reason=note,
        expected_version=expected_version, key=key,
    )  # fmt: skip


def receive_unannounced(
    *,
    order: Any,
    lines: Inspected,
    actor: Actor,
    reasons: Mapping[int, str] | None = None,
    wants: str = REFUND,
    note: str = "",
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> Return:
    """A parcel with goods of an order has simply arrived: a return that begins with its receipt, see
    :func:`receive_return`. ``reasons`` per order line pk; else "another reason"."""
    typed, note = _read(lines), clean_text("note", note)
    found = {pk: (line.received, (reasons or {}).get(pk) or "other") for pk, line in typed.items()}

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            wanted = read_lines(found)
            check_units(step, wanted)
            if step.reasons:
                continue
            row = write_return(step, wanted, key=key, status=REQUESTED, wants=wants)
            _receive(step, row, typed, note, notify)
            if not step.reasons:
                row.save()

    change = move(
        order, RECEIVE, actor=actor, reason=note, effect=effect, expected_version=expected_version, key=key, lock=True
    )
    return made_by(change)


def _read(lines: Inspected) -> dict[int, _Line]:
    """What was typed, without the lines of which nothing came."""
    errors: dict[str, list[Any]] = {}
    found = {}
    for pk, (restocked, damaged, note) in lines.items():
        if restocked < 0 or damaged < 0:
            errors[f"line_{pk}"] = [_("Enter a number of units, or leave it empty.")]
            continue
        found[pk] = _Line(restocked, damaged, clean_text(f"note_{pk}", note, limit=NOTE))
    if errors:
        raise InvalidInput(errors)
    if not any(line.received for line in found.values()):
        raise InvalidInput({"lines": [_("Enter what has come back: at least one unit.")]})
    return found


def _receive(step: Step, row: Return, typed: Mapping[int, _Line], note: str, notify: bool) -> None:
    """Write what came: the return and its lines, shipments, stock, Oscar's event, the order's status."""
    locked = stock.lock_stock([step.subject.pk])
    announced = {line.line_id: line for line in row.lines.all()}
    _check_announced(typed, announced, locked)
    units = {pk: line.received for pk, line in typed.items() if line.received}
    book = ShipmentBook([step.subject.pk])
    undelivered = {pk for pk, line in announced.items() if line.reason == UNDELIVERABLE}
    back = _take_back(step, book, units, undelivered)
    if step.reasons:
        return
    for pk, row_line in announced.items():
        if line := typed.get(pk):
            row_line.restocked, row_line.damaged, row_line.note = line.restocked, line.damaged, line.note
    ReturnLine._default_manager.bulk_update(announced.values(), ["restocked", "damaged", "note"])
    stock.put_back(locked, {pk: line.restocked for pk, line in typed.items() if line.restocked})
    row.status, row.received_at = RECEIVED, step.now
    row.staff_note = "\n\n".join(text for text in (row.staff_note, note) if text)
    step.targets["shipping"] = book.resolve(
        step.subject.pk, has_backorder=step.subject.has_backorder, pending=step.state("shipping")
    )
    step.data |= {"lines": {str(pk): quantity for pk, quantity in units.items()}, "shipments": [s.pk for s in back]}
    if damaged := sum(line.damaged for line in typed.values()):
        step.data["damaged"] = damaged
    name_return(step, row)
    oscar_events.record_shipping(oscar_events.RETURNED, [(step.subject.order, units, f"R{row.number}")])
    if notify:
        messages.mail(step, messages.RETURN_RECEIVED, **{"return": row.pk})


def _check_announced(
    typed: Mapping[int, _Line], announced: Mapping[int, ReturnLine], locked: stock.LockedStock
) -> None:
    """More than was announced would be goods that nobody knows of: they are a return of their own."""
    errors: dict[str, list[Any]] = {}
    for pk, line in typed.items():
        most = announced[pk].quantity if pk in announced else 0
        if line.received > most:
            title = locked.lines[pk].title if pk in locked.lines else ""
            words = _("“%(title)s”: %(found)d received, but %(most)d announced. Open another return for the others.")
            errors[f"line_{pk}"] = [words % {"title": title, "found": line.received, "most": most}]
    if errors:
        raise InvalidInput(errors)


def _take_back(step: Step, book: ShipmentBook, units: Mapping[int, int], undelivered: set[int]) -> list[Shipment]:
    """Count the units as returned, the oldest shipment first; those are returned that have nothing left out there.

    Goods that could not be delivered come from the shipment whose parcels the carrier brought back, if there is one.
    """
    left, changed, back = dict(units), [], []
    gone = [s for s in book.of(step.subject.pk) if s.status in (DISPATCHED, DELIVERED)]
    if undelivered:
        brought = _brought_back(gone)
        gone.sort(key=lambda shipment: (shipment.pk not in brought, shipment.pk))
    for shipment in gone:
        lines = list(shipment.lines.all())
        for line in lines:
            taken = min(left.get(line.line_id, 0), line.quantity - line.returned)
            if taken:
                line.returned += taken
                left[line.line_id] -= taken
                changed.append(line)
        if all(line.returned == line.quantity for line in lines):
            shipment.status = RETURNED
            back.append(shipment)
    if any(left.values()):
        step.refuse(Reason("too_many_back", _("More would come back than was sent.")))
        return []
    ShipmentLine._default_manager.bulk_update(changed, ["returned"])
    Shipment._default_manager.bulk_update(back, ["status"])
    parcels.come_back_with(back)
    return back


def _brought_back(shipments: Sequence[Shipment]) -> set[int]:
    """Those all of whose parcels are at the sender again, by their carrier's word."""
    states: dict[int, set[str]] = {}
    rows = parcels.Parcel._default_manager.filter(shipment__in=shipments).exclude(status=CANCELLED)
    for pk, state in rows.values_list("shipment_id", "tracking_state"):
        states.setdefault(pk, set()).add(state)
    return {pk for pk, found in states.items() if found == {TrackingState.RETURNED}}
