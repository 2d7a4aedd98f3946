"""Messages to the outside: written with the change that causes them, sent by the workers afterwards.

    outbox.enqueue([OutboxMessage("mail", "order_dispatched", key=f"{order.pk}:{shipment.pk}", payload={...})])

inside the business transaction: when that rolls back, the message is gone with it. A destination registers a handler:

    @destination("mail")
    def send_mail(message): ...

The handler returns when the message is out. ``AdapterUnavailable`` asks for another try later, ``AdapterRejected`` is
final, any other error is logged and tried again. It must stand being called twice with the same ``message.key`` (and
should pass the key on as the vendor's idempotency key), unless it registers with ``at_most_once``: then a message whose
worker died, or whose handler raised anything but the two errors above, becomes ``unknown`` and waits for somebody who
asks the other side. Such a handler raises ``AdapterUnavailable`` only if the other side certainly did nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import router
from django.utils import timezone

from . import circuit, queue
from .leases import Words, insert_new
from .pump import Handler, Lane, Pump
from .rows import completed

logger = logging.getLogger("oscar_fulfillment.messages")

TASK = "oscar_fulfillment.tasks.drain_outbox"
PENDING, SENDING, SENT, DEAD, UNKNOWN = "pending", "sending", "sent", "dead", "unknown"

PUMP = Pump(
    "OutboundMessage",
    Words(lane="destination", waiting=PENDING, busy=SENDING, done=SENT, dead=DEAD, unknown=UNKNOWN, done_at="sent_at"),
    "OUTBOX",
)


@dataclass(frozen=True)
class OutboxMessage:
    """What is to be said, to whom, and the key under which it is said only once.

    ``delay`` is in seconds; ``order_id`` lets the order's page list the message.
    """

    destination: str
    kind: str
    key: str
    payload: dict[str, Any] = field(default_factory=dict)
    delay: float = 0
    order_id: int | None = None


def register_destination(name: str, handler: Handler, *, at_most_once: bool = False) -> None:
    """Let ``handler(message)`` send what is enqueued for ``name``; the last registration counts."""
    PUMP.lanes[name] = Lane(name, handler, at_most_once)


def destination(name: str, *, at_most_once: bool = False) -> Callable[[Handler], Handler]:
    """Decorator for :func:`register_destination`."""

    def register(handler: Handler) -> Handler:
        register_destination(name, handler, at_most_once=at_most_once)
        return handler

    return register


def on_dead(hook: Handler) -> Handler:
    """Let ``hook(message)`` know of every message that is given up; it must stand being told twice of the same."""
    PUMP.on_dead.append(hook)
    return hook


def enqueue(messages: Iterable[OutboxMessage], order_id: int | None = None) -> int:
    """Write the messages in the caller's transaction and wake the workers when it commits.

    A message whose destination, kind and key are there already is left out; returns how many were new.
    ``order_id`` is for messages that name none.
    """
    messages = list(messages)
    if not messages:
        return 0
    model = PUMP.model
    now = timezone.now()
    rows = [
        model(
            destination=message.destination,
            kind=message.kind,
            key=message.key,
            payload=message.payload,
            order_id=message.order_id if message.order_id is not None else order_id,
            created_at=now,
            next_attempt_at=now + timedelta(seconds=message.delay),
        )
        for message in messages
    ]
    new = len(insert_new(rows, returning=["id"]))
    if new < len(rows):
        logger.info("%d of %d messages had been enqueued before", len(rows) - new, len(rows))
    if new:
        queue.wake_on_commit(TASK, using=router.db_for_write(model))
    return new


def records(messages: Sequence[OutboxMessage]) -> list[dict[str, Any]]:
    """The messages as rows, for :mod:`core.heads`, which writes them with the step they belong to."""
    now = timezone.now()
    return completed(
        PUMP.model,
        [
            {
                "destination": message.destination,
                "kind": message.kind,
                "key": message.key,
                "payload": message.payload,
                "order_id": message.order_id,
                "created_at": now,
                "next_attempt_at": now + timedelta(seconds=message.delay) if message.delay else now,
            }
            for message in messages
        ],
    )


def enqueued(asked: int, new: int) -> None:
    """Wake the workers at the commit for what was written by way of :func:`records`."""
    if new < asked:
        logger.info("%d of %d messages had been enqueued before", asked - new, asked)
    if new:
        queue.wake_on_commit(TASK, using=router.db_for_write(PUMP.model))


def drain(limit: int = 100, destination: str | None = None, budget: float | None = None) -> Counter[str]:
    """Send up to ``limit`` due messages; returns how many ended in which status. Never inside a transaction."""
    return PUMP.run(limit, destination, budget)


def send_again(message: Any) -> bool:
    """Put a dead or unknown message back to the beginning. False if somebody else did so before."""
    model = PUMP.model
    taken = model._base_manager.filter(pk=message.pk, status__in=[DEAD, UNKNOWN]).update(
        status=PENDING, attempts=0, lease="", next_attempt_at=timezone.now()
    )
    if taken:
        circuit.reopen(PUMP.health_name(message.destination))
        queue.wake_on_commit(TASK, using=router.db_for_write(model))
    return bool(taken)


def dead() -> Any:
    """The messages that wait for a person, newest first."""
    model = apps.get_model("oscar_fulfillment", "OutboundMessage")
    return model._default_manager.filter(status__in=[DEAD, UNKNOWN]).order_by("-created_at")
