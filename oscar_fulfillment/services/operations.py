"""What a provider is asked to do: capture, give a hold back, refund. Here it is asked for; ``operation_runs`` does it.

A request is locked and bounded, and committed with its history row and an outbox message before the provider hears of
it. One operation of a payment is pending at a time, by a constraint of the database.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import (
    InvalidInput,
)
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import Capability, Gateway, PaymentState
from oscar_fulfillment.models import PaymentOperation, ProviderPayment, StatusChange
from oscar_fulfillment.models.payment import AT_DISPATCH
from oscar_fulfillment.selectors import given_up, order_money

from . import followups, ledger
from .door import move

logger = logging.getLogger("oscar_fulfillment.payments")

REQUESTS = {
    PaymentOperation.CAPTURE: Move("provider", "request_capture", is_record=True),
    PaymentOperation.VOID: Move("provider", "request_void", is_record=True),
    PaymentOperation.REFUND: Move("provider", "request_refund", is_record=True),
}

LANE = "payments"


def lane(provider: str) -> str:
    """The outbox destination of a provider: one that is down delays no other."""
    return f"{LANE}:{provider}"


def request_capture(
    *, order: Any, payment: int, actor: Actor, amount: Decimal | None = None, reason: str = "",
    expected_version: int | None = None, key: str = "",
) -> StatusChange:  # fmt: skip
    """Ask the provider for the held money: ``amount``, or the order's total. What is held beyond it is given back.

    :class:`InvalidInput` for more than is held, or for a part where the provider takes all or nothing.
    """

    def check(step: Step, row: ProviderPayment, gateway: Gateway) -> Decimal:
        wanted = given_up.needed(step.subject) - ledger.totals(step.subject.pk).net if amount is None else amount
        if not row.held:
            step.refuse(Reason("no_hold", _("No provider holds money for this order.")))
        elif wanted <= 0:
            raise InvalidInput({"amount": [_("Enter a sum above zero.")]})
        elif wanted > row.held:
            raise InvalidInput({"amount": [_("At most %(sum)s is held.") % {"sum": f"{row.held} {row.currency}"}]})
        elif wanted < row.held and Capability.PARTIAL_CAPTURE not in gateway.capabilities(row.method):
            raise InvalidInput({"amount": [_("This provider takes the whole held sum or nothing.")]})
        return wanted

    return _request(order, payment, PaymentOperation.CAPTURE, check, actor, reason, expected_version, key)


def request_void(
    *, order: Any, payment: int, actor: Actor, reason: str, expected_version: int | None = None, key: str = ""
) -> StatusChange:
    """Ask the provider to give the held money back. A reason is required."""
    reason = clean_text("reason", reason, required=True)

    def check(step: Step, row: ProviderPayment, gateway: Gateway) -> Decimal:
        if row.state not in (PaymentState.AUTHORIZED, PaymentState.PENDING):
            step.refuse(Reason("no_hold", _("No provider holds money for this order.")))
        elif Capability.VOID not in gateway.capabilities(row.method):
            step.refuse(Reason("cannot_void", _("This provider gives no hold back; it ends by itself.")))
        return row.held

    return _request(order, payment, PaymentOperation.VOID, check, actor, reason, expected_version, key)


def request_refund(
    *, order: Any, payment: int, actor: Actor, amount: Decimal, reason: str, data: Mapping[str, Any] | None = None,
    expected_version: int | None = None, key: str = "",
) -> StatusChange:  # fmt: skip
    """Grant a refund and ask the provider to execute it. A reason is required. ``data`` is kept in the history.

    Granted is not executed: the order counts as refunded when the provider says so; one that fails stays visible.
    """
    reason = clean_text("reason", reason, required=True)

    def check(step: Step, row: ProviderPayment, gateway: Gateway) -> Decimal:
        able = gateway.capabilities(row.method)
        if amount <= 0:
            raise InvalidInput({"amount": [_("Enter a sum above zero.")]})
        if row.state == PaymentState.CHARGED_BACK:
            step.refuse(Reason("charged_back", _("The buyer's bank has taken this money back already.")))
            return amount
        if amount > row.refundable:
            raise InvalidInput(
                {"amount": [_("At most %(sum)s can be refunded.") % {"sum": f"{row.refundable} {row.currency}"}]}
            )
        if Capability.REFUND not in able:
            step.refuse(Reason("cannot_refund", _("This provider refunds nothing by itself; pay it back by hand.")))
        elif amount < row.refundable and Capability.PARTIAL_REFUND not in able:
            raise InvalidInput({"amount": [_("This provider refunds the whole sum or nothing.")]})
        return amount

    return _request(order, payment, PaymentOperation.REFUND, check, actor, reason, expected_version, key, data)


def _request(
    order: Any, payment_id: int, kind: str, check: Any, actor: Actor, reason: str, version: int | None, key: str,
    data: Mapping[str, Any] | None = None,
) -> StatusChange:  # fmt: skip
    from .provider_payments import gateway_of

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            rows = lock_rows(ProviderPayment._default_manager.filter(pk=payment_id, fulfillment=step.subject))
            if not rows:
                step.refuse(Reason("no_payment", _("This order has no such payment.")))
                continue
            if rows[0].operations.filter(status=PaymentOperation.REQUESTED).exists():
                step.refuse(Reason("asked_already", _("The provider has been asked already; its answer is pending.")))
                continue
            amount = check(step, rows[0], gateway_of(rows[0]))
            if step.reasons:
                continue
            operation, message = make_operation(rows[0], kind, amount, actor, reason)
            step.messages.append(message)
            step.data |= {"amount": str(amount), "currency": rows[0].currency, "operation": operation.pk}

    return move(
        order, REQUESTS[kind], actor=actor, reason=reason, data=dict(data or {}), effect=effect,
        expected_version=version, key=key, lock=True,
    )  # fmt: skip


def can(payment: ProviderPayment, capability: Capability) -> bool:
    """Whether a payment's provider can do this with its method; True for one that is out of the settings just now."""
    return payment.provider not in gateways or order_money.can(payment, capability)


