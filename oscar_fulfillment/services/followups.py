"""Follow-ups: what a person has to do, opened by the steps that cause it, closed with an outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import FollowUp

from .door import move

CALL, LATE_MONEY, OVERPAID, UNDERPAID = "call", "late_money", "overpaid", "underpaid"
HOLD_ENDS, RESERVATION_ENDS, MISMATCH = "hold_ends", "reservation_ends", "mismatch"
UNKNOWN_PAYMENT, OPERATION_FAILED, CHARGE_BACK = "unknown_payment", "operation_failed", "charge_back"
OVERDUE, PAYMENT_LOST = "overdue", "payment_lost"
WEBHOOK_OFF = "webhook_off"
NOTE_CANCELLED = "note_cancelled"
EXPORT_FAILED, OUTSIDE_REFUSED = "export_failed", "outside_refused"
#: What nobody need do any more once the money is in, or the order is off.
ABOUT_PAYING = (CALL, RESERVATION_ENDS, HOLD_ENDS, UNDERPAID, OVERDUE, PAYMENT_LOST)

KINDS: dict[str, Any] = {
    CALL: gettext_lazy("Call the customer"),
    RESERVATION_ENDS: gettext_lazy("Call: the reservation ends, agree a date"),
    LATE_MONEY: gettext_lazy("Money came for a cancelled order"),
    OVERPAID: gettext_lazy("Too much was paid"),
    UNDERPAID: gettext_lazy("Too little was paid"),
    HOLD_ENDS: gettext_lazy("A held payment is about to end"),
    MISMATCH: gettext_lazy("The provider's payment does not match the order"),
    UNKNOWN_PAYMENT: gettext_lazy("A payment that belongs to no order"),
    OPERATION_FAILED: gettext_lazy("The provider did not do what was asked"),
    CHARGE_BACK: gettext_lazy("The buyer's bank took the money back"),
    OVERDUE: gettext_lazy("The invoice is overdue"),
    PAYMENT_LOST: gettext_lazy("The payment failed, and the order cannot be cancelled by itself"),
    WEBHOOK_OFF: gettext_lazy("A webhook was switched off"),
    NOTE_CANCELLED: gettext_lazy("The note was cancelled at the tax office, but its goods have left"),
    EXPORT_FAILED: gettext_lazy("Another system did not take what it was sent"),
    OUTSIDE_REFUSED: gettext_lazy("Another system says what the order does not allow"),
}

#: What can come of a follow-up, for the choice when it is closed by hand.
OUTCOMES: dict[str, Any] = {
    "done": gettext_lazy("Done"),
    "reached": gettext_lazy("Customer reached"),
    "not_reached": gettext_lazy("Customer not reached"),
    "extended": gettext_lazy("A new date was agreed"),
    "restored": gettext_lazy("Order restored"),
    "refunded": gettext_lazy("Refunded"),
    "credited": gettext_lazy("Kept as a credit note"),
    "nothing": gettext_lazy("Nothing to do"),
}

ASSIGN = Move("followup", "assign_followup", is_record=True)
CLOSE = Move("followup", "close_followup", is_record=True)


def open_followup(
    *,
    kind: str,
    key: str,
    fulfillment_id: int | None = None,
    due_at: datetime | None = None,
    note: str = "",
    data: Mapping[str, Any] | None = None,
) -> bool:
    """Write a follow-up in the caller's transaction; the same ``key`` again does nothing. Whether it is new."""
    row = build_followup(kind=kind, key=key, fulfillment_id=fulfillment_id, due_at=due_at, note=note, data=data)
    return bool(open_followups([row]))


