"""The order as a step needs it: its two statuses, Oscar's order, the payment method; no lines, no addresses."""

from __future__ import annotations

from typing import Any

from oscar.core.loading import get_model

from oscar_fulfillment.core import reading
from oscar_fulfillment.models import OrderFulfillment

from .orders import orders_for_user


def find_order_for_step(user: Any, number: str) -> Any:
    """The order with its fulfillment row and payment method.

    Raises the model's ``DoesNotExist`` also for an order this user may not see, and for one without its row.
    """
    found = reading.read(OrderFulfillment, ("order", "payment_method"), [number], by="number")
    if not found or (not user.is_staff and not orders_for_user(user).filter(pk=found[0].pk).exists()):
        raise get_model("order", "Order").DoesNotExist(f"no order {number}")
    return found[0].order
