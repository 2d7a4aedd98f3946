"""One action on many orders: every order is done or refused by itself, and the result is kept.

The orders are written down first (a job with its items), then worked off in chunks. A chunk, the results of its items
and the job's counters are one transaction under the job's row lock: a worker that is killed loses at most the chunk in
its hands, which was not done either, and two workers never hold the same chunk. Beside that each order carries the
key ``bulk-<job>``, so the door itself would refuse to do it twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, IntegrityError, connections, router, transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core import queue
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import BulkJob, BulkJobItem
from oscar_fulfillment.permissions import user_may

from .actions import no_permission
from .bulk_actions import ACTIONS, OFFERED, Action
from .door import move_many

logger = logging.getLogger("oscar_fulfillment.bulk")

#: Orders per transaction: their rows stay locked until it commits.
CHUNK = 200
TASK = "oscar_fulfillment.tasks.run_bulk_job"

__all__ = ["ACTIONS", "OFFERED", "resume_stale", "retry", "run_job", "selected", "submit"]


def submit(
    *,
    action: str,
    orders: Iterable[tuple[int, str]],
    user: Any,
    key: str,
    params: dict[str, Any] | None = None,
    limit: int | None = None,
) -> BulkJob:
    """Write down what is to be done with ``orders`` (id, number), and do it: at once up to BULK_INLINE_LIMIT orders,
    in the background above. The caller has checked the permission and that the user sees these orders.

    The same ``key`` again returns the first job. :class:`InvalidInput` for an unknown action or carrier, no orders,
    or more than ``limit`` (default: BULK_LIMIT) of them.
    """
    if action not in ACTIONS:
        raise InvalidInput({"action": [_("Choose one of the actions.")]})
    if not key or len(key) > 64:
        raise InvalidInput({"key": [_("The form is damaged. Load the list again.")]})
    params = params or {}
    ACTIONS[action].context(params)
    listed = list(dict.fromkeys(orders))
    earlier = BulkJob._default_manager.filter(key=key).first()
    if earlier is not None:
        return _same(earlier, action, user, listed, params)
    _check_size(len(listed), limit or settings.BULK_LIMIT)
    params = {**params, "language": translation.get_language() or ""}
    job = BulkJob(action=action, params=params, actor=user, total=len(listed), key=key)
    runs_here = len(listed) <= settings.BULK_INLINE_LIMIT or not queue.available()
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            items = [BulkJobItem(job=job, fulfillment_id=pk, number=number) for pk, number in listed]
            BulkJobItem._default_manager.bulk_create(items, batch_size=1000)
            if not runs_here:
                queue.run_later(TASK, job.pk, key=f"bulk-{job.pk}")
    except IntegrityError:
        # Two clicks at the same moment: the other one was first.
        earlier = BulkJob._default_manager.filter(key=key).first()
        if earlier is None:
            raise
        return _same(earlier, action, user, listed, params)
    if runs_here:
        run_job(job.pk)
        job.refresh_from_db()
    return job


def _same(job: BulkJob, action: str, user: Any, listed: Sequence[tuple[int, str]], params: dict[str, Any]) -> BulkJob:
    """The job that this key stands for. A browser goes back to a list with its old key, where other orders are ticked
    then: that is no repetition. Fewer orders are one, since those that were done leave the list."""
    asked = {name: job.params.get(name) for name in params} == params
    if (
        job.action != action
        or job.actor_id != user.pk
        or not asked
        or {pk for pk, _number in listed} - set(job.items.values_list("fulfillment_id", flat=True))
    ):
        raise InvalidInput({"key": [_("This form was already used for another step. Load the list again.")]})
    return job


def _check_size(size: int, limit: int) -> None:
    if not size:
        raise InvalidInput({"orders": [_("Choose at least one order.")]})
    if size > limit:
        message = ngettext(
            "At most %(limit)d order at once. Narrow the filters down.",
            "At most %(limit)d orders at once. Narrow the filters down.",
            limit,
        )
        raise InvalidInput({"orders": [message % {"limit": limit}]})


def retry(*, job: BulkJob, user: Any, key: str, base: Any) -> BulkJob:
    """A new job with the orders that this one refused, as far as they are in ``base`` (what the user may see now)."""
    refused = job.items.filter(status=BulkJobItem.REFUSED, fulfillment__in=base)
    params = {name: value for name, value in job.params.items() if name != "language"}
    return submit(
        action=job.action,
        orders=refused.values_list("fulfillment_id", "number"),
        user=user,
        key=key,
        params={**params, "retry_of": job.pk},
        limit=max(job.total, 1),
    )


def run_job(job_id: int, *, budget: float | None = None) -> None:
    """Work a job off, chunk by chunk. With a ``budget`` (seconds) the rest goes to the end of the queue.

    A job that another worker has in hand is left to it; an unknown or finished one is nothing to do.
    """
    began = time.monotonic()
    while _run_chunk(job_id):
        if budget is not None and time.monotonic() - began > budget and queue.available():
            queue.run_later(TASK, job_id, key=f"bulk-{job_id}")
            return


def _run_chunk(job_id: int) -> bool:
    """Do the next orders of a job; whether there may be more."""
    with transaction.atomic():
        job = _lock(job_id)
        if job is None or job.is_done:
            return False
        items = list(job.items.filter(status=BulkJobItem.PENDING).order_by("pk")[:CHUNK])
        if items:
            with translation.override(job.params.get("language") or None):
                _work(job, items)
        done = sum(item.status == BulkJobItem.DONE for item in items)
        refused = len(items) - done
        _mark(items)
        more = len(items) == CHUNK
        now = timezone.now()
        BulkJob._default_manager.filter(pk=job.pk).update(
            done_count=F("done_count") + done,
            refused_count=F("refused_count") + refused,
            status=BulkJob.RUNNING if more else BulkJob.DONE,
            touched_at=now,
            finished_at=None if more else now,
        )
        return more


def _lock(job_id: int) -> BulkJob | None:
    """The job under lock; None when it is gone or in the hands of another worker (SQLite has one writer anyway)."""
    rows = BulkJob._default_manager.select_related("actor").filter(pk=job_id)
    features = connections[router.db_for_write(BulkJob)].features
    if features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    return rows.first()


def _work(job: BulkJob, items: Sequence[BulkJobItem]) -> None:
    """Fill in status and reasons of these items."""
    if job.actor is None or not user_may(job.actor, job.action):
        # Taken away since the job was asked for.
        for item in items:
            _refuse(item, [no_permission()])
        ACTIONS[job.action].settled(job, items)
        return
    action = ACTIONS[job.action]
    known = [item for item in items if item.fulfillment_id is not None]
    for batch in [[item] for item in known] if action.one_by_one else [known]:
        _do(job, batch)
    for item in items:
        if item.status == BulkJobItem.PENDING:
            _refuse(item, [Reason("gone", _("The order does not exist any more."))])
    action.settled(job, items)


def _do(job: BulkJob, items: Sequence[BulkJobItem]) -> None:
    """Do the action with these items together; where one of them hinders the others, one by one."""
    if not items:
        return
    action = ACTIONS[job.action]
    results: list[tuple[BulkJobItem, list[Reason]]]
    try:
        with transaction.atomic():
            if action.run is not None:
                action.run(job, items)
                results = [(item, []) for item in items]
            else:
                results = _move(job, action, items)
    except TransitionNotAllowed as error:
        _blame(job, items, error.reasons, error)
    except FulfillmentError as error:
        _blame(job, items, [Reason("refused", str(error))], error)
    except IntegrityError as error:
        _blame(
            job, items, [Reason("conflict", _("Changed by somebody else at the same moment."), _("Try again"))], error
        )
    except DatabaseError:
        # A deadlock or a lost connection: nothing is done, the chunk is tried again by whoever comes next.
        raise
    except Exception as error:
        message = _("An unexpected error; the order was left as it was.")
        _blame(job, items, [Reason("error", message, _("Ask who runs the shop"))], error)
    else:
        for item, reasons in results:
            if reasons:
                _refuse(item, reasons)
            else:
                item.status, item.reasons = BulkJobItem.DONE, []


def _move(job: BulkJob, action: Action, items: Sequence[BulkJobItem]) -> list[tuple[BulkJobItem, list[Reason]]]:
    """Move all of them by one step; each item with its refusals."""
    if action.move is None:
        raise TypeError(f"the bulk action {action.name} neither moves nor runs anything")
    by_pk: dict[Any, BulkJobItem] = {item.fulfillment_id: item for item in items}
    steps = move_many(
        list(by_pk),
        action.move,
        actor=Actor.from_user(job.actor),
        data=action.data,
        key=f"bulk-{job.pk}",
        effect=action.effect,
        context=action.context(job.params),
    )
    return [(by_pk[step.subject.pk], step.reasons) for step in steps]


def _blame(job: BulkJob, items: Sequence[BulkJobItem], reasons: Sequence[Reason], error: Exception) -> None:
    """The chunk was rolled back because of one order (a plugin that raises): find out which, one by one."""
    if len(items) == 1:
        if isinstance(error, FulfillmentError):
            logger.info("bulk job %s: order %s refused: %s", job.pk, items[0].number, error)
        else:
            logger.warning("bulk job %s: order %s refused", job.pk, items[0].number, exc_info=error)
        _refuse(items[0], reasons)
        return
    for item in items:
        _do(job, [item])


def _refuse(item: BulkJobItem, reasons: Sequence[Reason]) -> None:
    item.status = BulkJobItem.REFUSED
    item.reasons = [{"code": r.code, "message": str(r.message), "remedy": str(r.remedy), "url": r.url} for r in reasons]


def _mark(items: Sequence[BulkJobItem]) -> None:
    """Two statements for any number: most are done alike, the refused carry their own reasons."""
    done = [item.pk for item in items if item.status == BulkJobItem.DONE]
    if done:
        BulkJobItem._default_manager.filter(pk__in=done).update(status=BulkJobItem.DONE)
    refused = [item for item in items if item.status == BulkJobItem.REFUSED]
    if refused:
        BulkJobItem._default_manager.bulk_update(refused, ["status", "reasons"])


def resume_stale() -> int:
    """Wake jobs that nobody has touched for BULK_STALE seconds (their worker died); how many."""
    if not queue.available():
        return 0
    now = timezone.now()
    stale = BulkJob._default_manager.exclude(status=BulkJob.DONE).filter(
        touched_at__lt=now - timedelta(seconds=settings.BULK_STALE)
    )
    woken = 0
    for job_id in stale.values_list("pk", flat=True)[:100]:
        # Whoever moves the time wakes the job; the others were late.
        if stale.filter(pk=job_id).update(touched_at=now):
            queue.run_later(TASK, job_id, key=f"bulk-{job_id}")
            woken += 1
    return woken


def selected(base: Any, order_ids: Iterable[int]) -> list[tuple[int, str]]:
    """(id, number) of these orders, as far as they are in ``base`` (what the user may see), oldest first."""
    rows = base.filter(pk__in=list(order_ids)).order_by("placed_at", "pk")
    return list(rows.values_list("pk", "number"))
