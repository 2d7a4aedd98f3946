"""Operations on their way: a provider is asked once, whatever breaks.

    the worker claims the operation, looks at the provider's payment, calls it with the operation's key
    -> the answer is settled in a second transaction.

When an answer is lost, the next try looks first whether the provider's totals have moved: then it was done. Providers
forget keys after a day, so after ``OPERATION_GIVE_UP`` hours an unanswered operation waits for a person.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
)
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.gateways.base import Gateway, PaymentState, RemotePayment
from oscar_fulfillment.models import OrderFulfillment, PaymentOperation

from . import followups, payment_requests
from .door import move
from .operations import LANE, make_operation
from .settling import settle

logger = logging.getLogger("oscar_fulfillment.payments")

REFUSED = Move("provider", "refuse_operation", is_record=True)
_PROBLEMS = {PaymentOperation.CAPTURE: "capture_failed", PaymentOperation.REFUND: "refund_failed"}

#: Seconds for which one worker has an operation to itself: longer than its calls can take.
CLAIM = 120


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
    # Only our own claim: when it has run out, somebody else may be asking by now.
    PaymentOperation._default_manager.filter(
        pk=operation.pk, status=PaymentOperation.REQUESTED, claimed_until=operation.claimed_until
    ).update(claimed_until=None, error=error[:500])


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
            try:
                remote = gateway.void(remote, key=operation.key)
            except AdapterRejected as error:
                if remote.state == PaymentState.PENDING and _is_off(operation):
                    return _cannot_be_closed(operation, gateway, remote, error)
                raise
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


def _cannot_be_closed(
    operation: PaymentOperation, gateway: Gateway, remote: RemotePayment, error: AdapterRejected
) -> PaymentOperation:
    """Nobody has paid for an order that is off, and the provider closes nothing unpaid: it runs out by itself.

    That is no matter for a person. Should the buyer pay before that, a hold is given back (by us, when we hear of it)
    and money is shown as late.
    """
    from .provider_payments import fetch

    now = fetch(gateway, remote.external_id)
    if now.state == PaymentState.PENDING:
        return _end(operation, PaymentOperation.REFUSED, str(error))
    settle(payment_id=operation.payment_id, remote=now, actor=Actor.provider(operation.payment.provider))
    if now.state == PaymentState.AUTHORIZED:
        raise AdapterUnavailable(_("The buyer has paid in this very moment.")) from error
    raise error


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
        for step in steps:
            if step.state("payment") != "cancelled":  # restored since we looked: the charge is wanted, and tried again
                step.refuse(Reason("restored", _("The order was restored.")))
                continue
            _end(operation, PaymentOperation.REFUSED, words)
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
