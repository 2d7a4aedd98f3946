"""What runs in the background. Plain functions that may be called twice, at any time, by anybody.

``SCHEDULES`` is what ``manage.py fulfillment_setup`` installs; an app adds its own before that command runs.
"""

from __future__ import annotations

import logging
import time
from collections import Counter

from oscar_fulfillment.conf import settings

from .core import inbox, outbox, queue
from .core.pump import BATCH, Pump
from .core.queue import Every

logger = logging.getLogger("oscar_fulfillment.tasks")

SCHEDULES: list[Every] = [
    Every("sweep", "oscar_fulfillment.tasks.sweep", minutes=1),
    Every("holds", "oscar_fulfillment.tasks.expire_holds", minutes=1),
    Every("payments", "oscar_fulfillment.tasks.watch_payments", minutes=1),
    Every("parcels", "oscar_fulfillment.tasks.watch_parcels", minutes=1),
    Every("webhooks", "oscar_fulfillment.tasks.tidy_webhooks", minutes=60),
    Every("connectors", "oscar_fulfillment.tasks.watch_connectors", minutes=1),
    Every("exchanges", "oscar_fulfillment.tasks.watch_exchanges", minutes=1),
    Every("emissions", "oscar_fulfillment.tasks.watch_emissions", minutes=1),
]


def drain_outbox() -> dict[str, int]:
    """Send what is due, until nothing is or the budget is used up."""
    return dict(_work(outbox.PUMP, outbox.TASK))


def process_inbox() -> dict[str, int]:
    """Process what arrived, until nothing is due or the budget is used up."""
    return dict(_work(inbox.PUMP, inbox.TASK))


def _work(pump: Pump, name: str) -> Counter[str]:
    queue.taken(name)
    began = time.monotonic()
    total: Counter[str] = Counter()
    helped = False
    while True:
        looked_at = time.monotonic() - began
        left = settings.DRAIN_BUDGET - looked_at
        if left <= 0:
            # The queue is for everybody: go to its end.
            queue.wake(name)
            break
        if not helped and total.total() >= BATCH:
            # There is more than one batch: another worker may join in, and that one asks the next.
            helped = True
            queue.wake(name)
        done = pump.run(limit=BATCH if not helped else 10 * BATCH, budget=left)
        total += done
        if done:
            continue
        if looked_at >= queue.LINGER:
            break
        # See queue.py: whoever relied on our wake-up has committed by then.
        time.sleep(queue.LINGER - looked_at)
    if total:
        logger.info("%s: %s", name, dict(total))
    return total


def sweep() -> None:
    """The net below the wake-ups: whatever is due is taken up, whoever forgot to ask."""
    for pump, name in ((outbox.PUMP, outbox.TASK), (inbox.PUMP, inbox.TASK)):
        if pump.due():
            queue.wake(name)
        for lane in pump.orphans():
            logger.error("messages wait in %r, but nobody handles it", lane)
    from .services import bulk, import_drafts, nfe_imports, nfe_work, tracking_imports

    bulk.resume_stale()
    tracking_imports.resume_reading()
    import_drafts.drop_old_drafts()
    nfe_imports.forget_refused()
    nfe_work.resume()


def run_bulk_job(job_id: int) -> None:
    """Go on with a bulk job until it is done or the budget is used up; two workers never do the same order twice."""
    from .services import bulk

    bulk.run_job(job_id, budget=settings.DRAIN_BUDGET)


def read_tracking_import(import_id: int) -> None:
    """Go on with judging the rows of a file until all are, or the budget is used up."""
    from .services import tracking_imports

    tracking_imports.read_import(import_id, budget=settings.DRAIN_BUDGET)


def work_notes() -> int:
    """Check and apply fiscal notes until none waits or the budget is used up."""
    from .services import nfe_work

    queue.taken(nfe_work.TASK)
    return nfe_work.work(budget=settings.DRAIN_BUDGET)


def heartbeat() -> None:
    """The workers' answer to the watchdog, and a sweep on the way."""
    queue.taken(queue.HEARTBEAT)
    sweep()


def expire_holds() -> int:
    """End the holds whose time is over."""
    from .services import holds

    return holds.expire_holds()


def watch_payments() -> dict[str, int]:
    """Ask providers what they did not tell, keep the payment terms, and watch the holds."""
    from .services import hold_clock, provider_payments, terms

    # Holds first: they end whether a provider answers or not, and looking after them asks nobody.
    ends = time.monotonic() + settings.DRAIN_BUDGET
    held = hold_clock.watch_holds()
    kept = terms.run_due(budget=settings.DRAIN_BUDGET / 2)
    return {"asked": provider_payments.reconcile(budget=ends - time.monotonic()), "terms": kept, "holds": held}


def watch_emissions() -> int:
    """Go on with NF-e of our own that wait: for the tax office, or for their order."""
    from .services import emission_watch

    return emission_watch.watch_emissions(budget=settings.DRAIN_BUDGET / 2)


def watch_connectors() -> dict[str, int]:
    """Ask ERP, accounts and CRM what changed there."""
    from .services import connector_watch

    return connector_watch.watch(budget=settings.DRAIN_BUDGET)


def watch_exchanges() -> int:
    """Go on with files that 1C brought, and forget what is old."""
    from .services import commerceml_import, commerceml_sessions

    commerceml_sessions.tidy()
    return commerceml_import.resume(budget=settings.DRAIN_BUDGET / 2)


def watch_parcels() -> dict[str, int]:
    """Ask carriers for the numbers they owe and for the parcels under way."""
    from .services import carrier_orders, tracking_polls

    ends = time.monotonic() + settings.DRAIN_BUDGET
    numbers = carrier_orders.watch_orders(budget=settings.DRAIN_BUDGET / 4)
    asked = tracking_polls.poll_due(budget=ends - time.monotonic())
    return {"numbers": numbers, **asked}


def tidy_webhooks() -> int:
    """Delete the old log of webhooks, and the answers of the API that nobody asks for again."""
    from .services import api_calls, webhooks

    api_calls.tidy()
    return webhooks.tidy()
