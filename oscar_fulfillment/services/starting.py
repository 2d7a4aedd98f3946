"""Whose turn it is to start a payment: two clicks at the same moment must not begin two.

Most providers know a start by its key; Mercado Pago's checkouts have none, and are searched for instead, which is too
early while the other click is still on its way. So one asks, and the others wait for what comes of it.
"""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from oscar_fulfillment.core.exceptions import AdapterUnavailable
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import ProviderPayment

#: For so long a start has its payment to itself. A process that died in it blocks the next try no longer.
LASTS = timedelta(seconds=40)
#: Seconds for which a second click waits for the first one's result, and how often it looks.
PATIENCE, PAUSE = 10.0, 0.1


def take_turn(payment: ProviderPayment, *, is_new: bool) -> bool:
    """True: start it, and :func:`give_back` the turn if that fails. False: it was started meanwhile, see ``payment``.

    :class:`AdapterUnavailable` while somebody else is still at it. Call it outside any transaction.
    """
    if is_new:
        return True  # nobody else knew of it
    until = time.monotonic() + PATIENCE
    while not _claim(payment):
        payment.refresh_from_db()
        if payment.external_id or payment.state == PaymentState.REFUSED:
            return False
        if time.monotonic() >= until:
            raise AdapterUnavailable("this payment is being started by another request")
        time.sleep(PAUSE)
    payment.refresh_from_db()
    return True


def _claim(payment: ProviderPayment) -> bool:
    now = timezone.now()
    free = ProviderPayment._default_manager.filter(
        Q(starting_until=None) | Q(starting_until__lte=now), pk=payment.pk, external_id="", state=PaymentState.PENDING
    )
    return bool(free.update(starting_until=now + LASTS))


def give_back(payment: ProviderPayment) -> None:
    """The start has failed: the next click may try at once."""
    ProviderPayment._default_manager.filter(pk=payment.pk).update(starting_until=None)


def note_refusal(payment: ProviderPayment, words: str) -> None:
    """The provider refused to begin: the attempt is over, the order waits."""
    ProviderPayment._default_manager.filter(pk=payment.pk, external_id="").update(
        state=PaymentState.REFUSED, reason=words[:255], next_check_at=None, checked_at=timezone.now()
    )


def new_reference(order: Any) -> str:
    """A reference that no other attempt has, short enough for every provider (at most 20 characters), not guessable."""
    return f"{str(order.number)[-9:]}-{secrets.token_hex(5)}"
