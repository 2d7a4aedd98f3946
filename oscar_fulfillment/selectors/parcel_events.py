"""All that carriers told of a shipment's parcels: also what they took back, what is still to come, unknown codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from oscar_fulfillment.models import Parcel, TrackingEvent
from oscar_fulfillment.models.shipment import CANCELLED

from .tracking import AHEAD, standing

#: Events of one parcel that a page shows, the newest; a usual parcel has ten.
SHOWN = 300


@dataclass(frozen=True)
class ToldEvent:
    """An event, and how much it counts. ``is_taken_back``: a later one retracts it. ``is_ahead``: its time is to come,
    and it decides nothing until then."""

    row: TrackingEvent
    is_taken_back: bool = False
    is_ahead: bool = False


@dataclass(frozen=True)
class ParcelEvents:
    """A parcel and its events, newest first; ``more`` older ones are not shown."""

    parcel: Parcel
    events: Sequence[ToldEvent] = ()
    more: int = 0


def read_events(shipment: int, *, order_id: int) -> list[ParcelEvents]:
    """The parcels of a shipment of this order with all that was told of them. Two statements."""
    rows = Parcel._default_manager.filter(shipment=shipment, shipment__fulfillment=order_id).exclude(status=CANCELLED)
    now = timezone.now()
    return [_told(parcel, now) for parcel in rows.order_by("number").prefetch_related("events")]


def _told(parcel: Any, now: datetime) -> ParcelEvents:
    # As the summary of the parcel sorts them.
    found = sorted(parcel.events.all(), key=lambda event: (event.occurred_at, event.pk))
    counting = {id(event) for event in standing(found, now)}
    told = [
        ToldEvent(
            event,
            is_taken_back=not event.retracts and id(event) not in counting and event.occurred_at <= now + AHEAD,
            is_ahead=event.occurred_at > now + AHEAD,
        )
        for event in found
    ]
    return ParcelEvents(parcel, told[::-1][:SHOWN], max(len(told) - SHOWN, 0))
