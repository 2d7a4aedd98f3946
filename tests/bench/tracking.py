"""P8 on our side: tracking events as a day of polling brings them, told again once to see what a duplicate costs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from oscar_fulfillment.carriers.events import TrackingEvent, TrackingState
from oscar_fulfillment.models import Parcel
from oscar_fulfillment.models import TrackingEvent as Stored
from oscar_fulfillment.services.tracking import record_events

from .worker import memory

EACH = 10


def ingest(count: int, salt: int = 0) -> dict[str, Any]:
    """Store ``count`` events, ten a parcel, twice: seconds of the first and the second time, memory grown in kB."""
    parcels = list(Parcel.objects.order_by("pk").values_list("pk", flat=True)[: max(count // EACH, 1)])
    now = timezone.now() - timedelta(days=1)
    record_events(_told(parcels, EACH * 20, salt + 1, now))
    _clean()
    before = memory()
    began = time.perf_counter()
    stored = record_events(_told(parcels, count, salt, now))
    middle = time.perf_counter()
    again = record_events(_told(parcels, count, salt, now))
    ended = time.perf_counter()
    found = {
        "stored": stored, "again": again, "first": middle - began, "second": ended - middle,
        "grown": memory() - before,
    }  # fmt: skip
    _clean()
    return found


def _told(parcels: list[int], count: int, salt: int, now: datetime) -> Iterator[tuple[int, list[TrackingEvent]]]:
    rng = random.Random(salt)
    told = 0
    while told < count:
        for pk in parcels:
            if told >= count:
                return
            yield (
                pk,
                [
                    TrackingEvent(
                        "RO/01",
                        now - timedelta(seconds=told + place),
                        TrackingState.IN_TRANSIT,
                        "Objeto em trânsito - por favor aguarde",
                        rng.choice(("São Paulo / SP", "Curitiba / PR", "Recife / PE")),
                    )
                    for place in range(EACH)
                ],
            )
            told += EACH


def _clean() -> None:
    # The bench's own database: its parcels tell nothing before and after.
    Stored.objects.all()._raw_delete("default")
    Parcel.objects.update(tracking_state="", tracking_text="", tracking_place="", tracking_at=None)