def build_followup(
    *,
    kind: str,
    key: str,
    fulfillment_id: int | None = None,
    due_at: datetime | None = None,
    note: str = "",
    data: Mapping[str, Any] | None = None,
) -> FollowUp:
    """A follow-up, unsaved, for :func:`open_followups`."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of follow-up {kind!r}")
    now = timezone.now()
    return FollowUp(
        fulfillment_id=fulfillment_id, kind=kind, key=key[:120], due_at=due_at or now, opened_at=now, note=note,
        data={name: str(value) for name, value in (data or {}).items()},
    )  # fmt: skip


def open_followups(rows: Sequence[FollowUp]) -> int:
    """Write any number of them in one statement, those left out whose key is there already; how many were new."""
    return len(insert_new(list(rows), returning=["id"])) if rows else 0


def assign_followup(*, followup: FollowUp, actor: Actor, assignee: Any) -> FollowUp:
    """Give an open follow-up to a member of staff, or (None) back to all."""
    if assignee is not None and not (assignee.is_active and assignee.is_staff):
        raise InvalidInput({"assignee": [_("Choose a member of staff.")]})

    def write(found: FollowUp) -> None:
        found.assignee = assignee
        found.save(update_fields=["assignee"])

    return _change(
        followup,
        ASSIGN,
        actor,
        write,
        {"to": (assignee.get_full_name() or assignee.get_username()) if assignee else ""},
    )


def close_followup(
    *, followup: FollowUp, actor: Actor, outcome: str, note: str = "", data: Mapping[str, Any] | None = None
) -> FollowUp:
    """Say what came of it. Closing one that is closed already is refused, so that two people see each other."""
    note = clean_text("outcome_note", note)
    if outcome not in OUTCOMES:
        raise InvalidInput({"outcome": [_("Choose what came of it.")]})

    def write(found: FollowUp) -> None:
        found.closed_at, found.closed_by_label = timezone.now(), actor.label
        found.outcome, found.outcome_note = outcome, note
        found.save(update_fields=["closed_at", "closed_by_label", "outcome", "outcome_note"])

    return _change(followup, CLOSE, actor, write, {"kind": followup.kind, "outcome": outcome, **(data or {})}, note)


def _change(
    followup: FollowUp, record: Move, actor: Actor, write: Any, data: Mapping[str, Any], reason: str = ""
) -> FollowUp:
    """Write to an open follow-up; where it belongs to an order, with a row in that order's history."""
    changed: list[FollowUp] = []

    def locked_write() -> None:
        found = lock_rows(FollowUp._default_manager.filter(pk=followup.pk, closed_at=None))
        if not found:
            raise FollowUpClosed(_("Somebody has closed this follow-up already."))
        write(found[0])
        changed[:] = found

    def effect(steps: Sequence[Step]) -> None:
        locked_write()

    if followup.fulfillment is None:
        with transaction.atomic():
            locked_write()
    else:
        order = followup.fulfillment.order
        move(order, record, actor=actor, data=dict(data), reason=reason, effect=effect, lock=True)
    return changed[0]


def close_for_orders(order_ids: Iterable[int], kinds: Sequence[str], outcome: str, label: str) -> int:
    """Close what a step has settled by itself, in its transaction; how many."""
    rows = FollowUp._default_manager.filter(fulfillment__in=list(order_ids), kind__in=list(kinds), closed_at=None)
    return rows.update(closed_at=timezone.now(), closed_by_label=label, outcome=outcome)


def close_by_keys(keys: Sequence[str], outcome: str, label: str) -> int:
    """The same for follow-ups by their keys."""
    rows = FollowUp._default_manager.filter(key__in=keys, closed_at=None)
    return rows.update(closed_at=timezone.now(), closed_by_label=label, outcome=outcome)


def close_by_prefix(prefix: str, outcome: str, label: str) -> int:
    """The same for all whose key begins so."""
    rows = FollowUp._default_manager.filter(key__startswith=prefix, closed_at=None)
    return rows.update(closed_at=timezone.now(), closed_by_label=label, outcome=outcome)


class FollowUpClosed(FulfillmentError):
    """Two people worked the same follow-up; the second one is told."""


def actor_fields(actor: Actor) -> dict[str, Any]:
    """Who asked, as columns of a row."""
    return {
        "actor": actor.user if actor.kind == USER else None,
        "actor_kind": actor.kind,
        "actor_label": actor.label,
    }
