"""Payments at providers: begun for an order, and settled from what the provider says.

What a notification says is never believed; what counts is the payment as fetched. Its totals are booked (see
``ledger.bring_to``), and the payment status follows the ledger (see ``payment_status``). The network is used between
transactions, never inside one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnavailable,
    ConfigurationError,
    FulfillmentError,
)
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import Capability, Gateway, PaymentState, RemotePayment
from oscar_fulfillment.models import OrderFulfillment, PaymentMethod, PaymentOperation, ProviderPayment
from oscar_fulfillment.selectors.given_up import needed

from . import followups, payment_requests, starting
from .door import move
from .settling import LIVE, settle

logger = logging.getLogger("oscar_fulfillment.payments")

BEGIN = Move("provider", "begin_payment", is_record=True)


_REFUSED = gettext_lazy("The payment could not be started. Please choose another way to pay.")
#: Attempts to pay one order within an hour: who is refused so often tries out stolen cards.
MAX_ATTEMPTS = 20


class PaymentImpossible(FulfillmentError):
    """The order cannot be paid at a provider now. The message is for the buyer."""


def gateway_of(payment: ProviderPayment) -> Gateway:
    """The gateway of a payment. :class:`AdapterUnavailable` when the shop has taken it out of its settings."""
    if payment.provider not in gateways:
        raise AdapterUnavailable(f"the provider {payment.provider!r} is not configured")
    return gateways.get(payment.provider)


def begin_payment(*, order: Any, actor: Actor, return_url: str, notification_url: str = "") -> ProviderPayment:
    """Have a payment of the order's outstanding sum at its method's provider, and return it.

    One that is open already is returned as it is, so that a second click pays nothing twice; one whose answer was lost
    is asked for again under the same key. Raises :class:`PaymentImpossible` when there is nothing to pay or the
    provider said no, :class:`AdapterUnavailable` when it cannot be reached: the order stays as it is in both cases.
    """
    payment, is_new = _open_payment(order, actor)
    if payment.external_id or not starting.take_turn(payment, is_new=is_new):
        if payment.state == PaymentState.REFUSED:
            raise PaymentImpossible(_REFUSED)
        return payment
    try:
        return _begin(order, payment, is_new, return_url, notification_url)
    except Exception:
        starting.give_back(payment)
        raise


def _begin(
    order: Any, payment: ProviderPayment, is_new: bool, return_url: str, notification_url: str
) -> ProviderPayment:
    gateway = gateway_of(payment)
    # Begun before, and its answer lost: the provider may have forgotten the key since.
    if not is_new and (remote := ask(gateway, payment)) is not None:
        settle(payment_id=payment.pk, remote=remote, actor=Actor.provider(payment.provider))
        payment.refresh_from_db()
        return payment
    request = payment_requests.build_request(order, payment, return_url=return_url, notification_url=notification_url)
    try:
        remote = gateway.start(request, key=payment.reference)
    except AdapterRejected as error:
        starting.note_refusal(payment, str(error))
        raise PaymentImpossible(_REFUSED) from error
    settle(payment_id=payment.pk, remote=remote, actor=Actor.provider(payment.provider))
    payment.refresh_from_db()
    _close_if_off(payment)
    return payment


def _close_if_off(payment: ProviderPayment) -> None:
    """The order was cancelled while its payment was begun: whoever cancelled it found nothing to close yet."""
    from .operations import can, enqueue_operation

    with transaction.atomic():
        (fulfillment,) = lock_rows(OrderFulfillment._default_manager.filter(pk=payment.fulfillment_id))
        if "cancelled" not in (fulfillment.payment_status, fulfillment.shipping_status):
            return
        (found,) = lock_rows(ProviderPayment._default_manager.filter(pk=payment.pk))
        if found.state in LIVE and can(found, Capability.VOID):
            why = _("The order was cancelled before.")
            enqueue_operation(found, PaymentOperation.VOID, found.held, Actor.system("payments"), why)
    raise PaymentImpossible(_("There is nothing to pay."))


def _open_payment(order: Any, actor: Actor) -> tuple[ProviderPayment, bool]:
    """The payment that is open, else a new row (True); committed before the provider is called."""
    with transaction.atomic():
        fulfillment = lock_rows(OrderFulfillment._default_manager.filter(pk=order.pk))[0]
        found = fulfillment.provider_payments.filter(state__in=LIVE).order_by("-pk").first()
        if found is not None:
            return found, False
        method = fulfillment.payment_method
        if method is None or not method.is_run_by_provider:
            raise PaymentImpossible(_("This order is not paid online."))
        if fulfillment.payment_status != "awaiting_payment" or fulfillment.shipping_status == "cancelled":
            raise PaymentImpossible(_("There is nothing to pay."))
        from .ledger import totals

        fulfillment.order = order
        amount = needed(fulfillment) - totals(order.pk).net
        if amount <= 0:
            raise PaymentImpossible(_("There is nothing to pay."))
        now = timezone.now()
        if fulfillment.provider_payments.filter(created_at__gt=now - timedelta(hours=1)).count() >= MAX_ATTEMPTS:
            raise PaymentImpossible(_("Too many attempts. Please try again in an hour."))
        made: list[ProviderPayment] = []

        def effect(steps: Sequence[Step]) -> None:
            made.append(
                ProviderPayment._default_manager.create(
                    fulfillment=steps[0].subject,
                    payment_method=method,
                    provider=method.provider,
                    method=method.provider_method,
                    reference=starting.new_reference(order),
                    is_hold=method.holds,
                    currency=order.currency,
                    amount=amount,
                    created_at=now,
                    starting_until=now + starting.LASTS,
                    next_check_at=now + timedelta(seconds=settings.PAYMENT_CHECKS[0]),
                )
            )

        move(
            order,
            BEGIN,
            actor=actor,
            data={"provider": method.provider, "amount": str(amount), "currency": order.currency},
            effect=effect,
            lock=True,
        )
        return made[0], True


def refresh_payment(*, payment: ProviderPayment, actor: Actor | None = None) -> ProviderPayment:
    """Ask the provider how a payment stands, and settle it. Raises what the gateway raises.

    :class:`AdapterRejected` also for a payment that the provider had and has no more: a person must look.
    """
    gateway = gateway_of(payment)
    remote = ask(gateway, payment)
    if remote is None:
        # Our call never reached the provider, its answer was lost before anything happened there, or it has forgotten.
        _postpone(payment, timezone.now())
        if payment.external_id:
            raise AdapterRejected(_("The provider has no such payment."), status=404)
        return payment
    settle(payment_id=payment.pk, remote=remote, actor=actor or Actor.provider(payment.provider))
    payment.refresh_from_db()
    return payment


def ask(gateway: Gateway, payment: ProviderPayment) -> RemotePayment | None:
    """The payment as the provider has it; None when it has none under our reference, or has forgotten it.

    Where a provider cannot be searched, a payment whose answer was lost cannot be paid either: nobody has its link.
    """
    asked_at = timezone.now()
    if payment.external_id:
        try:
            return replace(gateway.fetch(payment.external_id), asked_at=asked_at)
        except AdapterRejected as error:
            if error.status != 404:
                raise
            logger.warning("payment %s: the provider does not have it (any more)", payment.reference)
            return None
    if Capability.FIND not in gateway.capabilities(payment.method):
        return None
    found = gateway.find(payment.reference)
    return found and replace(found, asked_at=asked_at)


def fetch(gateway: Gateway, external_id: str) -> RemotePayment:
    """A payment by the provider's number, as it is from this moment on."""
    asked_at = timezone.now()
    return replace(gateway.fetch(external_id), asked_at=asked_at)


