"""Messages from the outside: stored once as the bytes that arrived, answered, and processed by the workers.

    verify_hmac(request.body, request.headers.get("X-Signature"), secrets)
    inbox.receive("correios", event_id, request.headers, request.body)

Verification comes first and is the caller's; nothing unverified gets here. A source registers a processor, which may
be called twice for the same message (a worker may die between the two), so it works through services with idempotency
keys. It returns None, or ``IGNORED`` for what does not concern us; raises ``AdapterUnavailable`` to be tried later,
``AdapterRejected`` when that is pointless; other errors are logged and tried again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from django.apps import apps
from django.db import router
from django.utils import timezone

from . import circuit, queue
from .leases import Words, insert_new
from .pump import Handler, Lane, Pump

TASK = "oscar_fulfillment.tasks.process_inbox"
RECEIVED, PROCESSING, PROCESSED, FAILED, IGNORED = "received", "processing", "processed", "failed", "ignored"

PUMP = Pump(
    "InboundMessage",
    Words(lane="source", waiting=RECEIVED, busy=PROCESSING, done=PROCESSED, dead=FAILED, done_at="processed_at"),
    "INBOX",
)
# Longest external id that is kept as it is.
MAX_ID = 200
# They prove who asks; once that is proved they are only a leak.
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"})


def register_source(name: str, processor: Handler) -> None:
    """Let ``processor(message)`` handle what arrives from ``name``; the last registration counts."""
    PUMP.lanes[name] = Lane(name, processor)


def source(name: str) -> Callable[[Handler], Handler]:
    """Decorator for :func:`register_source`."""

    def register(processor: Handler) -> Handler:
        register_source(name, processor)
        return processor

    return register


def fingerprint(body: bytes) -> str:
    """An external id for vendors that send none: the same bytes are the same message."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def receive(source: str, external_id: str, headers: Mapping[str, str], body: bytes) -> tuple[Any, bool]:
    """Store a verified message; returns the row and whether it is new. A repetition gets the first row.

    An id that is too long or holds a NUL is kept as its hash; an empty one is replaced by the body's.
    """
    external_id = external_id or fingerprint(body)
    if len(external_id) > MAX_ID or "\x00" in external_id:
        external_id = fingerprint(external_id.encode("utf-8", "surrogatepass"))
    model = PUMP.model
    row = model(source=source, external_id=external_id, headers=_kept(headers), body=bytes(body))
    alias = router.db_for_write(model)
    new = insert_new([row], returning=["id"])
    if not new:
        return model._base_manager.using(alias).get(source=source, external_id=external_id), False
    row.pk = new[0][0]
    row._state.adding, row._state.db = False, alias
    queue.wake_on_commit(TASK, using=alias)
    return row, True


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        str(name): "[removed]" if str(name).lower() in SECRET_HEADERS else str(value).replace("\x00", "")
        for name, value in headers.items()
    }


def process(limit: int = 100, source: str | None = None, budget: float | None = None) -> Counter[str]:
    """Process up to ``limit`` due messages; returns how many ended in which status. Never inside a transaction."""
    return PUMP.run(limit, source, budget)


def replay(message: Any) -> bool:
    """Process a message once more, whatever became of it. False while it waits or is being processed anyway."""
    model = PUMP.model
    taken = model._base_manager.filter(pk=message.pk, status__in=[FAILED, PROCESSED, IGNORED]).update(
        status=RECEIVED, attempts=0, lease="", next_attempt_at=timezone.now(), processed_at=None
    )
    if taken:
        circuit.reopen(PUMP.health_name(message.source))
        queue.wake_on_commit(TASK, using=router.db_for_write(model))
    return bool(taken)


def failed() -> Any:
    """The messages that wait for a person, newest first."""
    model = apps.get_model("oscar_fulfillment", "InboundMessage")
    return model._default_manager.filter(status=FAILED).order_by("-received_at")
