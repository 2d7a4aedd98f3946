"""Mails as outbox rows, written in the transaction of the step that causes them."""

from __future__ import annotations

from typing import Any

from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.transitions import Step

#: Oscar communication event types of ours (editable in Oscar's dashboard), sent to the customer ...
ORDER_PLACED = "ORDER_PLACED"  # Oscar's own
PAYMENT_APPROVED = "FULFILLMENT_PAYMENT_APPROVED"
ORDER_CONFIRMED = "FULFILLMENT_ORDER_CONFIRMED"
ORDER_DISPATCHED = "FULFILLMENT_ORDER_DISPATCHED"
TRACKING_ASSIGNED = "FULFILLMENT_TRACKING_ASSIGNED"
PICKUP_READY = "FULFILLMENT_READY_FOR_PICKUP"
ORDER_DELIVERED = "FULFILLMENT_ORDER_DELIVERED"
ORDER_CANCELLED = "FULFILLMENT_ORDER_CANCELLED"
ORDER_EDITED = "FULFILLMENT_ORDER_EDITED"
PAYMENT_REMINDER = "FULFILLMENT_PAYMENT_REMINDER"
PAYMENT_AUTHORIZED = "FULFILLMENT_PAYMENT_AUTHORIZED"
PAYMENT_REFUSED = "FULFILLMENT_PAYMENT_REFUSED"
PAYMENT_REFUNDED = "FULFILLMENT_PAYMENT_REFUNDED"
CUSTOMER_NOTE = "FULFILLMENT_CUSTOMER_NOTE"
RETURN_REQUESTED = "FULFILLMENT_RETURN_REQUESTED"
RETURN_APPROVED = "FULFILLMENT_RETURN_APPROVED"
RETURN_REFUSED = "FULFILLMENT_RETURN_REFUSED"
RETURN_RECEIVED = "FULFILLMENT_RETURN_RECEIVED"
RETURN_SETTLED = "FULFILLMENT_RETURN_SETTLED"
ABOUT_RETURNS = (RETURN_REQUESTED, RETURN_APPROVED, RETURN_REFUSED, RETURN_RECEIVED, RETURN_SETTLED)
#: ... and to the shop.
OPERATOR_NEW_ORDER = "FULFILLMENT_OPERATOR_NEW_ORDER"
#: To a supplier; not about one order.
SUPPLIER_ORDER = "FULFILLMENT_SUPPLIER_ORDER"
OPERATOR_RETURN = "FULFILLMENT_OPERATOR_RETURN"
TO_THE_SHOP = (OPERATOR_NEW_ORDER, OPERATOR_RETURN)

MAIL = "mail"


def mail(step: Step, kind: str, **payload: Any) -> None:
    """Write the mail of this step into the outbox; one per kind and history row, whatever is retried.

    The payload holds ids only: the mail is rendered when it is sent, from what the order is then.
    """
    key = f"{step.subject.pk}:{step.subject.version + 1}"
    step.messages.append(
        OutboxMessage(MAIL, kind, key, {"order_id": step.subject.pk, **payload}, order_id=step.subject.pk)
    )