def make_operation(
    payment: ProviderPayment, kind: str, amount: Decimal, actor: Actor, reason: str
) -> tuple[PaymentOperation, OutboxMessage]:
    """The row and the message of an operation, in the caller's transaction, which holds the payment's lock."""
    operation = PaymentOperation._default_manager.create(
        payment=payment,
        kind=kind,
        key=uuid.uuid4().hex,
        amount=amount,
        reason=reason,
        before=payment.refunded if kind == PaymentOperation.REFUND else payment.captured,
        requested_at=timezone.now(),
        **followups.actor_fields(actor),
    )
    message = OutboxMessage(
        lane(payment.provider), kind, operation.key, {"operation": operation.pk}, order_id=payment.fulfillment_id
    )
    return operation, message


def enqueue_operation(payment: ProviderPayment, kind: str, amount: Decimal, actor: Actor, reason: str) -> None:
    """:func:`make_operation` where no step carries the message. Nothing while another operation is pending."""
    if not payment.operations.filter(status=PaymentOperation.REQUESTED).exists():
        _operation, message = make_operation(payment, kind, amount, actor, reason)
        outbox.enqueue([message])


def capture_at_dispatch(step: Step) -> None:
    """The goods leave: what is held for them is asked for, where the method says so. What the order needs, no more;
    where the provider takes all or nothing, all (and what is too much is to be paid back)."""
    method = step.subject.payment_method
    if method is None or method.capture_at != AT_DISPATCH:
        return
    held = ProviderPayment._default_manager.filter(fulfillment=step.subject, state=PaymentState.AUTHORIZED)
    wanted = given_up.needed(step.subject) - ledger.totals(step.subject.pk).net
    for payment in lock_rows(held.exclude(operations__status=PaymentOperation.REQUESTED)):
        amount = min(payment.held, wanted)
        if 0 < amount < payment.held and not can(payment, Capability.PARTIAL_CAPTURE):
            amount = payment.held
        if amount > 0:
            reason = str(_("Charged because the goods leave."))
            _operation, message = make_operation(payment, PaymentOperation.CAPTURE, amount, step.actor, reason)
            step.messages.append(message)
            wanted -= amount


def void_pending(order_id: int) -> Reason | None:
    """Why nothing can rest on an order's hold: the provider has been asked to give it back."""
    voids = PaymentOperation._default_manager.filter(
        payment__fulfillment=order_id, kind=PaymentOperation.VOID, status=PaymentOperation.REQUESTED
    )
    if not voids.exists():
        return None
    return Reason(
        "void_pending",
        _("The provider has been asked to give the held money back; its answer is pending."),
        _("Wait for its answer"),
    )
