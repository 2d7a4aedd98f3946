"""The clocks of a page of the order list: until when money is held, and when an unpaid order is cancelled by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import ProviderPayment

from .order_money import HOLD_WARNING_HOURS

#: Hours before its cancellation in which an unpaid order is shown in red.
CANCEL_WARNING_HOURS = 24


@dataclass(frozen=True)
class Clock:
    """A moment that comes by itself. ``warning``: how long before it somebody should look."""

    until: datetime
    warning: timedelta


def read_clocks(rows: Iterable[dict[str, Any]]) -> dict[int, Clock]:
    """The clock of each order that has one, by the order's id. ``rows`` as :func:`scans.read_page` gives them.

    When an order is cancelled is in its row; one statement more where some of them have their money held.
    """
    found, held = {}, []
    for row in rows:
        if row["shipping_status"] == "cancelled":
            continue
        if row["payment_status"] == "authorized":
            held.append(row["order_id"])
        elif row["payment_status"] == "awaiting_payment" and row["terms__cancel_at"]:
            found[row["order_id"]] = Clock(row["terms__cancel_at"], timedelta(hours=CANCEL_WARNING_HOURS))
    return found | _holds(held) if held else found


def _holds(order_ids: list[int]) -> dict[int, Clock]:
    """Of several holds of an order the one that ends first."""
    rows = (
        ProviderPayment._default_manager.filter(
            fulfillment__in=order_ids, state=PaymentState.AUTHORIZED, hold_expires_at__isnull=False
        )
        .order_by("-hold_expires_at")
        .values_list("fulfillment", "hold_expires_at", "payment_method__hold_warning_hours")
    )
    return {
        pk: Clock(at, timedelta(hours=HOLD_WARNING_HOURS if hours is None else hours)) for pk, at, hours in rows if at
    }
