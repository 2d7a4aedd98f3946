"""The third way for money that came too late (or too much): it is kept for the customer's next order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step, new_key
from oscar_fulfillment.models import CreditNote, StatusChange
from oscar_fulfillment.selectors.given_up import needed
from oscar_fulfillment.selectors.order_money import too_much

from . import followups, ledger
from .door import move

CREDIT = Move("ledger", "keep_credit", is_record=True)


def excess(order: Any) -> Decimal:
    """What the shop has of an order's money and the order does not need, credit notes taken off."""
    net = ledger.totals(order.pk).net
    return too_much(order.fulfillment, needed(order.fulfillment), net, credited(order.pk))


def credited(order_id: int) -> Decimal:
    """What was put on credit notes of an order."""
    notes = CreditNote._default_manager.filter(fulfillment=order_id)
    return sum(notes.values_list("amount", flat=True), Decimal(0))


def keep_as_credit(
    *,
    order: Any,
    actor: Actor,
    amount: Decimal,
    reason: str,
    most: Decimal | None = None,
    data: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Make a credit note over money that the order does not need. At most what is too much, or ``most``, where goods
    came back for it; a reason is required. ``data`` is kept in the history."""
    reason = clean_text("reason", reason, required=True)
    if amount <= 0:
        raise InvalidInput({"amount": [_("Enter a sum above zero.")]})
    key = key or new_key()

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            step.subject.order.fulfillment = step.subject
            left = excess(step.subject.order) if most is None else most
            if amount > left:
                message = _("At most %(sum)s is too much.") % {"sum": f"{left} {step.subject.order.currency}"}
                step.refuse(Reason("too_much", message))
                continue
            count = CreditNote._default_manager.filter(fulfillment=step.subject).count()
            note = CreditNote._default_manager.create(
                fulfillment=step.subject, number=f"{step.subject.number[-26:]}-C{count + 1}", key=key[:64],
                amount=amount, currency=step.subject.order.currency, email=step.subject.email, reason=reason,
                created_at=step.now, created_by_label=step.actor.label,
            )  # fmt: skip
            step.data |= {"amount": str(amount), "currency": note.currency, "number": note.number}
            if most is None and left == amount:
                settle_excess(step, "credited")

    return move(
        order, CREDIT, actor=actor, reason=reason, data=dict(data or {}), effect=effect,
        expected_version=expected_version, key=key, lock=True,
    )  # fmt: skip


def after_refund(step: Step) -> None:
    """Money went back: problems and follow-ups end once nothing is too much any more."""
    step.subject.order.fulfillment = step.subject
    if step.subject.problem == "refund_failed":
        step.fields["problem"] = ""
    # What went back for returned goods says nothing about what was paid beyond the order.
    if "return" not in step.data and not excess(step.subject.order):
        settle_excess(step, "refunded")
    if step.new_state("payment") == "refunded" and step.subject.awaits_payout:
        step.fields["awaits_payout"] = False  # nothing is left that could be paid out


def settle_excess(step: Step, outcome: str) -> None:
    """Nothing is too much any more: the problem and its follow-ups are over."""
    if step.subject.problem in ("late_money", "refund_due"):
        step.fields["problem"] = ""
    kinds = (followups.LATE_MONEY, followups.OVERPAID)
    followups.close_for_orders([step.subject.pk], kinds, outcome, step.actor.label)