def process_notification(*, provider: str, external_id: str, reference: str) -> str:
    """Settle the payment a notification was about; returns "processed", or "ignored" for one of nobody's.

    A payment that is not in our tables is shown to a person as a follow-up: money may have come for nothing.
    """
    rows = ProviderPayment._default_manager.filter(provider=provider)
    payment = rows.filter(external_id=external_id).first() if external_id else None
    if payment is None and reference:
        payment = rows.filter(reference=reference).first()
    gateway = gateways.get(provider)
    if payment is not None and not external_id:
        refresh_payment(payment=payment)
        return "processed"
    if payment is not None:
        settle(
            payment_id=payment.pk,
            remote=fetch(gateway, external_id),
            actor=Actor.provider(provider),
            order_id=payment.fulfillment_id,
        )
        return "processed"
    if not external_id:
        return "ignored"
    try:
        remote = fetch(gateway, external_id)
    except AdapterRejected as error:
        if error.status != 404:
            raise
        return "ignored"  # nor the provider's: anybody can send such a one where nothing is signed
    payment = rows.filter(reference=remote.reference).first() if remote.reference else None
    if payment is not None:
        settle(payment_id=payment.pk, remote=remote, actor=Actor.provider(provider))
        return "processed"
    # Once for what is merely begun, and once more when there is money: the first may be closed as nothing to do.
    brings = "money" if remote.captured else "hold" if remote.authorized else "nothing"
    followups.open_followup(
        kind=followups.UNKNOWN_PAYMENT,
        key=f"unknown:{brings}:{provider}:{remote.external_id}",
        data={
            "provider": provider, "external_id": remote.external_id, "reference": remote.reference,
            "state": remote.state, "amount": remote.captured or remote.amount, "currency": remote.currency,
        },
    )  # fmt: skip
    return "processed"


