"""What new money (or money given back) means for an order: steps of the payment machine, follow-ups, mails.

Callers have booked it in the ledger before, in the same transaction, under the lock of the order's fulfillment row.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from oscar_fulfillment import signals
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.commit import after_commit
from oscar_fulfillment.core.exceptions import TransitionNotAllowed
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import OrderFulfillment, PaymentTerms
from oscar_fulfillment.selectors import given_up

from . import followups, ledger, messages, oscar_events, webhook_events
from .door import move
from .late_money import after_refund
from .payment_status import APPROVE, CAPTURE, REFUND, next_move

logger = logging.getLogger("oscar_fulfillment.payments")

RECEIVE = Move("ledger", "receive_money", is_record=True)


@dataclass
class News:
    """What was booked: differences, and whose word it is. ``key`` tells this piece of news from the next."""

    order: Any
    more: ledger.Totals
    key: str
    source: str
    reference: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    held_until: datetime | None = None
    #: Whether the mails of the step go out.
    notify: bool = True

    @cached_property
    def money(self) -> ledger.Totals:
        """What the ledger says of the order, this piece of news included."""
        return ledger.totals(self.order.pk)

    @property
    def fulfillment(self) -> OrderFulfillment:
        return self.order.fulfillment


def advance(news: News, actor: Actor, reason: str = "", *, strict: bool = True) -> bool:
    """Move the payment machine to what the ledger says, one step at a time. Whether it moved.

    ``strict=False``: money stays booked although its step is refused (the shop's flow has no such step, a veto of
    another app), and a person is told; else :class:`TransitionNotAllowed`.
    """
    moved = False
    while step := next_move(news.fulfillment.payment_status, _to_reach(news), news.money):
        target = step.target
        transition = news.fulfillment.flow_definition.payment.transitions.get(step.move.action)
        if not strict and transition is not None and target not in transition.targets:
            _tell_stuck(news, step.move, f"the flow has no way to {target!r}")
            return moved

        def effect(steps: Sequence[Step], target: str = target, move_: Move = step.move) -> None:
            for each in steps:
                each.targets["payment"] = target
                consequences(each, move_, news)

        try:
            move(news.order, step.move, actor=actor, reason=reason, data=news.data, effect=effect, held=True)
        except TransitionNotAllowed as error:
            if strict:
                raise
            _tell_stuck(news, step.move, str(error))
            return moved
        moved = True
    return moved


def _to_reach(news: News) -> Decimal:
    """What has to be in for "paid". What was paid before a part was given up is paid back in part, and shown so."""
    return given_up.needed(news.fulfillment) if news.fulfillment.is_payable() else news.order.total_incl_tax


def _tell_stuck(news: News, move_: Move, why: str) -> None:
    logger.error("order %s: %s was refused: %s", news.order.pk, move_.action, why)
    data = {"what": "step", "step": move_.action, "why": why, "source": news.source, **news.data}
    key = f"step:{news.order.pk}:{move_.action}:{news.key}"
    followups.open_followup(kind=followups.MISMATCH, key=key, fulfillment_id=news.order.pk, data=data)


def consequences(step: Step, move_: Move, news: News) -> None:
    """Oscar's payment event, the customer's mail, and what the money changes on the row."""
    if move_ in (APPROVE, CAPTURE):
        _money_is_in(step, news)
    elif move_ == REFUND:
        step.data["amount"] = str(news.more.refunded)
        step.context["announce"] = {"amount": news.more.refunded}
        after_refund(step)
        if news.more.refunded:  # else new money has made a partly refunded order whole
            _mail(step, news, messages.PAYMENT_REFUNDED, amount=str(news.more.refunded))
    else:
        # Nobody need call about money that is held.
        calls = (followups.CALL, followups.RESERVATION_ENDS, followups.UNDERPAID)
        followups.close_for_orders([step.subject.pk], calls, "done", step.actor.label)
        step.data["amount"] = str(news.more.allocated)
        if news.held_until:
            step.data["held_until"] = news.held_until.isoformat()
        _mail(step, news, messages.PAYMENT_AUTHORIZED)
        end_terms(step.subject.pk)


def _money_is_in(step: Step, news: News) -> None:
    order = step.subject.order
    amount = news.more.debited or order.total_incl_tax
    oscar_events.record_payments([step], oscar_events.PAID, news.reference, amount)
    step.data["amount"] = str(amount)
    method = step.subject.payment_method
    if method is not None and method.awaits_payout and method.is_run_by_provider:
        step.fields["awaits_payout"] = True
    if step.subject.problem in ("payment_mismatch", "capture_failed"):
        step.fields["problem"] = ""
    _mail(step, news, messages.PAYMENT_APPROVED)
    if step.state("payment") == "authorized" or method is None or method.has_clock or step.subject.has_money:
        end_terms(order.pk)
        followups.close_for_orders([order.pk], followups.ABOUT_PAYING, "done", step.actor.label)
    step.fields["has_money"] = True


def _mail(step: Step, news: News, kind: str, **payload: Any) -> None:
    if news.notify:
        messages.mail(step, kind, **payload)


def end_terms(*order_ids: int) -> None:
    """The clock of unpaid orders stops."""
    PaymentTerms._default_manager.filter(pk__in=order_ids, next_at__isnull=False).update(
        remind_at=None, call_at=None, cancel_at=None, next_at=None
    )


def compare(news: News, actor: Actor) -> None:
    """Money came: is it what the order costs, and does the order still want it? If not, a person is told."""
    order, total, money = news.order, given_up.needed(news.fulfillment), news.money
    data = {
        "amount": news.more.debited, "currency": order.currency, "expected": total, "received": money.net,
        "source": news.source, **news.data,
    }  # fmt: skip
    status = news.fulfillment.payment_status
    if not news.fulfillment.has_money:
        ledger.mark([order.pk])
    if status == "cancelled" or news.fulfillment.shipping_status == "cancelled":
        tell_late(news, data, actor)
    elif status == "refunded":
        _tell(followups.OVERPAID, f"over:{order.pk}:{money.debited}", order, data, money.net)
    elif money.net > total:
        _tell(followups.OVERPAID, f"over:{order.pk}:{money.debited}", order, data, money.net - total)
    elif money.net < total and status in ("awaiting_payment", "authorized"):
        _tell(followups.UNDERPAID, f"short:{order.pk}:{money.debited}", order, data, total - money.net)


def compare_hold(news: News) -> None:
    """A sum is held: is it enough? If not, the order goes on waiting, and a person is told what is missing."""
    order, money = news.order, news.money
    total = given_up.needed(news.fulfillment)
    missing = total - money.held - money.net
    if news.fulfillment.payment_status == "awaiting_payment" and missing > 0:
        data = {
            "amount": news.more.allocated, "currency": order.currency, "expected": total,
            "received": money.held + money.net, "source": news.source, **news.data,
        }  # fmt: skip
        _tell(followups.UNDERPAID, f"short-hold:{order.pk}:{money.allocated}", order, data, missing)


def _tell(kind: str, key: str, order: Any, data: dict[str, Any], difference: Decimal) -> None:
    followups.open_followup(kind=kind, key=key, fulfillment_id=order.pk, data=data | {"difference": difference})


def tell_late(news: News, data: dict[str, Any], actor: Actor) -> None:
    """Money for an order that was cancelled: a problem, a follow-up with three ways out, a signal."""
    new = followups.open_followup(
        kind=followups.LATE_MONEY, key=f"late:{news.key}", fulfillment_id=news.order.pk, data=data
    )
    if not new:
        return

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            step.fields["problem"] = "late_money"
            webhook_events.note(step, webhook_events.LATE, amount=news.more.debited)

    told = {"amount": str(news.more.debited), "currency": news.order.currency, "late": True}
    move(news.order, RECEIVE, actor=actor, data=told, effect=effect, held=True)
    after_commit(_announce_late, news, actor)


def _announce_late(news: News, actor: Actor) -> None:
    for receiver, result in signals.late_payment.send_robust(
        sender=OrderFulfillment, order=news.order, fulfillment=news.fulfillment, change=None, actor=actor,
        amount=news.more.debited,
    ):  # fmt: skip
        if isinstance(result, Exception):
            logger.error("late_payment: receiver %r failed", receiver, exc_info=result)
