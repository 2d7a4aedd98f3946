"""A parcel's events in order: clocks that tell no time zone, and the way back to the shop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from .events import TrackingEvent, TrackingState

#: What an event of the way out means on the way back.
_BACK = {TrackingState.DELIVERED: TrackingState.RETURNED, TrackingState.DELIVERED_IN_PART: TrackingState.RETURNING}


def local_time(text: str, *patterns: str, zone: tzinfo, after: datetime | None = None) -> datetime | None:
    """A wall clock's time in UTC; None for what is none, and for a database's zero (a year before 2000).

    In the hour that winter time repeats, the first one is meant, unless that would be before ``after``, the event
    before. An hour that summer time leaves out is read as if the clock had not been changed yet.
    """
    for pattern in patterns:
        try:
            wall = datetime.strptime(text.strip(), pattern)
        except ValueError:
            continue
        if wall.year < 2000:
            return None
        first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return second if after is not None and first < after <= second else first
    return None


def in_order(events: Iterable[TrackingEvent], turns: Callable[[TrackingEvent], bool]) -> list[TrackingEvent]:
    """The events by their time (those of one moment as given), marked from the first one where the parcel ``turns``.

    From there on nothing is delivered to anybody: an arrival is the goods' return to the shop.
    """
    found, back = [], False
    for event in sorted(events, key=lambda event: event.occurred_at):
        back = back or turns(event)
        found.append(replace(event, is_return=True, state=_BACK.get(event.state, event.state)) if back else event)
    return found
