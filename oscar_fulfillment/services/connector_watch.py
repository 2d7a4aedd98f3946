"""Systems that can be asked are asked what changed: by turns, page by page, from where the last question ended."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import timedelta

from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import Capability, Connector
from oscar_fulfillment.connectors.records import Change
from oscar_fulfillment.core.exceptions import AdapterError
from oscar_fulfillment.models import ConnectorState

from . import connector_changes

logger = logging.getLogger("oscar_fulfillment.connectors")

#: Seconds for which one worker has a system to itself; a page of changes takes less.
CLAIM = 180
#: Minutes between two questions to a system that does not answer; the last repeats.
BACKOFF = (2, 5, 15, 60)


def watch(*, budget: float) -> dict[str, int]:
    """Ask every system that is due; what came of their changes, counted."""
    ends, total = time.monotonic() + budget, Counter[str]()
    for alias in connectors:
        connector = connectors.get(alias)
        if Capability.PULL in connector.capabilities and time.monotonic() < ends:
            total += ask(connector, ends=ends)
    return dict(total)


def ask(connector: Connector, *, ends: float = float("inf"), force: bool = False) -> Counter[str]:
    """Ask one system what changed. ``force``: also before its time, for the button; never beside another worker."""
    found: Counter[str] = Counter()
    if (state := _claim(connector.alias, force)) is None:
        return found
    now = timezone.now()
    following = now + timedelta(minutes=connector.poll_every)
    try:
        while True:
            page = connector.pull(state.cursor)
            for change in page.changes:
                found[_take(connector.alias, change)] += 1
            # After the changes: a worker that dies among them takes them again, and each is taken once.
            state.cursor = page.cursor[:500]
            ConnectorState._default_manager.filter(pk=state.pk).update(cursor=state.cursor)
            if not page.more or time.monotonic() >= ends:
                following = now if page.more else following
                break
        values = {"error": "", "failing_since": None, "asked_at": now}
    except AdapterError as error:
        logger.warning("%s cannot be asked: %s", connector.alias, error)
        since = state.failing_since or now
        passed = (now - since).total_seconds() / 60
        following = now + timedelta(minutes=next((step for step in BACKOFF if step > passed), BACKOFF[-1]))
        values = {"error": str(error)[:2000], "failing_since": since}
    ConnectorState._default_manager.filter(pk=state.pk).update(next_at=following, **values)
    return found


def _take(alias: str, change: Change) -> str:
    """One change; one that breaks something of ours is kept for a person, and the others go on."""
    try:
        return connector_changes.take(alias, change).status
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception("%s: the change %r could not be taken", alias, change.key)
        return connector_changes.note_failure(alias, change, error).status


def _claim(alias: str, force: bool) -> ConnectorState | None:
    now = timezone.now()
    state, is_new = ConnectorState._default_manager.get_or_create(connector=alias)
    rows = ConnectorState._default_manager.filter(pk=alias)
    if not force and not is_new:
        rows = rows.filter(Q(next_at=None) | Q(next_at__lte=now))
    taken = rows.filter(next_at=state.next_at).update(next_at=now + timedelta(seconds=CLAIM))
    return state if taken else None
