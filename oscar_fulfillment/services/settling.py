"""What a provider's payment means for its order: booked, and followed by the payment machine.

Everything here runs in one transaction, locks in the order fulfillment row, payment row, source, and never looks at
the network. The same payment settled twice does nothing the second time; an older state after a newer one neither.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import TransitionNotAllowed
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.gateways.base import Capability, PaymentState, RemotePayment
from oscar_fulfillment.models import OrderFulfillment, PaymentOperation, ProviderPayment

from . import followups, ledger, messages, money
from .door import move

logger = logging.getLogger("oscar_fulfillment.payments")

REPORT = Move("provider", "report", is_record=True)
CHARGE_BACK = Move("provider", "charge_back", is_record=True)

#: States of a payment that may still bring money without a new attempt.
LIVE = (PaymentState.PENDING, PaymentState.IN_REVIEW, PaymentState.AUTHORIZED, PaymentState.UNKNOWN)
#: States after which no money comes (but for a late boleto).
LOST = (PaymentState.REFUSED, PaymentState.REFUSED_ANTIFRAUD, PaymentState.EXPIRED, PaymentState.CANCELLED)
#: A state never follows one of a higher rank: late notifications are old news.
_RANK = {
    PaymentState.UNKNOWN: 0,
    PaymentState.PENDING: 0,
    PaymentState.IN_REVIEW: 1,
    # A hold ends, and a refused card is tried again: either may follow the other.
    PaymentState.AUTHORIZED: 2,
    **dict.fromkeys(LOST, 2),
    PaymentState.CAPTURED: 4,
    PaymentState.REFUNDED: 5,
    PaymentState.CHARGED_BACK: 6,
}


@dataclass
class Settled:
    """What was new in a payment."""

    order: Any
    payment: ProviderPayment
    before: str
    more: ledger.Totals

    @property
    def fulfillment(self) -> OrderFulfillment:
        """As it is now: every step through the door leaves the new one here."""
        return self.order.fulfillment

    @property
    def is_new(self) -> bool:
        return self.before != self.payment.state or any((self.more.allocated, self.more.debited, self.more.refunded))


def settle(
    *, payment_id: int, remote: RemotePayment, actor: Actor, cancels: bool = True, order_id: int | None = None
) -> ProviderPayment:
    """Bring a payment and its order to what the provider says. Never raises for what the provider says.

    ``cancels=False`` leaves it to the caller to cancel an order whose payment failed; ``order_id`` saves looking it up.
    """
    with transaction.atomic():
        if order_id is None:
            order_id = ProviderPayment._default_manager.values_list("fulfillment_id", flat=True).get(pk=payment_id)
        rows = OrderFulfillment._default_manager.filter(pk=order_id).select_related("order", "payment_method")
        (fulfillment,) = lock_rows(rows)
        (payment,) = lock_rows(ProviderPayment._default_manager.filter(pk=payment_id).select_related("payment_method"))
        payment.fulfillment = fulfillment
        fulfillment.order.fulfillment = fulfillment
        remote = _decided(payment, remote)
        if wrong := _mismatch(payment, remote):
            _tell_mismatch(fulfillment, payment, remote, wrong)
            return payment
        if _is_old(payment, remote):
            return payment
        found = _write(fulfillment, payment, remote)
        if found.is_new:
            _follow(found, actor, cancels)
        return payment


def _decided(payment: ProviderPayment, remote: RemotePayment) -> RemotePayment:
    """What counts already: sums that the provider still looks at are no money that goods may leave for."""
    if remote.state != PaymentState.IN_REVIEW:
        return remote
    return replace(remote, authorized=payment.authorized, captured=payment.captured, refunded=payment.refunded)


def _is_old(payment: ProviderPayment, remote: RemotePayment) -> bool:
    """Whether we know better already: sums never fall, states never fall back, and the later question counts."""
    if remote.captured < payment.captured or remote.refunded < payment.refunded:
        return True
    if remote.state == PaymentState.UNKNOWN or remote.state == payment.state:
        return False
    if _RANK[remote.state] < _RANK.get(PaymentState(payment.state), 0):
        return True
    asked, known = remote.asked_at, payment.checked_at
    return asked is not None and known is not None and asked < known


def _mismatch(payment: ProviderPayment, remote: RemotePayment) -> str:
    """Why this cannot be the payment we began; "" when it can."""
    if remote.currency and remote.currency != payment.currency:
        return "currency"
    if remote.reference and remote.reference != payment.reference:
        return "reference"
    if payment.external_id and remote.external_id and remote.external_id != payment.external_id:
        return "number"
    held_less = remote.state == PaymentState.AUTHORIZED and remote.authorized < remote.captured
    if held_less or not 0 <= remote.refunded <= remote.captured or _forgets(payment, remote):
        return "sums"
    return ""


def _forgets(payment: ProviderPayment, remote: RemotePayment) -> bool:
    """Whether a state that comes later than the known one has lower sums: no old news, but a contradiction."""
    fell = remote.captured < payment.captured or remote.refunded < payment.refunded
    return fell and _RANK[remote.state] > _RANK.get(PaymentState(payment.state), 0)


def _tell_mismatch(fulfillment: OrderFulfillment, payment: ProviderPayment, remote: RemotePayment, wrong: str) -> None:
    logger.error("payment %s: the provider's %s does not match", payment.reference, wrong)
    new = followups.open_followup(
        kind=followups.MISMATCH,
        key=f"mismatch:{payment.pk}:{wrong}",
        fulfillment_id=fulfillment.pk,
        data={
            "what": wrong, "provider": payment.provider, "external_id": remote.external_id,
            "amount": remote.captured or remote.amount, "currency": remote.currency,
            "expected": payment.amount, "expected_currency": payment.currency, "state": remote.state,
        },
    )  # fmt: skip
    if new:
        _record(fulfillment, "payment_mismatch", {"what": wrong, "provider": payment.provider})


def _record(fulfillment: OrderFulfillment, problem: str, data: dict[str, Any]) -> None:
    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            step.fields["problem"] = problem

    move(fulfillment.order, REPORT, actor=Actor.system("payments"), data=data, effect=effect, held=True)


def _write(fulfillment: OrderFulfillment, payment: ProviderPayment, remote: RemotePayment) -> Settled:
    """The payment row and the ledger."""
    before, now = payment.state, timezone.now()
    held = remote.authorized - remote.captured if remote.state == PaymentState.AUTHORIZED else Decimal(0)
    unknown = remote.state == PaymentState.UNKNOWN
    more = ledger.Totals()
    # A word we do not know says nothing about what is held.
    if payment.source_id is not None and not unknown:
        more = ledger.bring_to(
            payment.source_id,
            held=held,
            captured=remote.captured,
            refunded=remote.refunded,
            reference=remote.external_id,
            status=remote.raw_status,
        )
    elif not unknown and (held or remote.captured):
        payment.source_id, more = ledger.open_source(
            fulfillment.order,
            payment.provider,
            remote.external_id or payment.reference,
            payment.method,
            held=held,
            captured=remote.captured,
            refunded=remote.refunded,
        )
    payment.external_id = payment.external_id or remote.external_id
    payment.state = payment.state if unknown else str(remote.state)
    payment.raw_status, payment.reason = remote.raw_status[:64], (remote.reason or payment.reason)[:255]
    if not unknown:
        payment.authorized, payment.captured, payment.refunded = remote.authorized, remote.captured, remote.refunded
    payment.redirect_url = remote.redirect_url or payment.redirect_url
    payment.instructions = {**payment.instructions, **remote.instructions}
    payment.expires_at = remote.expires_at or payment.expires_at
    payment.hold_expires_at = _hold_end(payment, remote, now)
    payment.checked_at = remote.asked_at or now
    payment.next_check_at = _check_again(payment, now)
    payment.checks = 0 if before != payment.state else payment.checks
    payment.save()
    if unknown:
        followups.open_followup(
            kind=followups.MISMATCH,
            key=f"state:{payment.pk}:{remote.raw_status}",
            fulfillment_id=fulfillment.pk,
            data={"what": "state", "provider": payment.provider, "state": remote.raw_status},
        )
    return Settled(fulfillment.order, payment, before, more)


def _hold_end(payment: ProviderPayment, remote: RemotePayment, now: datetime) -> datetime | None:
    """Until when the sum is held: the provider's word, else the method's days."""
    if payment.state != PaymentState.AUTHORIZED:
        return payment.hold_expires_at
    method = payment.payment_method
    if remote.hold_expires_at or payment.hold_expires_at or method is None or not method.hold_days:
        return remote.hold_expires_at or payment.hold_expires_at
    return now + timedelta(days=method.hold_days)


def _check_again(payment: ProviderPayment, now: datetime) -> datetime | None:
    """When to ask by ourselves. Captured payments are not asked for: refunds are ours, charge-backs are notified."""
    if payment.state not in LIVE:
        return None
    pauses = settings.PAYMENT_CHECKS
    soon = now + timedelta(seconds=pauses[min(payment.checks, len(pauses) - 1)])
    ends = payment.hold_expires_at if payment.state == PaymentState.AUTHORIZED else payment.expires_at
    # Just after its end its fate is known; some providers take days over it, and are asked less and less.
    return min(soon, ends + timedelta(minutes=2)) if ends and ends > now else soon


def _follow(found: Settled, actor: Actor, cancels: bool) -> None:
    """What is new, for the order: steps of the payment machine, follow-ups, a cancellation."""
    payment = found.payment
    news = money.News(
        found.order,
        found.more,
        key=f"payment:{payment.pk}:{payment.captured}",
        source=payment.provider,
        reference=payment.external_id,
        data={
            "provider": payment.provider, "external_id": payment.external_id, "payment": payment.pk,
            "state": payment.state, "currency": payment.currency,
        },
        held_until=payment.hold_expires_at,
    )  # fmt: skip
    moved = money.advance(news, actor, payment.reason, strict=False)
    if found.more.debited:
        money.compare(news, actor)
    elif found.more.allocated > 0:
        money.compare_hold(news)
    if found.more.refunded and not moved:
        moved = _money_back(found, actor, news.data)
    if payment.state == PaymentState.CHARGED_BACK and found.before != PaymentState.CHARGED_BACK:
        _charged_back(found, actor, news.data)
        moved = True
    elif payment.state in LOST and found.before not in LOST:
        moved = (cancels and _lost(found, actor, news.data)) or moved
    elif payment.state == PaymentState.AUTHORIZED and not found.fulfillment.is_payable():
        _hold_came_late(found)
    if not moved and found.before != payment.state:
        move(found.order, REPORT, actor=actor, reason=payment.reason, data=news.data, held=True)


def _money_back(found: Settled, actor: Actor, data: dict[str, Any]) -> bool:
    """Money went back without a step of the payment machine: what came too late, or was too much."""
    from . import late_money

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            step.data["amount"] = str(found.more.refunded)
            late_money.after_refund(step)
            messages.mail(step, messages.PAYMENT_REFUNDED, amount=str(found.more.refunded))

    record = Move("ledger", "pay_back", is_record=True)
    move(found.order, record, actor=actor, data=data, effect=effect, held=True)
    return True


def _charged_back(found: Settled, actor: Actor, data: dict[str, Any]) -> None:
    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            step.fields["problem"] = "charge_back"

    move(found.order, CHARGE_BACK, actor=actor, reason=found.payment.reason, data=data, effect=effect, held=True)
    followups.open_followup(
        kind=followups.CHARGE_BACK, key=f"chargeback:{found.payment.pk}", fulfillment_id=found.order.pk,
        data={"amount": found.payment.captured, "currency": found.payment.currency, "provider": found.payment.provider},
    )  # fmt: skip


def _lost(found: Settled, actor: Actor, data: dict[str, Any]) -> bool:
    """The payment failed: the order is cancelled, unless it may be tried again or another payment is under way."""
    fulfillment, payment = found.fulfillment, found.payment
    others = fulfillment.provider_payments.exclude(pk=payment.pk).filter(state__in=LIVE).exists()
    if others or not fulfillment.is_payable():
        return False
    if payment.payment_method_id != fulfillment.payment_method_id:
        return False  # the order is to be paid in another way by now
    if ledger.totals(found.order.pk).net > 0:
        _tell_lost(found, _("A part of the money is here: decide what becomes of the order."))
        return False
    method = payment.payment_method
    refused = payment.state in (PaymentState.REFUSED, PaymentState.REFUSED_ANTIFRAUD)
    waits = fulfillment.payment_status == "awaiting_payment"
    # An order whose hold fell through is not authorized any more, and no state leads back to waiting.
    if waits and payment.state == PaymentState.REFUSED and method is not None and method.retry_hours:
        _let_try_again(found, actor, data, timedelta(hours=method.retry_hours))
        return True
    words = _reasons()[payment.state]
    from .cancelling import cancel_order

    try:
        cancel_order(
            order=found.order, actor=actor, reason=f"{words} {payment.reason if refused else ''}".strip(),
            # What a risk check found is the shop's business; that the time is over is the buyer's.
            tell_reason=not refused, data=data,
        )  # fmt: skip
    except TransitionNotAllowed as error:
        _tell_lost(found, str(error))
        return False
    return True


def _tell_lost(found: Settled, why: str) -> None:
    payment = found.payment
    followups.open_followup(
        kind=followups.PAYMENT_LOST, key=f"lost:{payment.pk}", fulfillment_id=found.order.pk,
        data={"why": why, "state": payment.state, "provider": payment.provider},
    )  # fmt: skip


def _reasons() -> dict[str, str]:
    return {
        PaymentState.REFUSED: _("The card was refused by its issuer."),
        PaymentState.REFUSED_ANTIFRAUD: _("The payment was refused by the risk check."),
        PaymentState.EXPIRED: _("The payment was not made in time."),
        PaymentState.CANCELLED: _("The payment was cancelled at the provider."),
    }


def _let_try_again(found: Settled, actor: Actor, data: dict[str, Any], time: timedelta) -> None:
    """The buyer gets a mail with the link to pay, and so much time, once: refusals keep no goods for ever."""
    from .terms import cancels_at, set_terms

    earlier = found.fulfillment.provider_payments.exclude(pk=found.payment.pk).filter(state__in=LOST).exists()

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            messages.mail(step, messages.PAYMENT_REFUSED)
            agreed = cancels_at(step.subject)
            if agreed is None or (agreed < step.now + time and not earlier):
                set_terms(step.subject, cancel_at=step.now + time)

    move(found.order, REPORT, actor=actor, reason=found.payment.reason, data=data, effect=effect, held=True)


def _hold_came_late(found: Settled) -> None:
    """A hold for an order that is off, or paid already: it is given back by itself, nobody owes anything."""
    from .operations import can, enqueue_operation

    payment, off = found.payment, found.fulfillment.payment_status == "cancelled"
    if payment.captured or not can(payment, Capability.VOID):
        return
    why = _("The order was cancelled before.") if off else _("The order is paid already.")
    enqueue_operation(payment, PaymentOperation.VOID, payment.held, Actor.system("payments"), why)
