"""The breaker of a lane: a destination that is down rests, and is probed with one message before all come back.

Kept in the database, because the workers are several processes. In good times there is no row and nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import QuerySet
from django.utils import timezone

from oscar_fulfillment.conf import settings

logger = logging.getLogger("oscar_fulfillment.messages")

# Seconds a probe may take before another worker may try one.
PROBE = 60


def _rows(**lookup: Any) -> QuerySet[Any]:
    return apps.get_model("oscar_fulfillment", "LaneHealth")._base_manager.filter(**lookup)


def states() -> dict[str, Any]:
    """Every lane something is known against, by name."""
    return {state.name: state for state in _rows()}


def begin_probe(state: Any) -> bool:
    """Whether this worker may probe the lane now: its rest is over and no other worker was faster."""
    now = timezone.now()
    if state.paused_until > now:
        return False
    reserved = now + timedelta(seconds=PROBE)
    won = _rows(name=state.name, paused_until=state.paused_until).update(paused_until=reserved)
    if won:
        state.paused_until = reserved
    return bool(won)


def probe_found_nothing(state: Any) -> None:
    """There was no message to probe with: let the next worker that has one try at once."""
    _rows(name=state.name, paused_until=state.paused_until).update(paused_until=timezone.now())


def trip(name: str, state: Any | None, error: str, backoff: Sequence[float], at_least: float = 0) -> None:
    """Let the lane rest, longer with every probe that failed, and for as long as the other side asks (``at_least``)."""
    trips = (state.trips if state else 0) + 1
    pause = min(backoff[min(trips, len(backoff)) - 1] if backoff else 60, settings.CIRCUIT_MAX_PAUSE)
    pause = max(pause, at_least)
    logger.warning("%s is down, resting %d s: %s", name, pause, error)
    _rows().update_or_create(
        name=name,
        defaults={"trips": trips, "paused_until": timezone.now() + timedelta(seconds=pause), "error": error},
    )


def close(state: Any) -> None:
    """The lane works again."""
    logger.info("%s is back", state.name)
    _rows(name=state.name).delete()


def reopen(name: str) -> None:
    """A person says it works again: no more waiting for the end of the rest."""
    _rows(name=name).delete()
