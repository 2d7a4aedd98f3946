"""The clocks of a page of the order list: until when money is held, and when an unpaid order is cancelled by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, SmallIntegerField, Value
from django.db.models.functions import Coalesce

from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import PaymentTerms, ProviderPayment

from .order_money import HOLD_WARNING_HOURS

#: Hours before its cancellation in which an unpaid order is shown in red.
CANCEL_WARNING_HOURS = 24


@dataclass(frozen=True)
class Clock:
    """A moment that comes by itself. ``warning``: how long before it somebody should look."""

    until: datetime
    warning: timedelta


def read_clocks(rows: Iterable[dict[str, Any]]) -> dict[int, Clock]:
    """The clock of each order that has one, by the order's id; at most one statement, none where no order can have one.

    ``rows`` as :func:`scans.read_page` gives them.
    """
    held, waiting = [], []
    for row in rows:
        if row["shipping_status"] == "cancelled":
            continue
        if row["payment_status"] == "authorized":
            held.append(row["order_id"])
        elif row["payment_status"] == "awaiting_payment":
            waiting.append(row["order_id"])
    parts = []
    if held:
        hours = Coalesce("payment_method__hold_warning_hours", HOLD_WARNING_HOURS, output_field=SmallIntegerField())
        payments = ProviderPayment._default_manager.filter(
            fulfillment__in=held, state=PaymentState.AUTHORIZED, hold_expires_at__isnull=False
        )
        # Of several holds the one that ends first.
        parts.append(payments.order_by().values("fulfillment").annotate(at=Min("hold_expires_at"), hours=Min(hours))
                     .values_list("fulfillment", "at", "hours"))  # fmt: skip
    if waiting:
        terms = PaymentTerms._default_manager.filter(pk__in=waiting, cancel_at__isnull=False)
        hours = Value(CANCEL_WARNING_HOURS, SmallIntegerField())
        parts.append(terms.order_by().annotate(hours=hours).values_list("pk", "cancel_at", "hours"))
    if not parts:
        return {}
    found = parts[0] if len(parts) == 1 else parts[0].union(parts[1], all=True)
    return {pk: Clock(at, timedelta(hours=hours)) for pk, at, hours in found}
