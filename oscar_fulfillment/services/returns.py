"""A return on its way here: asked for by the customer or by staff, approved or refused, given up.

A return is a case of its own beside the order's statuses: what is written here are records in the order's history. The
statuses follow when the goods are received, see ``inspecting``; what comes of them is in ``return_outcomes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Return, Shipment
from oscar_fulfillment.models.returns import APPROVED, CANCELLED, EXCHANGE, REFUND, REFUSED, REQUESTED
from oscar_fulfillment.selectors.return_units import balances

from . import messages, parcels
from .door import move
from .return_rows import UNDELIVERABLE, Wanted, check_units, made_by, move_return, read_lines, write_return

REQUEST = Move("return", "request_return", is_record=True)
APPROVE = Move("return", "approve_return", is_record=True)
REFUSE = Move("return", "refuse_return", is_record=True)
CANCEL = Move("return", "cancel_return", is_record=True)


def request_return(
    *,
    order: Any,
    lines: Wanted,
    actor: Actor,
    wants: str = REFUND,
    by_customer: bool = False,
    note: str = "",
    approve: bool = False,
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> Return:
    """Ask to send goods back: ``lines`` are (units, reason) per order line pk. The same ``key`` again asks once.

    Only what was sent, did not come back and is in no other return that waits for its goods; for a customer, only
    within RETURN_DAYS of the delivery. ``approve`` (staff) approves it at once. :class:`InvalidInput` for wrong lines,
    units, reasons and texts.
    """
    note = clean_text("note", note)
    if wants not in (REFUND, EXCHANGE):
        raise InvalidInput({"wants": [_("Choose money or an exchange.")]})
    wanted = read_lines(lines, by_customer=by_customer)
    made: list[Return] = []

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            check_units(step, wanted, by_customer=by_customer)
            if step.reasons:
                continue
            row = write_return(
                step,
                wanted,
                key=key,
                status=APPROVED if approve else REQUESTED,
                approved_at=step.now if approve else None,
                wants=wants,
                by_customer=by_customer,
                **{"customer_note" if by_customer else "staff_note": note},
            )
            made.append(row)
            step.data["lines"] = {str(pk): units for pk, (units, _reason) in wanted.items()}
            if approve:
                step.moves = [*step.moves, APPROVE]
            if notify:
                kind = messages.RETURN_APPROVED if approve else messages.RETURN_REQUESTED
                messages.mail(step, kind, **{"return": row.pk})
            if by_customer:
                messages.mail(step, messages.OPERATOR_RETURN, **{"return": row.pk})

    change = move(
        order, REQUEST, actor=actor, reason=note, effect=effect, expected_version=expected_version, key=key, lock=True
    )
    return made[0] if made else made_by(change)


def open_undelivered(shipment: Shipment, actor: Actor) -> Return | None:
    """The carrier brought every parcel of a shipment back: an approved return that waits to be inspected, once.

    None where its goods are in another return already.
    """
    key = f"undelivered-{shipment.pk}"
    made: list[Return] = []

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            found = balances(step.subject.pk, now=step.now)
            wanted = {
                line.line_id: (min(line.quantity - line.returned, found[line.line_id].returnable), UNDELIVERABLE)
                for line in shipment.lines.all()
                if line.line_id in found
            }
            wanted = {pk: pair for pk, pair in wanted.items() if pair[0] > 0}
            if not wanted:
                step.refuse(Reason("all_back", _("All goods of this shipment are in a return already.")))
                continue
            row = write_return(step, wanted, key=key, status=APPROVED, approved_at=step.now)
            made.append(row)
            step.moves = [*step.moves, APPROVE]
            step.data |= {
                "lines": {str(pk): units for pk, (units, _reason) in wanted.items()}, "shipment": shipment.pk,
            }  # fmt: skip

    try:
        change = move(shipment.fulfillment.order, REQUEST, actor=actor, effect=effect, key=key, lock=True)
    except TransitionNotAllowed:
        return None
    return made[0] if made else made_by(change)


def approve_return(
    *,
    ret: Return,
    actor: Actor,
    answer: str = "",
    carrier: str = "",
    tracking_code: str = "",
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> Return:
    """Say that the goods may come; the customer gets ``answer`` (how to send them) and the return slip by mail.

    ``carrier`` (an alias of the shop's) and ``tracking_code`` of the parcel that comes, where the shop sends a label.
    """
    answer = clean_text("answer", answer)
    parcel = _read_parcel(carrier, tracking_code)

    def write(step: Step, row: Return) -> None:
        row.status, row.approved_at, row.answer = APPROVED, step.now, answer
        for name, value in parcel.items():
            setattr(row, name, value)
        step.data |= {name: value for name, value in parcel.items() if value}
        if notify:
            messages.mail(step, messages.RETURN_APPROVED, **{"return": row.pk})

    return move_return(
        ret, APPROVE, actor=actor, sources=(REQUESTED,), write=write, reason=answer,
        expected_version=expected_version, key=key,
    )  # fmt: skip


def refuse_return(
    *,
    ret: Return,
    actor: Actor,
    reason: str,
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> Return:
    """Say that the goods shall not come. The ``reason`` is required, and told to the customer."""
    reason = clean_text("reason", reason, required=True)

    def write(step: Step, row: Return) -> None:
        row.status, row.closed_at, row.answer = REFUSED, step.now, reason
        if notify:
            messages.mail(step, messages.RETURN_REFUSED, **{"return": row.pk})

    return move_return(
        ret, REFUSE, actor=actor, sources=(REQUESTED,), write=write, reason=reason,
        expected_version=expected_version, key=key,
    )  # fmt: skip


def cancel_return(
    *,
    ret: Return,
    actor: Actor,
    reason: str = "",
    by_customer: bool = False,
    expected_version: int | None = None,
    key: str = "",
) -> Return:
    """Give a return up whose goods are not here; a customer can only while it is not approved."""
    reason = clean_text("reason", reason)

    def write(step: Step, row: Return) -> None:
        row.status, row.closed_at = CANCELLED, step.now

    sources = (REQUESTED,) if by_customer else (REQUESTED, APPROVED)
    return move_return(
        ret, CANCEL, actor=actor, sources=sources, write=write, reason=reason,
        expected_version=expected_version, key=key,
    )  # fmt: skip


def _read_parcel(carrier: str, tracking_code: str) -> dict[str, str]:
    """Carrier and code of the parcel that comes back; the code as typed where the shop names no carrier."""
    code = clean_text("tracking_code", tracking_code, limit=64)
    if not carrier:
        return {"carrier": "", "tracking_code": code}
    typed = parcels.read_parcel(carrier=carrier, tracking_code=code)
    return {"carrier": typed["carrier"], "tracking_code": typed["tracking_code"][:64]}
