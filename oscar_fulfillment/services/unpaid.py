"""The end of an order that nobody paid. The provider is asked first: money on its way is not turned into a refund."""

from __future__ import annotations

import logging
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterRejected, StaleVersion
from oscar_fulfillment.gateways.base import Capability, PaymentState
from oscar_fulfillment.models import OrderFulfillment

from .cancelling import cancel_order
from .provider_payments import ask, fetch, gateway_of
from .settling import LIVE, settle

logger = logging.getLogger("oscar_fulfillment.payments")


def cancel_unpaid(*, order: Any, reason: str = "") -> bool:
    """Cancel an order whose time to be paid is over; False when it turned out that it is paid (or held).

    Each open payment is asked for, then closed at its provider where that is possible, so that nobody pays later.
    Raises :class:`AdapterUnavailable` when a provider cannot be asked: then nothing is cancelled.
    """
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
    while True:
        now = OrderFulfillment._default_manager.get(pk=order.pk)
        if now.payment_status != "awaiting_payment":
            return False
        if now.shipping_status == "cancelled":
            return True
        try:
            cancel_order(
                order=order,
                actor=Actor.system("terms"),
                reason=reason or str(_("The order was not paid in time.")),
                tell_reason=True,
                # A paid order can be cancelled, too: money that came since we looked must stop us.
                expected_version=now.version,
                key=f"unpaid-{now.version}",
            )
        except StaleVersion:
            continue
        return True
