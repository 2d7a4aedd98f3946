"""The end of an order that nobody paid. The provider is asked first: money on its way is not turned into a refund."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.gateways.base import Capability, PaymentState
from oscar_fulfillment.models import OrderFulfillment

from . import ledger
from .cancelling import cancel_order
from .languages import nearest_language
from .provider_payments import ask, fetch, gateway_of
from .settling import LIVE, settle
from .terms import cancels_at

logger = logging.getLogger("oscar_fulfillment.payments")


def cancel_unpaid(*, order: Any, reason: str = "", due: datetime | None = None) -> bool:
    """Cancel an order whose time to be paid is over; False when it turned out that it is paid (or held).

    Each open payment is asked for, then closed at its provider where that is possible, so that nobody pays later.
    Raises :class:`AdapterUnavailable` when a provider cannot be asked, or still looks at a payment: then nothing is
    cancelled; :class:`TransitionNotAllowed` where the order cannot be cancelled by itself. ``due``: the moment it is
    cancelled for; :class:`StaleVersion` when another one was agreed meanwhile.
    """
    is_open = False
    for payment in order.fulfillment.provider_payments.filter(state__in=LIVE):
        gateway, actor = gateway_of(payment), Actor.provider(payment.provider)
        remote = ask(gateway, payment)
        if remote is None:
            continue
        if remote.state == PaymentState.PENDING and Capability.VOID in gateway.capabilities(payment.method):
            try:
                remote = gateway.void(remote, key=f"close-{payment.reference}")
            except AdapterRejected:
                # Paid in this very moment, or closed already: its state says which.
                remote = fetch(gateway, remote.external_id)
        settle(payment_id=payment.pk, remote=remote, actor=actor, cancels=False)
        is_open = is_open or remote.state in (PaymentState.IN_REVIEW, PaymentState.UNKNOWN)
    now = OrderFulfillment._default_manager.get(pk=order.pk)
    if now.payment_status != "awaiting_payment":
        return False
    if now.shipping_status == "cancelled":
        return True
    if due is not None and cancels_at(now) != due:
        raise StaleVersion
    if is_open:
        raise AdapterUnavailable(_("The provider still looks at the payment."))
    if now.has_money and ledger.totals(order.pk).net > 0:
        why = _("A part of the money is here: decide what becomes of the order.")
        raise TransitionNotAllowed([Reason("partly_paid", why)])
    with translation.override(nearest_language(now.language)):  # the customer reads it
        reason = reason or str(_("The order was not paid in time."))
    cancel_order(
        order=order,
        actor=Actor.system("terms"),
        reason=reason,
        tell_reason=True,
        expected_version=now.version,
        key=f"unpaid-{now.version}",
    )
    return True
