"""What a parcel's events come to. A pure function over events, and the reads of the tracking pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from oscar_fulfillment.carriers.events import TrackingState

#: Clocks of carriers differ; what lies further ahead than this is kept and shown, but decides nothing yet.
AHEAD = timedelta(hours=24)
#: States of events that say something and move nothing.
_STILL = frozenset({TrackingState.INFO, TrackingState.UNKNOWN})
#: What an event of the way back means for the sender.
_BACK = {TrackingState.DELIVERED: TrackingState.RETURNED, TrackingState.RETURNED: TrackingState.RETURNED}


class Event(Protocol):
    """What is needed of an event: a row of ours, or one as an adapter gives it."""

    state: Any
    incident: Any
    text: str
    place: str
    is_return: bool
    retracts: bool
    occurred_at: datetime


@dataclass(frozen=True)
class Summary:
    """Where a parcel stands: the newest event that moves it, and whether something is in its way."""

    state: TrackingState
    text: str = ""
    place: str = ""
    at: datetime | None = None
    incident: str = ""
    #: When it arrived, by the carrier's clock.
    delivered_at: datetime | None = None


def standing(events: Iterable[Event], now: datetime) -> list[Event]:
    """The events that count, oldest first: without those of the future, and without what was taken back.

    An event that retracts takes back the newest one before it, and itself says nothing more.
    """
    found: list[Event] = []
    for event in sorted(events, key=lambda event: event.occurred_at):
        if event.occurred_at > now + AHEAD:
            continue
        if event.retracts:
            if found:
                found.pop()
            continue
        found.append(event)
    return found


def state_of(event: Event) -> TrackingState:
    """What an event says of the parcel. "Delivered" on the way back is the goods' return to the shop."""
    state = TrackingState(str(event.state))
    if not event.is_return or state in _STILL:
        return state
    return _BACK.get(state, TrackingState.RETURNING)


def sum_up(events: Iterable[Event], now: datetime) -> Summary:
    """Where a parcel stands by its events, whatever the order in which they came.

    ========================================= =========================================
    events (newest last)                      stands as
    ========================================= =========================================
    none, or only of the future               unknown to us ("pending")
    ... delivered, information                delivered (information moves nothing)
    ... delivered, way back begins            returning
    ... way back, delivered (of the way back) returned
    ... delivered, retraction                 what was before
    only codes nobody knows                   unknown
    ========================================= =========================================
    """
    counting = standing(events, now)
    moving = [event for event in counting if state_of(event) not in _STILL]
    if not moving:
        last = counting[-1] if counting else None
        if last is None:
            return Summary(TrackingState.PENDING)
        return Summary(state_of(last), last.text[:500], last.place[:200], last.occurred_at)
    last = moving[-1]
    state = state_of(last)
    troubled = last.incident and state not in (TrackingState.DELIVERED, TrackingState.RETURNED)
    return Summary(
        state,
        last.text[:500],
        last.place[:200],
        last.occurred_at,
        incident=str(last.incident) if troubled else "",
        delivered_at=last.occurred_at if state == TrackingState.DELIVERED else None,
    )