def reconcile(limit: int = 100, budget: float | None = None) -> int:
    """Ask about payments whose provider should have said something; how many were asked. Safe to run twice at once.

    ``budget``: seconds after which no other is asked for. A provider that is down is left alone for this run.
    """
    now, down = timezone.now(), set()
    deadline = time.monotonic() + (settings.DRAIN_BUDGET if budget is None else budget)
    due = ProviderPayment._default_manager.filter(next_check_at__lte=now).order_by("next_check_at")[:limit]
    asked = 0
    for payment in due:
        if time.monotonic() >= deadline:
            break
        if payment.provider in down:
            continue
        # Taken by moving its time: another worker skips it.
        taken = ProviderPayment._default_manager.filter(pk=payment.pk, next_check_at=payment.next_check_at)
        if not taken.update(next_check_at=_next_check(payment, now), checks=payment.checks + 1):
            continue
        asked += 1
        try:
            refresh_payment(payment=payment)
        except AdapterUnavailable as error:
            down.add(payment.provider)
            logger.warning("payment %s could not be asked for: %s", payment.reference, error)
        except (FulfillmentError, ConfigurationError) as error:
            logger.warning("payment %s could not be asked for: %s", payment.reference, error)
        except Exception:
            logger.exception("payment %s could not be settled", payment.reference)
    return asked


def _next_check(payment: ProviderPayment, now: Any) -> Any:
    pauses: Sequence[float] = settings.PAYMENT_CHECKS
    return now + timedelta(seconds=pauses[min(payment.checks, len(pauses) - 1)])


def _postpone(payment: ProviderPayment, now: Any) -> None:
    """Nothing is known (any more). What the provider does not have a day after it was begun is given up."""
    rows = ProviderPayment._default_manager.filter(pk=payment.pk, external_id=payment.external_id)
    rows.update(checked_at=now)
    if now - payment.created_at > timedelta(days=1):
        waiting = (PaymentState.PENDING, PaymentState.IN_REVIEW)
        rows.filter(state__in=waiting).update(state=PaymentState.EXPIRED, next_check_at=None)


def pays_online(method: PaymentMethod | None) -> bool:
    """Whether orders by this method are paid at a provider that is configured."""
    return method is not None and method.is_run_by_provider and method.provider in gateways


__all__ = [
    "LIVE",
    "PaymentImpossible",
    "begin_payment",
    "gateway_of",
    "pays_online",
    "process_notification",
    "reconcile",
    "refresh_payment",
]
