"""What carriers tell of parcels: stored once, summed up, and followed by the order.

    events (asked for, told by a webhook, imported)  ->  record_events: rows, each once
    ->  the parcel's summary (selectors.tracking.sum_up)  ->  settle: delivered, sent, on its way back

Set-based: any number of parcels costs a handful of statements a chunk. Safe to be told the same twice, in any order.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from oscar_fulfillment import signals
from oscar_fulfillment.carriers.events import TrackingEvent as Told
from oscar_fulfillment.carriers.events import TrackingState
from oscar_fulfillment.core.commit import after_commit
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.rows import Change, insert_unknown, update_each
from oscar_fulfillment.models import Parcel, TrackingEvent, UnmappedCode
from oscar_fulfillment.selectors.tracking import Summary, sum_up

from . import parcel_states, webhook_events

logger = logging.getLogger("oscar_fulfillment.tracking")

#: Parcels whose events are written together.
CHUNK = 200
EVENT_COLUMNS = ("state", "incident", "text", "place", "is_return", "retracts", "occurred_at")
SUMMARY = ("tracking_state", "tracking_text", "tracking_place", "tracking_at", "incident")


def record_events(told: Iterable[tuple[int, Sequence[Told]]]) -> int:
    """Store what carriers told of parcels (by id), and let parcels and orders follow; how many events were new.

    Events that are known, and parcels that are gone, are passed over. Memory does not grow with ``told``.
    """
    new = 0
    rows = iter(told)
    while chunk := list(islice(rows, CHUNK)):
        count, changed = _record_chunk(chunk)
        new += count
        parcel_states.settle(changed)
    return new


def _record_chunk(chunk: Sequence[tuple[int, Sequence[Told]]]) -> tuple[int, list[int]]:
    """New events and the ids of the parcels that stand otherwise since."""
    now = timezone.now()
    wanted: dict[int, list[Told]] = defaultdict(list)
    for pk, events in chunk:
        wanted[pk] += events
    with transaction.atomic():
        # Locked: two answers about one parcel are summed up one after the other.
        found = {parcel.pk: parcel for parcel in lock_rows(Parcel._default_manager.filter(pk__in=wanted))}
        rows = [_row(pk, event, now) for pk, events in wanted.items() if pk in found for event in events]
        new = insert_unknown(TrackingEvent, rows, ["parcel_id", "code", "text", "state"])
        touched = {row[0] for row in new}
        if not touched:
            return 0, []
        _count_unknown(new, found, now)
        changed = _sum_up([found[pk] for pk in touched], now)
    return len(new), changed


def fingerprint(event: Told) -> str:
    """What makes an event of a parcel unique: the carrier's own name of it, else what it says and when."""
    words = (
        ["id", event.external_id]
        if event.external_id
        else [event.code, event.occurred_at.isoformat(), event.place, str(event.is_return)]
    )
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:40]


def _row(pk: int, event: Told, now: datetime) -> dict[str, Any]:
    return {
        "parcel_id": pk,
        "fingerprint": fingerprint(event),
        "code": event.code[:64],
        "state": str(event.state),
        "incident": str(event.incident or ""),
        "text": event.text[:500],
        "place": event.place[:200],
        "note": event.note[:500],
        "is_return": event.is_return,
        "retracts": event.retracts,
        "occurred_at": event.occurred_at,
        "received_at": now,
    }


def _count_unknown(new: Sequence[tuple[Any, ...]], parcels: Mapping[int, Parcel], now: datetime) -> None:
    """Codes that our tables do not know are counted, so that somebody can add them."""
    seen: dict[tuple[str, str], list[Any]] = {}
    for parcel_id, code, text, state in new:
        if state == TrackingState.UNKNOWN:
            entry = seen.setdefault((parcels[parcel_id].carrier, code), [0, text])
            entry[0] += 1
    for (carrier, code), (count, text) in sorted(seen.items()):
        known = UnmappedCode._default_manager.filter(carrier=carrier, code=code)
        if not known.update(count=F("count") + count, last_seen_at=now):
            row = UnmappedCode(carrier=carrier, code=code, text=text, count=count, first_seen_at=now, last_seen_at=now)
            if not insert_new([row], returning=["id"]):
                known.update(count=F("count") + count, last_seen_at=now)


def _sum_up(parcels: Sequence[Parcel], now: datetime) -> list[int]:
    """Write what each parcel's events come to; the ids of those that changed."""
    events: dict[int, list[Any]] = defaultdict(list)
    rows = TrackingEvent._default_manager.filter(parcel__in=parcels).order_by("occurred_at", "pk")
    for event in rows.values_list("parcel_id", *EVENT_COLUMNS, named=True):
        events[event.parcel_id].append(event)
    changed = []
    for parcel in parcels:
        summary = sum_up(events[parcel.pk], now)
        before = tuple(getattr(parcel, name) for name in SUMMARY)
        _apply(parcel, summary)
        if tuple(getattr(parcel, name) for name in SUMMARY) != before:
            changed.append(parcel)
    if changed:
        update_each([Change(parcel, {name: getattr(parcel, name) for name in SUMMARY}) for parcel in changed])
        webhook_events.tell_tracked(changed)
        for parcel in changed:
            after_commit(_announce, parcel)
    return [parcel.pk for parcel in changed]


def _apply(parcel: Parcel, summary: Summary) -> None:
    parcel.tracking_state = str(summary.state)
    parcel.tracking_text, parcel.tracking_place = summary.text, summary.place
    parcel.tracking_at, parcel.incident = summary.at, summary.incident


def _announce(parcel: Parcel) -> None:
    for receiver, result in signals.parcel_tracked.send_robust(sender=Parcel, parcel=parcel):
        if isinstance(result, Exception):
            logger.error("parcel_tracked: receiver %r failed", receiver, exc_info=result)
