"""The first row of an order's history, written in the transaction that places it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone, translation

from oscar_fulfillment.core import heads
from oscar_fulfillment.core.actors import CUSTOMER, USER, Actor
from oscar_fulfillment.core.commit import after_commit
from oscar_fulfillment.core.text import fold
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.flows import Flow, choose_flow, get_flow
from oscar_fulfillment.models import OrderFulfillment, StatusChange

from . import connector_events, messages, terms, webhook_events
from .door import ORDERS


def build_fulfillment(order: Any, **given: Any) -> OrderFulfillment:
    """The fulfillment row of an order, unsaved, with what queues and search need copied in.

    ``given`` may hold flow, payment_method, tax_id, tax_id_kind, language and the two statuses.
    """
    flow = get_flow(given.get("flow") or choose_flow(order))
    name = customer_name(order)
    words = fold(name)
    first, _space, last = words.rpartition(" ")
    method = given.get("payment_method")
    return OrderFulfillment(
        order=order,
        ships_before_payment=bool(method and method.ships_before_payment),
        completes_unpaid=bool(method and not method.completes_when_paid),
        flow=flow.name,
        payment_status=given.get("payment_status") or _first_payment_status(order, flow),
        shipping_status=given.get("shipping_status") or flow.shipping.initial,
        payment_method=method,
        language=given.get("language") or translation.get_language() or "",
        placed_at=order.date_placed,
        number=order.number,
        currency=order.currency,
        customer_name=name,
        email=(order.email or "").casefold(),
        tax_id=given.get("tax_id") or "",
        tax_id_kind=given.get("tax_id_kind") or "",
        search_name=words,
        search_surname=f"{last} {first}".strip(),
    )


def _first_payment_status(order: Any, flow: Flow) -> str:
    """Where the payment begins; an order that costs nothing waits for nothing."""
    free = order.total_incl_tax <= 0 and "paid" in flow.payment.states
    return "paid" if free else flow.payment.initial


def customer_name(order: Any) -> str:
    """Who buys: the billing name, else the one on the parcel, else the account's."""
    for address in (order.billing_address, order.shipping_address):
        if address is not None and address.name:
            return address.name[:255]
    return (order.user.get_full_name() if order.user else "")[:255]


def record_placement(*, order: Any, request: Any = None, **given: Any) -> OrderFulfillment:
    """Give a new order its two statuses, its first history row, and the two mails (customer and operator).

    Call inside the transaction that creates the order: one statement (three elsewhere than on PostgreSQL; one more
    where the payment method has a clock), undone with it.
    """
    fulfillment = build_fulfillment(order, **given)
    step = Step(fulfillment, [Move("order", "place", is_record=True)], _placed_by(order, request), timezone.now(), {})
    messages.mail(step, messages.ORDER_PLACED)
    messages.mail(step, messages.OPERATOR_NEW_ORDER)
    webhook_events.add_messages([step])
    connector_events.add_messages([step])
    row = first_row(fulfillment, step.actor, "place", step.now)
    fulfillment.version, fulfillment.history_hash = 1, row.hash
    heads.write_first(fulfillment, row, step.messages)
    if (clock := terms.build_terms(fulfillment)) is not None:
        clock.save(force_insert=True)
    step.changes = [row]
    after_commit(ORDERS.announce, step)
    return fulfillment


def first_row(fulfillment: OrderFulfillment, actor: Actor, action: str, now: Any) -> StatusChange:
    """The row that starts an order's history, hashed, unsaved."""
    row = StatusChange(
        fulfillment=fulfillment,
        sequence=1,
        machine="order",
        action=action,
        actor_id=actor.user.pk if actor.kind == USER and actor.user else None,
        actor_kind=actor.kind,
        actor_label=actor.label,
        data={"payment": fulfillment.payment_status, "shipping": fulfillment.shipping_status},
        created_at=now,
    )
    row.hash = row.compute_hash("")
    return row


def _placed_by(order: Any, request: Any) -> Actor:
    """The customer, or the member of staff who placed the order for somebody else."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and user.is_staff and user != order.user:
        return Actor.from_user(user)
    return Actor(CUSTOMER, (order.email or "guest")[:150], order.user)
