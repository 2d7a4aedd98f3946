"""Changes that come in through Oscar: ``Order.set_status`` and the ``EventHandler``, called by other plugins.

Each is turned into the step of ours that means the same, with all its guards. What means none of our steps is left
to Oscar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.selectors.order_page import fulfillment_of

from . import cancelling, payments, release, shipping

#: Names of Oscar event types (folded) -> our step.
SHIPPING_EVENTS = {"shipped": "dispatch", "dispatched": "dispatch", "delivered": "deliver"}
PAYMENT_EVENTS = frozenset({"paid", "settled", "captured", "debited"})


def actor_for(user: Any) -> Actor:
    """The member of staff behind an EventHandler, else Oscar itself."""
    return Actor.from_user(user) if user is not None and user.is_authenticated else Actor.system("Oscar")


def projected_key(status: str) -> str:
    """Which of received, in_process, sent, completed, cancelled an Oscar status text stands for; "" for none."""
    return next((key for key, text in settings.ORDER_STATUS.items() if text == status), "")


def set_status(order: Any, status: str, actor: Actor) -> bool:
    """Do what the new Oscar status means. False when it is none of ours, so that Oscar handles it itself.

    Raises ``TransitionNotAllowed`` (an ``InvalidOrderStatus``) with the reasons when the step is not possible.
    """
    key = projected_key(status)
    if key == "cancelled":
        cancelling.cancel_order(order=order, actor=actor, reason=f"Order.set_status({status!r})")
    elif key == "in_process":
        release.release_order(order=order, actor=actor)
    elif key == "sent":
        shipping.dispatch_order(order=order, actor=actor)
    elif key == "completed":
        shipping.deliver_order(order=order, actor=actor)
    else:
        return False
    return True


def reachable_statuses(order: Any, fulfillment: OrderFulfillment) -> list[str]:
    """The Oscar statuses that one step of ours leads to from here (guards not asked)."""
    machine = fulfillment.flow_definition.shipping
    steps = {"in_process": "release", "sent": "dispatch", "completed": "deliver", "cancelled": "cancel"}
    return [
        settings.ORDER_STATUS[key]
        for key, action in steps.items()
        if action in machine.transitions
        and fulfillment.shipping_status in machine.transitions[action].sources
        and settings.ORDER_STATUS[key] != order.status
    ]


def handle_shipping_event(
    order: Any, event_name: str, quantities: Mapping[int, int], actor: Actor, reference: str
) -> bool:
    """Dispatch or deliver, where the event means that. False when it means nothing to us."""
    action = SHIPPING_EVENTS.get(event_name.casefold())
    if action == "dispatch":
        shipping.dispatch_order(order=order, actor=actor, quantities=dict(quantities), reason=reference)
    elif action == "deliver":
        shipping.deliver_order(order=order, actor=actor, reason=reference)
    else:
        return False
    return True


def handle_payment_event(order: Any, event_name: str, amount: Any, actor: Actor, reference: str) -> bool:
    """Approve the payment when the whole sum is said to be in. False when Oscar shall only record the event."""
    fulfillment = fulfillment_of(order)
    if (
        fulfillment is None
        or event_name.casefold() not in PAYMENT_EVENTS
        or not fulfillment.is_payable()
        or amount != order.total_incl_tax
    ):
        return False
    payments.approve_payment(order=order, actor=actor, reference=reference)
    return True
