"""An order follows its parcels: sent when the carrier has them, delivered when the last has arrived.

Our own statuses move by what a carrier proves and by nothing less. What a person did first stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db.models import Prefetch

from oscar_fulfillment.carriers.events import FINAL, TrackingState
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import TransitionNotAllowed
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Parcel, Shipment
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING, RETURNED

from . import shipping
from .door import move

logger = logging.getLogger("oscar_fulfillment.tracking")

TRACKED = Move("parcel", "tracked", is_record=True)
#: The carrier has the parcel in its hands.
_LEFT = frozenset(TrackingState) - {
    TrackingState.PENDING, TrackingState.CANCELLED, TrackingState.INFO, TrackingState.UNKNOWN,
}  # fmt: skip
#: What is kept in the order's history beside the steps it causes: few of the many things a carrier says.
_NOTED = frozenset(
    {TrackingState.RETURNING, TrackingState.RETURNED, TrackingState.LOST, TrackingState.DELIVERED_IN_PART}
)
#: Called with (shipment, actor) when all parcels of a shipment have come back undelivered; see ``services.returns``.
on_returned: list[Callable[[Shipment, Actor], Any]] = []


def settle(parcel_ids: Iterable[int]) -> None:
    """Let shipments and orders follow these parcels. Each order by itself: one that refuses hinders no other."""
    found = Parcel._default_manager.filter(pk__in=list(parcel_ids)).values_list("shipment_id", flat=True)
    for shipment in _read(set(found)):
        try:
            _settle(shipment)
        except TransitionNotAllowed as error:
            logger.info("order %s does not follow its parcels: %s", shipment.fulfillment_id, error)
        except Exception:
            logger.exception("order %s could not follow its parcels", shipment.fulfillment_id)


def _read(shipment_ids: Iterable[int]) -> Sequence[Shipment]:
    boxes = Parcel._default_manager.exclude(status=CANCELLED).order_by("number")
    rows = Shipment._default_manager.filter(pk__in=list(shipment_ids)).select_related("fulfillment__order")
    return list(rows.prefetch_related(Prefetch("parcels", boxes, to_attr="boxes")).order_by("pk"))


def _settle(shipment: Any) -> None:
    boxes: list[Parcel] = shipment.boxes
    if not boxes:
        return
    if shipment.status == PENDING:
        if not _leaves_by_itself(shipment, boxes):
            return
        shipping.dispatch_order(
            order=shipment.fulfillment.order, actor=_actor(boxes), shipment=shipment.pk, carrier="", tracking_code=""
        )
        shipment = _read([shipment.pk])[0]
        boxes = shipment.boxes
    done = [p for p in boxes if p.tracking_state in FINAL]
    # Nobody asks for what has come to its end.
    Parcel._default_manager.filter(pk__in=[p.pk for p in done]).update(next_check_at=None)
    _note(shipment, boxes)
    if shipment.status != DISPATCHED:
        return
    if all(p.status == DELIVERED or p.tracking_state == TrackingState.DELIVERED for p in boxes):
        arrived = max((p.tracking_at for p in boxes if p.tracking_at), default=None)
        shipping.deliver_order(
            order=shipment.fulfillment.order, actor=_actor(boxes), shipment=shipment.pk, delivered_at=arrived
        )
        return
    _mark_arrived(boxes)
    if all(p.tracking_state == TrackingState.RETURNED for p in boxes):
        for hook in on_returned:
            hook(shipment, _actor(boxes))


def _mark_arrived(boxes: Sequence[Parcel]) -> None:
    """One of several has arrived: the shipment is still under way."""
    for parcel in boxes:
        if parcel.status == DISPATCHED and parcel.tracking_state == TrackingState.DELIVERED:
            rows = Parcel._default_manager.filter(pk=parcel.pk, status=DISPATCHED)
            rows.update(status=DELIVERED, delivered_at=parcel.tracking_at)


def _leaves_by_itself(shipment: Shipment, boxes: Sequence[Parcel]) -> bool:
    """Whether the carrier has every box, and its setup says that this is what "sent" means."""
    if any(p.adapter is None or not p.adapter.dispatches_on_pickup for p in boxes):
        return False
    return all(p.tracking_state in _LEFT for p in boxes)


def _actor(boxes: Sequence[Parcel]) -> Actor:
    return Actor.provider(boxes[0].carrier_name or boxes[0].carrier or "carrier")


def _note(shipment: Any, boxes: Sequence[Parcel]) -> None:
    """Keep what matters of the carrier's words in the order's history, once for each thing and parcel."""
    for parcel in boxes:
        if parcel.tracking_state not in _NOTED or parcel.status == RETURNED:
            continue
        data = {
            "parcel": parcel.pk, "tracking_code": parcel.tracking_code, "carrier": parcel.carrier,
            "tracking": parcel.tracking_state, "text": parcel.tracking_text,
        }  # fmt: skip

        def effect(steps: Sequence[Step], data: dict[str, Any] = data) -> None:
            for step in steps:
                step.data |= data

        move(
            shipment.fulfillment.order,
            TRACKED,
            actor=_actor([parcel]),
            effect=effect,
            key=f"tracked:{parcel.pk}:{parcel.tracking_state}",
        )
