"""An order that will not go out: its stock is freed, its payment cancelled where it is not in yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.gateways.base import Capability
from oscar_fulfillment.models import (
    Hold,
    Invoice,
    Parcel,
    PaymentOperation,
    ProviderPayment,
    Shipment,
    StatusChange,
)
from oscar_fulfillment.models.shipment import CANCELLED, PENDING

from . import carrier_orders, followups, ledger, messages, money, stock
from .door import move

CANCEL = Move("shipping", "cancel")
CANCEL_PAYMENT = Move("payment", "cancel_payment")

#: The problem shown on an order that was cancelled although its money is in.
REFUND_DUE = "refund_due"


def cancel_effect(steps: Sequence[Step]) -> None:
    """Free the stock, drop what was prepared, end the holds; money that is in becomes a problem to settle."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    documents = Invoice._default_manager.filter(fulfillment__in=ids, cancelled_at=None).exclude(kind="none")
    valid = set(documents.values_list("fulfillment_id", flat=True))
    # What came in of an order that is not paid: too little, or nobody has looked yet.
    received = ledger.nets([step.subject.pk for step in steps if step.subject.has_money])
    going = []
    for step in steps:
        if step.subject.pk in valid:
            step.refuse(
                Reason(
                    "invoice_valid",
                    _("The order has a valid fiscal document."),
                    _("Take the invoice back first"),
                )
            )
            continue
        going.append(step)
        if step.subject.is_payable() and CANCEL_PAYMENT.action in step.machines["payment"].transitions:
            step.moves = [*step.moves, CANCEL_PAYMENT]
            step.targets["payment"] = "cancelled"
        if step.subject.payment_status in ("paid", "partially_refunded") or received.get(step.subject.pk, 0) > 0:
            step.fields["problem"] = REFUND_DUE
        step.fields |= {"has_backorder": False, "hold_count": 0}
        if step.context.get("notify", True):
            messages.mail(step, messages.ORDER_CANCELLED)
    if not going:
        return
    freed = {pk: line.num_allocated or 0 for pk, line in locked.lines.items()}
    gone = {step.subject.pk for step in going}
    stock.free(locked, {pk: qty for pk, qty in freed.items() if locked.lines[pk].order_id in gone})
    pending = Shipment._default_manager.filter(fulfillment__in=gone, status=PENDING)
    given_up: dict[int, list[int]] = defaultdict(list)
    for order_id, pk in pending.values_list("fulfillment_id", "pk"):
        given_up[order_id].append(pk)
    for step in going:
        if step.subject.pk in given_up:
            carrier_orders.cancel_of_shipments(step, given_up[step.subject.pk])
    Parcel._default_manager.filter(shipment__in=pending).update(status=CANCELLED, next_check_at=None)
    pending.update(status=CANCELLED)
    Hold._default_manager.filter(fulfillment__in=gone, released_at=None).update(
        released_at=steps[0].now, released_by_label=steps[0].actor.label
    )
    money.end_terms(*gone)
    followups.close_for_orders(gone, followups.ABOUT_PAYING, "nothing", steps[0].actor.label)
    followups.open_followups(
        [
            followups.build_followup(
                kind=followups.LATE_MONEY, key=f"late:part:{step.subject.pk}:{step.subject.version}",
                fulfillment_id=step.subject.pk,
                data={"amount": received[step.subject.pk], "currency": step.subject.currency},
            )
            for step in going
            if step.targets.get("payment") == "cancelled" and received.get(step.subject.pk, 0) > 0
        ]
    )  # fmt: skip
    close_payments(going)


def close_payments(steps: Sequence[Step]) -> None:
    """Ask the providers to close what is open or held for these orders, so that nobody pays for nothing."""
    from .operations import can, make_operation
    from .settling import LIVE

    by_order = {step.subject.pk: step for step in steps}
    live = ProviderPayment._default_manager.filter(fulfillment__in=by_order, state__in=LIVE)
    for payment in live.exclude(operations__status=PaymentOperation.REQUESTED):
        if not can(payment, Capability.VOID):
            continue  # a hold ends by itself; what is paid nevertheless is late money
        step = by_order[payment.fulfillment_id]
        reason = step.reason or str(_("The order was cancelled."))
        _operation, message = make_operation(payment, PaymentOperation.VOID, payment.held, step.actor, reason)
        step.messages.append(message)


def cancel_order(
    *,
    order: Any,
    actor: Actor,
    reason: str,
    override: bool = False,
    notify: bool = True,
    tell_reason: bool = False,
    data: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Cancel an order that has not left; a reason is required and kept.

    The reason stays inside the shop, unless ``tell_reason`` marks it as written for the customer: then mail and
    account page show it.

    ``data`` is kept in the history (what a provider said). What is open or held at a provider is closed there.

    An order whose payment a provider runs is cancelled by the provider's word, unless ``override``
    (the caller checks the permission ``override_payment``).
    """
    flags = {name: True for name, given in (("override", override), ("tell_reason", tell_reason)) if given}
    return move(
        order,
        CANCEL,
        actor=actor,
        reason=clean_text("reason", reason, required=True),
        data={**(data or {}), **flags},
        context={"notify": notify, "override": override},
        effect=cancel_effect,
        expected_version=expected_version,
        key=key,
    )
