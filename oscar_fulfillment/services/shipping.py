"""Goods leave, arrive, or come back. What a step writes is in :mod:`leaving` and :mod:`arriving`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.models.shipment import DELIVERED, DISPATCHED, RETURNED

from . import cancelling, ledger, oscar_events, parcels, payments, stock
from .arriving import deliver_effect
from .door import move
from .leaving import dispatch_effect
from .shipments import ShipmentBook

DISPATCH = Move("shipping", "dispatch")
DELIVER = Move("shipping", "deliver")
RETURN = Move("shipping", "return")


def dispatch_order(
    *,
    order: Any,
    actor: Actor,
    carrier: str = "",
    tracking_code: str = "",
    shipment: int | None = None,
    quantities: Mapping[int, int] | None = None,
    boxes: Sequence[Mapping[str, str]] | None = None,
    notify: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that the goods have left; ``shipment`` (its id) for one of several. The customer is mailed unless not.

    With ``quantities`` (units per line pk) only these leave; the rest stays behind as a shipment of its own.
    ``boxes`` name several parcels, each with ``carrier`` and ``tracking_code``. Raises what
    :func:`parcels.read_parcels` raises.
    """
    given = [{"carrier": carrier, "tracking_code": tracking_code}] if boxes is None else boxes
    typed = parcels.read_parcels(given, order=order)
    return move(
        order,
        DISPATCH,
        actor=actor,
        reason=clean_text("reason", reason),
        context={"parcels": typed, "shipment": shipment, "quantities": quantities, "notify": notify},
        effect=dispatch_effect,
        expected_version=expected_version,
        key=key,
    )


def deliver_order(
    *,
    order: Any,
    actor: Actor,
    shipment: int | None = None,
    delivered_at: datetime | None = None,
    notify: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that the goods have arrived: all that is under way, or one shipment (its id).

    ``delivered_at`` by the carrier's clock; default: now.
    """
    return move(
        order,
        DELIVER,
        actor=actor,
        reason=clean_text("reason", reason),
        context={"shipment": shipment, "notify": notify, "delivered_at": delivered_at},
        effect=deliver_effect,
        expected_version=expected_version,
        key=key,
    )


def return_effect(steps: Sequence[Step]) -> None:
    """Every shipment that left has come back; counted into the stock again where asked."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    book = ShipmentBook(ids)
    moving = [s for step in steps for s in book.of(step.subject.pk) if s.status in (DISPATCHED, DELIVERED)]
    # Units that came back before, in a return of their own, are counted already.
    back = {s.pk: {line.line_id: line.quantity - line.returned for line in s.lines.all()} for s in moving}
    for shipment in moving:
        shipment.status = RETURNED
    Shipment._default_manager.bulk_update(moving, ["status"])
    parcels.come_back_with(moving)
    ShipmentLine._default_manager.filter(shipment__in=moving).update(returned=F("quantity"))
    if steps[0].context["restock"]:
        stock.put_back(locked, _sum(back.values()))
    events = []
    for step in steps:
        own = [s for s in moving if s.fulfillment_id == step.subject.pk]
        step.data |= {"shipments": [s.pk for s in own], "restock": step.context["restock"]}
        events.append((step.subject.order, _sum(back[s.pk] for s in own), ""))
    nothing_to_pay([step for step in steps if step.subject.is_payable()])
    oscar_events.record_shipping(oscar_events.RETURNED, events)


def _sum(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Units per order line pk over several shipments."""
    total: dict[int, int] = {}
    for part in parts:
        for pk, units in part.items():
            total[pk] = total.get(pk, 0) + units
    return total


def nothing_to_pay(steps: Sequence[Step]) -> None:
    """Who sent everything back owes nothing: no reminders, no hold. Money that is in stays until it is refunded."""
    cancels = cancelling.CANCEL_PAYMENT
    steps = [
        step for step in steps
        if cancels.action in step.machines["payment"].transitions
        and not (step.subject.has_money and ledger.totals(step.subject.pk).net > 0)
    ]  # fmt: skip
    for step in steps:
        step.moves = [*step.moves, cancels]
        step.targets["payment"] = "cancelled"
    if steps:
        payments.end_of_waiting(steps)
        cancelling.close_payments(steps)


def return_order(
    *,
    order: Any,
    actor: Actor,
    reason: str,
    restock: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that everything came back (refused at the door, not found); a reason is required."""
    return move(
        order,
        RETURN,
        actor=actor,
        reason=clean_text("reason", reason, required=True),
        context={"restock": restock},
        effect=return_effect,
        expected_version=expected_version,
        key=key,
    )


__all__ = [
    "DELIVER",
    "DISPATCH",
    "RETURN",
    "deliver_effect",
    "deliver_order",
    "dispatch_effect",
    "dispatch_order",
    "return_effect",
    "return_order",
]
