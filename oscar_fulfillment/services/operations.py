"""What a provider is asked to do: capture, give a hold back, refund. Asked once, whatever breaks on the way.

    request (locked, bounded, committed with its history row and an outbox message)
    -> the worker claims the operation, looks at the provider's payment, calls it with the operation's key
    -> the answer is settled in a second transaction.

When an answer is lost, the next try looks first whether the provider's totals have moved: then it was done. Providers
forget keys after a day, so after ``OPERATION_GIVE_UP`` hours an unanswered operation waits for a person.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    InvalidInput,
)
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import Capability, Gateway, PaymentState, RemotePayment
from oscar_fulfillment.models import OrderFulfillment, PaymentOperation, ProviderPayment, StatusChange
from oscar_fulfillment.models.payment import AT_DISPATCH

from . import followups, ledger, payment_requests
from .door import move
from .settling import settle

logger = logging.getLogger("oscar_fulfillment.payments")

REQUESTS = {
    PaymentOperation.CAPTURE: Move("provider", "request_capture", is_record=True),
    PaymentOperation.VOID: Move("provider", "request_void", is_record=True),
    PaymentOperation.REFUND: Move("provider", "request_refund", is_record=True),
}
REFUSED = Move("provider", "refuse_operation", is_record=True)
_PROBLEMS = {PaymentOperation.CAPTURE: "capture_failed", PaymentOperation.REFUND: "refund_failed"}

#: Seconds for which one worker has an operation to itself: longer than its calls can take.
CLAIM = 120
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
        wanted = row.fulfillment.order.total_incl_tax - ledger.totals(step.subject.pk).net if amount is None else amount
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
    *, order: Any, payment: int, actor: Actor, amount: Decimal, reason: str, expected_version: int | None = None,
    key: str = "",
) -> StatusChange:  # fmt: skip
    """Grant a refund and ask the provider to execute it. A reason is required.

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

    return _request(order, payment, PaymentOperation.REFUND, check, actor, reason, expected_version, key)


def _request(
    order: Any, payment_id: int, kind: str, check: Any, actor: Actor, reason: str, version: int | None, key: str
) -> StatusChange:
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
        order, REQUESTS[kind], actor=actor, reason=reason, effect=effect, expected_version=version, key=key, lock=True
    )


def can(payment: ProviderPayment, capability: Capability) -> bool:
    """Whether a payment's provider can do this with its method; True for one that is out of the settings just now."""
    if payment.provider not in gateways:
        return True
    return capability in gateways.get(payment.provider).capabilities(payment.method)


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
    """The goods leave: what is held for them is asked for, where the method says so. The order's total, no more."""
    method = step.subject.payment_method
    if method is None or method.capture_at != AT_DISPATCH:
        return
    held = ProviderPayment._default_manager.filter(fulfillment=step.subject, state=PaymentState.AUTHORIZED)
    wanted = step.subject.order.total_incl_tax - ledger.totals(step.subject.pk).net
    for payment in lock_rows(held.exclude(operations__status=PaymentOperation.REQUESTED)):
        amount = min(payment.held, wanted)
        if amount > 0:
            reason = str(_("Charged because the goods leave."))
            _operation, message = make_operation(payment, PaymentOperation.CAPTURE, amount, step.actor, reason)
            step.messages.append(message)
            wanted -= amount


def run_message(message: Any) -> None:
    """The outbox's handler of a provider's lane."""
    run_operation(message.payload["operation"])


def run_operation(pk: int) -> PaymentOperation:
    """Ask the provider, once, and settle its answer. Raises :class:`AdapterUnavailable` to be tried again.

    Two workers never ask at the same time; whoever comes second is told to come back.
    """
    operation = _claim(pk)
    if operation.status != PaymentOperation.REQUESTED:
        return operation
    try:
        return _ask(operation)
    except AdapterRejected as error:
        return _refused(operation, str(error))
    except AdapterUnanswered as error:
        if not _is_late(operation):
            _release(operation, str(error))
            raise
        return _unknown(operation, str(error))
    except Exception as error:
        _release(operation, type(error).__name__)
        raise


def _claim(pk: int) -> PaymentOperation:
    now = timezone.now()
    rows = PaymentOperation._default_manager.filter(pk=pk)
    taken = rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=now), status=PaymentOperation.REQUESTED).update(
        claimed_until=now + timedelta(seconds=CLAIM), attempts=F("attempts") + 1
    )
    found = rows.select_related("payment__fulfillment__order", "payment__payment_method").first()
    if found is None:
        raise AdapterRejected("the operation is gone")
    if not taken and found.status == PaymentOperation.REQUESTED:
        raise AdapterUnavailable("somebody else is asking the provider")
    return found


def _release(operation: PaymentOperation, error: str) -> None:
    PaymentOperation._default_manager.filter(pk=operation.pk, status=PaymentOperation.REQUESTED).update(
        claimed_until=None, error=error[:500]
    )


