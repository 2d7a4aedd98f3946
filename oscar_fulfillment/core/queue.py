"""The seam to django-q2, and the only module that imports it: wake-ups, schedules, and signs of life for the watchdog.

Our tables are the truth and a task is only a wake-up, so a lost one costs time, never a message: a sweep runs every
minute, and with each heartbeat of the watchdog.

**One wake-up for many transitions.** ``QueueSignal.asked_at`` is set while a wake-up lies in the queue, and whoever
finds it set adds none. The task clears it *first* and looks for work *afterwards*, so a row committed before the
clearing is seen by that task, and a row committed after it finds the signal clear and asks again.

Even the look at the signal is saved when this process saw it set less than ``SEEN`` seconds ago. That is sound because
the task looks for work once more ``LINGER`` > ``SEEN`` seconds after it cleared the signal: it cleared it after we saw
it set, so its last look comes after our commit. Only durations are compared, no clocks of different machines.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from django.apps import apps
from django.conf import settings as django_settings
from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from .locks import lock_name

logger = logging.getLogger("oscar_fulfillment.queue")

SEEN, LINGER = 0.1, 0.2
# A wake-up unanswered for so many seconds is presumed lost, and asked for again.
LOST_AFTER = 15
HEARTBEAT = "oscar_fulfillment.tasks.heartbeat"
_seen: dict[str, float] = {}


def available() -> bool:
    """Whether this project runs django-q2."""
    return apps.is_installed("django_q")


def _signals(**lookup: Any) -> QuerySet[Any]:
    return apps.get_model("oscar_fulfillment", "QueueSignal")._base_manager.filter(**lookup)


def _shares_our_database(alias: str) -> bool:
    """Whether a task is a row beside ours, and so rolls back with it."""
    return getattr(django_settings, "Q_CLUSTER", {}).get("orm") == alias


def _enqueue(dotted: str, *args: Any, name: str = "") -> None:
    from django_q.tasks import async_task

    # Nothing about our tasks is worth a row in q2's tables: what they do is noted in ours.
    options: dict[str, Any] = {"save": False}
    if name:
        options["task_name"] = name[:100]
    async_task(dotted, *args, q_options=options)


def wake(dotted: str) -> bool:
    """See to it that the task ``dotted`` (no arguments) begins after now. True if that took a new wake-up."""
    if not available():
        logger.debug("no queue: %s waits for whoever calls it", dotted)
        return False
    began = time.monotonic()
    if began - _seen.get(dotted, -SEEN) < SEEN:
        return False
    now = timezone.now()
    lost = now - timedelta(seconds=LOST_AFTER)
    signal = _signals(name=dotted).values_list("asked_at").first()
    if signal is not None and signal[0] is not None and signal[0] > lost:
        _seen[dotted] = began
        return False
    model = apps.get_model("oscar_fulfillment", "QueueSignal")
    with transaction.atomic(using=router.db_for_write(model)):
        if signal is None:
            _signals().bulk_create([model(name=dotted)], ignore_conflicts=True)
        # Compare and set: of several who found it clear one asks.
        asked = _signals(name=dotted, asked_at=signal[0] if signal else None).update(asked_at=now)
        if asked:
            _enqueue(dotted)
    _seen[dotted] = began
    return bool(asked)


def wake_on_commit(dotted: str, *, using: str = DEFAULT_DB_ALIAS) -> None:
    """:func:`wake` when the current transaction commits, once however often this is called in it.

    A queue that is down must not hurt the change that was just made: errors are logged, the sweep repairs.
    """
    connection = connections[using]
    here = set(connection.savepoint_ids)
    for savepoints, callback, *_ in connection.run_on_commit:
        # Only a registration that no roll-back to a savepoint can take away without taking ours too.
        ours = isinstance(callback, partial) and callback.func is _wake_quietly and callback.args == (dotted,)
        if ours and savepoints <= here:
            return
    transaction.on_commit(partial(_wake_quietly, dotted), using=using, robust=True)


def _wake_quietly(dotted: str) -> None:
    # Outside atomic() Django calls robust callbacks at once and logs; inside a test's transaction it does not.
    try:
        wake(dotted)
    except Exception:
        logger.exception("could not wake %s; the sweep will", dotted)


def taken(dotted: str) -> None:
    """The task's first statement: from now on a new row needs a new wake-up."""
    _signals(name=dotted).update(asked_at=None, answered_at=timezone.now())


