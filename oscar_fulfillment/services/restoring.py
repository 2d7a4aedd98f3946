"""A cancelled order is taken up again: its stock allocated anew, its payment where the ledger says it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.selectors import given_up

from . import followups, ledger, messages, operations, oscar_events, stock, terms
from .door import move
from .payment_status import REOPEN
from .shipments import ShipmentBook

RESTORE = Move("shipping", "restore")


def restore_effect(steps: Sequence[Step]) -> None:
    """Allocate the stock, if it allows; the payment is reopened as the ledger has it. What was given up stays so."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    book = ShipmentBook(ids)
    for step in steps:
        if reason := operations.void_pending(step.subject.pk):
            step.refuse(reason)
            continue
        gone = book.quantities(shipment for shipment in book.dropped[step.subject.pk] if shipment.replaces_id is None)
        wanted = {line.pk: line.quantity - gone.get(line.pk, 0) for line in locked.lines_of(step.subject.pk)}
        if missing := stock.missing(locked, wanted):
            names = ", ".join(f"{line.title} ({count})" for line, count in missing)
            step.refuse(
                Reason("short", _("Not enough in stock: %(lines)s.") % {"lines": names}, _("Refund the money instead"))
            )
            continue
        stock.allocate(locked, wanted)
        _reopen(step)
        step.fields["problem"] = ""
        followups.close_for_orders([step.subject.pk], (followups.LATE_MONEY,), "restored", step.actor.label)
        if step.context.get("notify", True):
            messages.mail(step, messages.ORDER_PLACED)


def _reopen(step: Step) -> None:
    if step.state("payment") != "cancelled" or REOPEN.action not in step.machines["payment"].transitions:
        return
    money, total = ledger.totals(step.subject.pk), given_up.needed(step.subject)
    if money.debited and money.net >= total:
        target = "paid"
        oscar_events.record_payments([step], oscar_events.PAID, "", money.net)
        method = step.subject.payment_method
        if method is not None and method.awaits_payout and method.is_run_by_provider:
            step.fields["awaits_payout"] = True
    elif money.held and money.held + money.net >= total:
        target = "authorized"
    else:
        target = "awaiting_payment"
        terms.start_anew(step.subject, step.now)
    step.moves = [*step.moves, REOPEN]
    step.targets["payment"] = target


def restore_order(
    *,
    order: Any,
    actor: Actor,
    reason: str,
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Undo a cancellation, where the stock still allows it; a reason is required. The clock starts anew if unpaid."""
    return move(
        order,
        RESTORE,
        actor=actor,
        reason=clean_text("reason", reason, required=True),
        context={"notify": notify},
        effect=restore_effect,
        expected_version=expected_version,
        key=key,
    )