def _ask(operation: PaymentOperation) -> PaymentOperation:
    from .provider_payments import ask, fetch, gateway_of

    payment = operation.payment
    gateway = gateway_of(payment)
    remote = ask(gateway, payment)
    if remote is None:
        if operation.kind == PaymentOperation.VOID:
            return _done(operation)  # nothing was ever begun there
        raise AdapterRejected(_("The provider does not know this payment."))
    if not _happened(operation, remote):
        if (remote.state, remote.captured, remote.refunded) != (payment.state, payment.captured, payment.refunded):
            # What we did not know yet counts, also when the provider refuses what it is asked for next.
            settle(payment_id=payment.pk, remote=remote, actor=Actor.provider(payment.provider))
        if operation.kind == PaymentOperation.CAPTURE and _is_off(operation):
            return _drop(operation)
        if operation.kind == PaymentOperation.REFUND and operation.attempts > 1 and _is_late(operation):
            # Its key may be forgotten: asked again, it could be executed again.
            return _unknown(operation, _("The provider has not confirmed it in time: look there what became of it."))
        if operation.kind == PaymentOperation.CAPTURE:
            items = payment_requests.items_of(payment.fulfillment.order, operation.amount)
            remote = gateway.capture(remote, operation.amount, key=operation.key, items=items)
        elif operation.kind == PaymentOperation.VOID:
            remote = gateway.void(remote, key=operation.key)
        else:
            refund = gateway.refund(remote, operation.amount, key=operation.key, reason=operation.reason[:255])
            if refund.state == "failed":
                raise AdapterRejected(refund.reason or _("The provider could not execute the refund."))
            operation.external_id = refund.external_id
            remote = fetch(gateway, remote.external_id)
    settle(payment_id=payment.pk, remote=remote, actor=Actor.provider(payment.provider))
    if not _happened(operation, remote):
        # Taken on, not executed yet: the next try finds it done.
        raise AdapterUnavailable(_("The provider has accepted it and is working on it."))
    return _done(operation)


def _is_late(operation: PaymentOperation) -> bool:
    return timezone.now() - operation.requested_at >= timedelta(hours=settings.OPERATION_GIVE_UP)


def _is_off(operation: PaymentOperation) -> bool:
    """Whether the order was cancelled since. Asked after the provider answered, as that may take a while."""
    rows = OrderFulfillment._default_manager.filter(pk=operation.payment.fulfillment_id)
    return rows.filter(payment_status="cancelled").exists()


def _drop(operation: PaymentOperation) -> PaymentOperation:
    """A charge for an order that was cancelled before: the hold is given back instead."""
    payment, words = operation.payment, _("The order was cancelled before.")

    def effect(steps: Sequence[Step]) -> None:
        _end(operation, PaymentOperation.REFUSED, words)
        for step in steps:
            _operation, message = make_operation(payment, PaymentOperation.VOID, payment.held, step.actor, words)
            step.messages.append(message)

    move(
        payment.fulfillment.order, REFUSED, actor=Actor.system("payments"), reason=words,
        data={"operation": operation.pk, "kind": operation.kind, "amount": str(operation.amount)},
        effect=effect, key=f"operation-{operation.pk}-dropped", lock=True,
    )  # fmt: skip
    return operation


def _happened(operation: PaymentOperation, remote: RemotePayment) -> bool:
    """Whether the provider's totals show the operation already, since it was requested."""
    if operation.kind == PaymentOperation.CAPTURE:
        return remote.captured >= operation.before + operation.amount
    if operation.kind == PaymentOperation.REFUND:
        return remote.refunded >= operation.before + operation.amount
    return remote.state in (PaymentState.CANCELLED, PaymentState.EXPIRED, PaymentState.REFUSED,
                            PaymentState.REFUSED_ANTIFRAUD)  # fmt: skip


def _done(operation: PaymentOperation) -> PaymentOperation:
    """What had failed before is over with it."""
    failed = PaymentOperation._default_manager.filter(payment=operation.payment_id, kind=operation.kind)
    keys = [f"operation:{pk}" for pk in failed.exclude(status=PaymentOperation.REQUESTED).values_list("pk", flat=True)]
    followups.close_by_keys(keys, "done", operation.actor_label)
    return _end(operation, PaymentOperation.DONE, "")


def _end(operation: PaymentOperation, status: str, error: str) -> PaymentOperation:
    values = {"status": status, "error": error[:500], "settled_at": timezone.now(), "claimed_until": None,
              "external_id": operation.external_id}  # fmt: skip
    PaymentOperation._default_manager.filter(pk=operation.pk, status=PaymentOperation.REQUESTED).update(**values)
    for name, value in values.items():
        setattr(operation, name, value)
    return operation


def _refused(operation: PaymentOperation, words: str) -> PaymentOperation:
    return _failed(operation, PaymentOperation.REFUSED, words)


def _unknown(operation: PaymentOperation, words: str) -> PaymentOperation:
    return _failed(operation, PaymentOperation.UNKNOWN, words)


def _failed(operation: PaymentOperation, status: str, words: str) -> PaymentOperation:
    """The operation stays visible: on its row, as the order's problem, in its history, and as a follow-up."""
    payment = operation.payment
    with transaction.atomic():

        def effect(steps: Sequence[Step]) -> None:
            _end(operation, status, words)
            for step in steps:
                problem = _PROBLEMS.get(operation.kind)
                if problem:
                    step.fields["problem"] = problem
            followups.open_followup(
                kind=followups.OPERATION_FAILED, key=f"operation:{operation.pk}",
                fulfillment_id=payment.fulfillment_id,
                data={"what": operation.kind, "amount": operation.amount, "currency": payment.currency,
                      "provider": payment.provider, "error": words[:500]},
            )  # fmt: skip

        move(
            payment.fulfillment.order, REFUSED, actor=Actor.provider(payment.provider), reason=words[:500],
            data={"operation": operation.pk, "kind": operation.kind, "amount": str(operation.amount),
                  "currency": payment.currency},
            effect=effect, key=f"operation-{operation.pk}-{status}", lock=True,
        )  # fmt: skip
    return operation


def message_died(message: Any) -> None:
    """The outbox gave an operation up: it waits for a person."""
    if not message.destination.startswith(f"{LANE}:"):
        return
    operation = (
        PaymentOperation._default_manager.filter(pk=message.payload.get("operation"), status=PaymentOperation.REQUESTED)
        .select_related("payment__fulfillment__order")
        .first()
    )
    if operation is not None:
        _unknown(operation, message.error)