def run_later(dotted: str, *args: Any, key: str = "") -> None:
    """Run ``dotted(*args)`` in the background after this transaction. It may run twice and must stand that.

    ``key`` names the task in the log.
    """
    if not available():
        raise RuntimeError("background tasks need django_q in INSTALLED_APPS")
    alias = router.db_for_write(apps.get_model("oscar_fulfillment", "QueueSignal"))
    if _shares_our_database(alias):
        # The task's row commits or rolls back with ours: not even a crash after the commit loses it.
        _enqueue(dotted, *args, name=key)
    else:
        transaction.on_commit(partial(_enqueue, dotted, *args, name=key), using=alias)


@dataclass(frozen=True)
class Every:
    """A schedule: call ``func`` every so many minutes (at least 1; the scheduler ticks every 30 s)."""

    name: str
    func: str
    minutes: int = 1


def ensure_schedules(schedules: Iterable[Every], prefix: str = "fulfillment:") -> tuple[int, int, int]:
    """Make q2's table hold exactly these schedules among those named ``prefix...``; (created, changed, removed).

    Safe to run twice and by several processes at once: q2 has no unique name, so a lock keeps them apart.
    """
    from django_q.models import Schedule

    wanted = {prefix + schedule.name: schedule for schedule in schedules}
    alias = router.db_for_write(Schedule)
    created = changed = 0
    with transaction.atomic(using=alias):
        lock_name("oscar_fulfillment.schedules", using=alias)
        rows = Schedule.objects.using(alias).filter(name__startswith=prefix).order_by("pk")
        surplus: list[int] = []
        present: dict[str, Any] = {}
        for row in rows:
            if row.name in wanted and row.name not in present:
                present[row.name] = row
            else:
                surplus.append(row.pk)
        for name, schedule in wanted.items():
            values = {
                "func": schedule.func,
                "schedule_type": Schedule.MINUTES,
                "minutes": schedule.minutes,
                "repeats": -1,
            }
            existing = present.get(name)
            if existing is None:
                Schedule.objects.using(alias).create(name=name, next_run=timezone.now(), **values)
                created += 1
            elif any(getattr(existing, field) != value for field, value in values.items()):
                Schedule.objects.using(alias).filter(pk=existing.pk).update(**values)
                changed += 1
        Schedule.objects.using(alias).filter(pk__in=surplus).delete()
    return created, changed, len(surplus)


def ping() -> None:
    """Ask the workers for a sign of life."""
    _seen.pop(HEARTBEAT, None)
    wake(HEARTBEAT)


def last_heartbeat() -> datetime | None:
    """When a worker last answered, by its clock; None if none ever did."""
    return _signals(name=HEARTBEAT).values_list("answered_at", flat=True).first()


def forget() -> None:
    """Forget what this process saw (tests, which roll the signals back)."""
    _seen.clear()


def connect_signs_of_life(report: Any) -> None:
    """Call ``report(deadline)`` in a worker process when it begins a task (deadline: seconds it may take) and
    ``report(None)`` when it ended one or has just begun to live."""
    with contextlib.suppress(ImportError):
        from django_q.conf import Conf
        from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

        def begin(task: dict[str, Any], **kwargs: Any) -> None:
            report(float(task.get("timeout") or cast(Any, Conf.TIMEOUT) or 0))

        def end(**kwargs: Any) -> None:
            report(None)

        pre_execute.connect(begin, weak=False, dispatch_uid="oscar_fulfillment.alive")
        post_execute_in_worker.connect(end, weak=False, dispatch_uid="oscar_fulfillment.alive")
        post_spawn.connect(end, weak=False, dispatch_uid="oscar_fulfillment.alive")


def workers() -> int:
    """How many worker processes a cluster of this project has."""
    from django_q.conf import Conf

    return int(cast(Any, Conf.WORKERS))
