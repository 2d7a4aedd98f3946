"""Asking carriers for their parcels: in batches, within their limits, each carrier by itself.

A carrier that is down rests (``core.circuit``) and delays no other. A parcel is claimed by moving the time of its next
question, so that two workers never ask for the same one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.events import Tracked
from oscar_fulfillment.core import circuit
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, ConfigurationError
from oscar_fulfillment.models import Parcel
from oscar_fulfillment.models.shipment import DISPATCHED, PENDING

from .tracking import record_events

logger = logging.getLogger("oscar_fulfillment.tracking")

#: Seconds between two probes of a carrier that is down; the last repeats.
BACKOFF = (60, 120, 300, 600)
#: Days after which a parcel that has not moved is asked for once a day only, and after which no more.
SLOW_AFTER, GIVE_UP_AFTER = 14, 90


def health_name(alias: str) -> str:
    """Under which name a carrier's rest is kept (``models.LaneHealth``)."""
    return f"tracking:{alias}"


def poll_due(*, budget: float, limit: int = 1000) -> dict[str, int]:
    """Ask for parcels whose turn it is, at most ``limit`` and for ``budget`` seconds; how many were asked by carrier.

    Each carrier gets its share of the time, so that a slow one does not starve the next.
    """
    now = timezone.now()
    due = Parcel._default_manager.filter(next_check_at__lte=now).order_by().values_list("carrier", flat=True).distinct()
    waiting = sorted(set(due))
    resting = circuit.states()
    asked: dict[str, int] = {}
    ends = time.monotonic() + budget
    for place, alias in enumerate(waiting):
        if alias not in carriers:
            Parcel._default_manager.filter(carrier=alias, next_check_at__lte=now).update(next_check_at=None)
            continue
        state = resting.get(health_name(alias))
        if state is not None and not circuit.begin_probe(state):
            continue
        share = max((ends - time.monotonic()) / (len(waiting) - place), 0)
        asked[alias] = _poll_carrier(alias, now, min(time.monotonic() + share, ends), limit, state)
    return asked


def _poll_carrier(alias: str, now: datetime, ends: float, limit: int, state: Any) -> int:
    adapter = carriers.get(alias)
    rows = Parcel._default_manager.filter(carrier=alias, next_check_at__lte=now)
    calls, asked = adapter.calls_per_minute or limit, 0
    while calls > 0 and asked < limit and time.monotonic() < ends:
        batch = list(rows.order_by("next_check_at")[: max(adapter.track_batch, 1)])
        batch = [parcel for parcel in batch if _claim(parcel, adapter, now)]
        if not batch:
            break
        calls -= 1
        asked += len(batch)
        if not _ask(alias, adapter, batch, state):
            break
        state = None
    return asked


def _ask(alias: str, adapter: Any, batch: Sequence[Parcel], state: Any) -> bool:
    """Ask for a batch; False when the carrier is down."""
    try:
        _take(adapter, batch)
    except AdapterUnavailable as error:
        circuit.trip(health_name(alias), state, str(error)[:200], BACKOFF)
        # Not their fault: their turn comes again with the carrier.
        Parcel._default_manager.filter(pk__in=[p.pk for p in batch]).update(
            next_check_at=timezone.now() + timedelta(seconds=BACKOFF[0]), checks=F("checks") - 1
        )
        return False
    except (AdapterRejected, ConfigurationError) as error:
        logger.warning("%s refuses to be asked: %s", alias, error)
        note = str(error)[:200] or "refused"
        Parcel._default_manager.filter(pk__in=[p.pk for p in batch]).update(tracking_problem=note)
        return len(batch) > 1 or adapter.track_batch == 1
    if state is not None:
        circuit.close(state)
    return True


def _claim(parcel: Parcel, adapter: Any, now: datetime) -> bool:
    """Move a parcel's turn; False when another worker was faster, or when nobody asks for it any more."""
    sent = parcel.dispatched_at or now
    age = now - sent
    if age > timedelta(days=GIVE_UP_AFTER) or parcel.status not in (PENDING, DISPATCHED) or not parcel.tracking_code:
        following = None
    else:
        pauses = adapter.track_every
        minutes = 24 * 60 if age > timedelta(days=SLOW_AFTER) else pauses[min(parcel.checks, len(pauses) - 1)]
        following = now + timedelta(minutes=minutes)
    rows = Parcel._default_manager.filter(pk=parcel.pk, next_check_at=parcel.next_check_at)
    return bool(rows.update(next_check_at=following, checks=min(parcel.checks + 1, 32_000))) and following is not None


def _take(adapter: Any, batch: Sequence[Parcel]) -> int:
    """Ask for these parcels of one carrier and store what it says; raises what the adapter raises."""
    by_code: dict[str, list[Parcel]] = {}
    for parcel in batch:
        by_code.setdefault(parcel.tracking_code, []).append(parcel)
    answers: list[Tracked] = adapter.track(sorted(by_code))
    now = timezone.now()
    missing = []
    told = []
    for answer in answers:
        for parcel in by_code.get(answer.code, ()):
            if answer.problem:
                missing.append(parcel.pk)
            told.append((parcel.pk, answer.events))
    ids = [parcel.pk for parcel in batch]
    Parcel._default_manager.filter(pk__in=ids).exclude(pk__in=missing).update(checked_at=now, tracking_problem="")
    Parcel._default_manager.filter(pk__in=missing).update(checked_at=now, tracking_problem="not_found")
    return record_events(told)


def refresh_parcels(parcel_ids: Iterable[int]) -> int:
    """Ask the carriers for these parcels now; how many events were new.

    Raises :class:`AdapterUnavailable` or :class:`AdapterRejected` with the carrier's words; parcels whose carrier
    cannot be asked are passed over.
    """
    new = 0
    wanted = Parcel._default_manager.filter(pk__in=list(parcel_ids)).exclude(tracking_code="").order_by("carrier", "pk")
    by_carrier: dict[str, list[Parcel]] = {}
    for parcel in wanted:
        by_carrier.setdefault(parcel.carrier, []).append(parcel)
    for alias, rows in by_carrier.items():
        if alias not in carriers or Capability.TRACK not in carriers.get(alias).capabilities:
            continue
        adapter = carriers.get(alias)
        size = max(adapter.track_batch, 1)
        for start in range(0, len(rows), size):
            new += _take(adapter, rows[start : start + size])
    return new
