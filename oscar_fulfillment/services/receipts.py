"""Money that a person or a bank statement says has come in, or gone back, outside any provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.guards import not_run_by_provider
from oscar_fulfillment.models import OrderFulfillment, ProviderPayment, StatusChange
from oscar_fulfillment.selectors.order_money import stuck_at_providers

from . import late_money, ledger, messages, money, oscar_events
from .door import move
from .money import RECEIVE, News
from .payment_status import REFUND, resolve

BANK = oscar_events.BANK
PAY_BACK = Move("ledger", "pay_back", is_record=True)


def receive_money(
    *,
    order: Any,
    actor: Actor,
    amount: Decimal,
    reference: str = "",
    source: str = BANK,
    reason: str = "",
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Book a sum that came in for an order, and move its payment where that leads.

    Exact: approved. Short: it waits on, and a follow-up says what is missing. Over: approved, and a follow-up says what
    is too much. For a cancelled order: late money. ``key`` makes it once, whatever is repeated. A person is refused
    while a provider runs the order's payment.
    """
    if amount <= 0:
        raise InvalidInput({"amount": [_("Enter a sum above zero.")]})
    reference = clean_text("reference", reference, limit=128)
    reason = clean_text("reason", reason)
    data = {"amount": str(amount), "currency": order.currency, "source": source, "reference": reference}
    booked: list[bool] = []

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if refusal := not_run_by_provider(step):
                step.refuse(refusal)
                return
        ledger.receive([step.subject.order for step in steps], {order.pk: amount}, source, reference)
        booked.append(True)

    with transaction.atomic():
        lock_rows(OrderFulfillment._default_manager.filter(pk=order.pk))
        # The caller's order may be older than an edit of it.
        order.refresh_from_db(fields=["total_incl_tax", "total_excl_tax"])
        change = move(
            order, RECEIVE, actor=actor, reason=reason, data=data, effect=effect,
            expected_version=expected_version, key=key, lock=True,
        )  # fmt: skip
        if booked:
            more = ledger.Totals(amount, amount, Decimal(0))
            news = News(
                order, more, key=f"receipt:{change.pk}", source=source, reference=reference, data=data, notify=notify
            )
            money.advance(news, actor, reason)
            money.compare(news, actor)
    return change


def note_refund(
    *,
    order: Any,
    actor: Actor,
    amount: Decimal,
    reason: str,
    reference: str = "",
    notify: bool = True,
    data: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Note that a person has paid money back (bank transfer, cash); a reason is required. ``data`` is kept in the
    history.

    Refused is more than the order has had outside its providers, or at ones that pay nothing back (a boleto).
    """
    reason = clean_text("reason", reason, required=True)
    reference = clean_text("reference", reference, limit=128)
    if amount <= 0:
        raise InvalidInput({"amount": [_("Enter a sum above zero.")]})

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            _pay_back(step, amount, reference)
            if not step.reasons:
                _paid_back(step, amount, notify)

    with transaction.atomic():
        # Money that came for an order that is off goes back without a step of the payment machine.
        (now,) = lock_rows(OrderFulfillment._default_manager.filter(pk=order.pk))
        record = PAY_BACK if now.payment_status in ("cancelled", "refunded") else REFUND
        return move(
            order, record, actor=actor, reason=reason, data=dict(data or {}), effect=effect,
            expected_version=expected_version, key=key, lock=True,
        )  # fmt: skip


def _paid_back(step: Step, amount: Decimal, notify: bool) -> None:
    after = ledger.totals(step.subject.pk)
    if step.moves[0] == REFUND:
        step.targets["payment"] = resolve(step.state("payment"), step.subject.order.total_incl_tax, after)
    step.data |= {"amount": str(amount), "currency": step.subject.order.currency, "by_hand": True}
    step.context["announce"] = {"amount": amount}
    late_money.after_refund(step)
    if notify:
        messages.mail(step, messages.PAYMENT_REFUNDED, amount=str(amount))


def refundable_by_hand(order: Any) -> Decimal:
    """What an order has had outside its providers, or at ones that pay nothing back, and was not paid back."""
    left = sum((_left(source) for source in _sources(order.pk)), Decimal(0))
    return max(left + stuck_at_providers(_payments(order.pk)), Decimal(0))


def _payments(order_id: int) -> Any:
    return ProviderPayment._default_manager.filter(fulfillment=order_id)


def _sources(order_id: int) -> Any:
    rows = get_model("payment", "Source")._default_manager.filter(order=order_id)
    return rows.exclude(pk__in=_payments(order_id).filter(source__isnull=False).values("source"))


def _left(source: Any) -> Decimal:
    return source.amount_debited - source.amount_refunded


def _pay_back(step: Step, amount: Decimal, reference: str) -> None:
    order = step.subject.order
    was_paid = step.state("payment") in ("paid", "partially_refunded")
    if was_paid and ledger.totals(step.subject.pk) == ledger.Totals():
        # Approved before there was a ledger: what was approved is what came in.
        ledger.receive([order], {order.pk: order.total_incl_tax}, BANK)
    most = refundable_by_hand(order)
    if amount > most:
        message = _("At most %(sum)s came in outside the providers.") % {"sum": f"{most} {order.currency}"}
        step.refuse(Reason("too_much", message))
        return
    left = amount
    for source in lock_rows(_sources(step.subject.pk)):
        part = min(left, _left(source))
        if part > 0:
            ledger.bring_to(
                source.pk,
                held=source.amount_allocated - source.amount_debited,
                captured=source.amount_debited,
                refunded=source.amount_refunded + part,
                reference=reference,
                status="by hand",
            )
            left -= part
    if left > 0:
        # It came in at a provider, whose own payment must go on saying what the provider says.
        ledger.pay_out(order, left, BANK, reference)
