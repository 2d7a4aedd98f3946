"""What a carrier answered to an order: its number goes to the box and to the customer, its refusal to the merchant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.events import CarrierOrderState, RemoteOrder
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import CarrierOrder, OrderFulfillment, Parcel
from oscar_fulfillment.models.shipment import CANCELLED, DISPATCHED

from . import messages, parcels
from .carrier_requests import lane
from .door import move

ORDERED = Move("carrier", "carriage_ordered", is_record=True)
REFUSED = Move("carrier", "carriage_refused", is_record=True)
CANCELLED_THERE = Move("carrier", "cancel_carriage", is_record=True)
#: Shown on the order until it is settled (``selectors.orders.PROBLEMS``).
PROBLEM = "carriage_refused"
#: Seconds to the first question for a number that comes later.
SOON = 4
#: The kind of the message that asks for it.
ASK = "ask"
#: ... and to the next one about an order of which the carrier says nothing that we understand.
LATER = 900

_STATES = {
    CarrierOrderState.ACCEPTED: CarrierOrder.ACCEPTED,
    CarrierOrderState.CREATED: CarrierOrder.CREATED,
    CarrierOrderState.INVALID: CarrierOrder.REFUSED,
    CarrierOrderState.CANCELLED: CarrierOrder.CANCELLED,
}


#: What is told in the history when an order comes to stand so.
_TOLD = {CarrierOrder.CREATED: ORDERED, CarrierOrder.REFUSED: REFUSED, CarrierOrder.CANCELLED: CANCELLED_THERE}


def settle(pk: int, remote: RemoteOrder) -> CarrierOrder:
    """Take over what the carrier says of an order. Told twice, it changes nothing the second time."""
    row = CarrierOrder._default_manager.select_related("shipment__fulfillment__order").get(pk=pk)
    with transaction.atomic():
        # What it is now, and not what it was when the carrier was called: it may have been cancelled meanwhile.
        (fulfillment,) = lock_rows(OrderFulfillment._default_manager.filter(pk=row.shipment.fulfillment_id))
        (fresh,) = lock_rows(CarrierOrder._default_manager.filter(pk=pk))
        status, record = _comes_to(fresh, remote)
        if record is None:
            if status == CarrierOrder.ACCEPTED and fresh.status != status:
                # Most numbers come within seconds; those that do not are asked for by the task.
                asking = OutboxMessage(
                    lane(fresh.carrier), ASK, fresh.reference, {"carrier_order": pk}, SOON, fulfillment.pk
                )
                outbox.enqueue([asking])
            _write(fresh, status, remote, timezone.now())
            return fresh
        order = row.shipment.fulfillment.order
        order._state.fields_cache["fulfillment"] = fulfillment
        alias = fresh.carrier
        actor = Actor.provider(str(carriers.get(alias).name) if alias in carriers else alias)

        def effect(steps: Sequence[Step]) -> None:
            for step in steps:
                _take(step, fresh, status, remote)

        move(order, record, actor=actor, effect=effect, held=True)
    return fresh


def _comes_to(row: CarrierOrder, remote: RemoteOrder) -> tuple[str, Move | None]:
    """How an order stands after this word of its carrier, and the history row that says so (None: nothing new)."""
    status = _STATES.get(remote.state, row.status)
    if status == CarrierOrder.CREATED and not remote.tracking_code:
        status = CarrierOrder.ACCEPTED
    if row.status == CarrierOrder.CANCELLING and status == CarrierOrder.REFUSED:
        # The carrier will not take it back: it stands as it did, and says why.
        return (CarrierOrder.CREATED if row.tracking_code else CarrierOrder.ACCEPTED), REFUSED
    if row.status == CarrierOrder.CANCELLING and status != CarrierOrder.CANCELLED:
        return row.status, None  # made while it was being given up: the cancelling is on its way
    if row.status in (CarrierOrder.CANCELLED, CarrierOrder.REFUSED):
        return row.status, None
    if remote.state == CarrierOrderState.UNKNOWN and remote.problem != row.problem:
        return row.status, REFUSED  # a person has to look; it is asked for again all the same
    return status, _TOLD.get(status) if status != row.status else None


def _take(step: Step, row: CarrierOrder, status: str, remote: RemoteOrder) -> None:
    gives_number = status == CarrierOrder.CREATED and row.status != CarrierOrder.CANCELLING
    _write(row, status, remote, step.now)
    step.data |= {"carrier": row.carrier, "reference": row.reference}
    if row.tracking_code:
        step.data["tracking_code"] = row.tracking_code
    step.context["announce"] = {"carrier_order": row}
    if gives_number:
        _give_number(step, row)
    elif remote.problem:
        step.data["text"] = remote.problem[:500]
        step.fields["problem"] = step.subject.problem or PROBLEM


def _write(row: CarrierOrder, status: str, remote: RemoteOrder, now: datetime) -> None:
    row.status = status
    row.external_id = remote.external_id or row.external_id
    row.tracking_code = remote.tracking_code[:64] or row.tracking_code
    row.problem = remote.problem[:500]
    row.claimed_until = None
    if remote.state == CarrierOrderState.UNKNOWN:
        row.next_check_at = now + timedelta(seconds=LATER)
    elif status == CarrierOrder.ACCEPTED:
        row.next_check_at = row.next_check_at or now + timedelta(seconds=3 * SOON)
    else:
        row.next_check_at, row.settled_at = None, now
    row.save(
        update_fields=[
            "status", "external_id", "tracking_code", "problem", "claimed_until", "next_check_at", "settled_at",
        ]
    )  # fmt: skip


def _give_number(step: Step, row: CarrierOrder) -> None:
    """The number on the shipment's boxes that have none; a box where there is none. The customer is told."""
    adapter: Any = carriers.get(row.carrier)
    typed = {
        "carrier": row.carrier,
        "tracking_code": row.tracking_code,
        "tracking_url": adapter.tracking_url(row.tracking_code, step.subject.language)[:500],
    }
    shipment = row.shipment
    boxes = list(shipment.parcels.exclude(status=CANCELLED).order_by("number"))
    if not boxes:
        boxes = [Parcel(shipment=shipment, number=1, status=shipment.status, dispatched_at=shipment.dispatched_at)]
    for box in boxes:
        if box.tracking_code:
            continue
        for name, value in typed.items():
            setattr(box, name, value)
        box.next_check_at = parcels.first_check(box, step.now)
        box.save()
    kind = messages.ORDER_DISPATCHED if shipment.status == DISPATCHED else messages.TRACKING_ASSIGNED
    messages.mail(step, kind, shipments=[shipment.pk])
