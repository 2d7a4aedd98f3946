"""Checks and applications of fiscal notes, worked off here for a few, in the background for many."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core import queue
from oscar_fulfillment.models import NfeFile

from .nfe_applying import apply_queued
from .nfe_imports import check_received

TASK = "oscar_fulfillment.tasks.work_notes"


def begin(batch: str = "") -> bool:
    """Begin with a batch (or with whatever waits): at once for up to BULK_INLINE_LIMIT files, else in the background.
    Whether it is done."""
    mine = _waiting().filter(batch=batch) if batch else _waiting()
    if mine.count() > settings.BULK_INLINE_LIMIT and queue.available():
        queue.wake(TASK)
        return False
    work(batch=batch)
    # What that has made others wait for: files of the same orders are looked at again.
    if _waiting().count() > settings.BULK_INLINE_LIMIT and queue.available():
        queue.wake(TASK)
    else:
        work()
    return True


def work(*, batch: str = "", budget: float | None = None) -> int:
    """Check and apply what waits, chunk by chunk, until nothing does or the budget (seconds) is used up; how many."""
    began = time.monotonic()
    done = 0
    while found := check_received(batch=batch) or apply_queued(batch=batch):
        done += found
        if budget is not None and time.monotonic() - began > budget:
            queue.wake(TASK)
            break
    return done


def resume() -> None:
    """Wake a worker where files wait that nobody has in hand (its worker died, or it was never woken)."""
    if _waiting().exists():
        queue.wake(TASK)


def _waiting() -> Any:
    free = Q(touched_at=None) | Q(touched_at__lt=timezone.now() - timedelta(seconds=settings.BULK_STALE))
    return NfeFile._default_manager.filter(free, status__in=[NfeFile.RECEIVED, NfeFile.QUEUED])
