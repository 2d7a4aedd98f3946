"""Webhooks go out: the handler of their lanes, the log of every try, and what becomes of an endpoint that fails.

Whatever is not answered with 2xx is tried again by the schedule of the setting WEBHOOKS_OUT. 410 switches the endpoint
off at once, and so do several messages in a row that were given up; somebody is told by a follow-up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from oscar_fulfillment import __version__
from oscar_fulfillment.core import outbox, public_http
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.public_http import Reply
from oscar_fulfillment.core.pump import Lane
from oscar_fulfillment.models import OutboundMessage, WebhookAttempt, WebhookEndpoint
from oscar_fulfillment.models.webhook import LANE

from . import followups, webhook_keys
from .webhook_bodies import make_body
from .webhook_events import PING, new_id, subscribers
from .webhook_settings import option, rules

logger = logging.getLogger("oscar_fulfillment.webhooks")

#: With these the other side asks for less; their Retry-After counts.
_THROTTLED = frozenset({429, 502, 503, 504})
#: The code of an attempt that could not be signed.
KEY_LOST = "key_lost"
_OFF = "this webhook is switched off"


def lanes() -> Iterator[Lane]:
    """A lane for every endpoint, as they are now. Those switched off too: what comes late ends there."""
    backoff = tuple(option("schedule"))
    for pk in WebhookEndpoint._default_manager.values_list("pk", flat=True):
        yield Lane(f"{LANE}{pk}", deliver, backoff=backoff)


def deliver(message: OutboundMessage) -> None:
    """Send one message; the outbox's handler. Raises what the outbox understands."""
    endpoint = WebhookEndpoint._default_manager.filter(pk=message.destination.removeprefix(LANE)).first()
    if endpoint is None or not endpoint.is_active:
        raise AdapterRejected(_OFF)
    reply = send(endpoint, message.key, _body(message, endpoint))
    _log(message, reply)
    if reply.is_ok:
        _succeeded(endpoint)
        return
    if reply.status == 410:
        switch_off(endpoint, WebhookEndpoint.GONE)
        raise AdapterRejected("the receiver says that it is gone for good (410)")
    _failed(endpoint)
    said = f"answered {reply.status}" if reply.status else reply.error
    raise AdapterUnavailable(said, retry_after=reply.retry_after if reply.status in _THROTTLED else 0)


def _body(message: OutboundMessage, endpoint: WebhookEndpoint) -> bytes:
    """The bytes to send: made once and kept with the message before anybody sees them.

    Made anew only where the buyer's data is in them and is not wanted any more.
    """
    kept = message.payload
    if "body" not in kept or (kept.get("with_customer") and not endpoint.includes_customer):
        message.payload |= {"body": make_body(message, endpoint), "with_customer": endpoint.includes_customer}
        mine = OutboundMessage._base_manager.filter(pk=message.pk, lease=message.lease)
        if not mine.update(payload=message.payload):
            raise AdapterUnavailable("another worker has taken this message over")
    return str(message.payload["body"]).encode()


def send(endpoint: WebhookEndpoint, message_id: str, body: bytes) -> Reply:
    """Sign and POST. Never raises for what the other side does; not in a transaction."""
    try:
        signed = webhook_keys.signed_headers(endpoint.keys, message_id, body, timezone.now())
    except webhook_keys.KeyLost:
        logger.error("webhook %s: no key can be made from SECRET_KEY any more", endpoint.pk)
        return Reply(error=KEY_LOST)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"django-oscar-fulfillment/{__version__}",
        **signed,
    }
    reply = public_http.post(endpoint.url, body, headers, rules=rules(), timeout=option("timeout"))
    outcome = reply.status or reply.error
    logger.info("webhook %s: %s answered %s in %d ms", endpoint.pk, message_id, outcome, reply.seconds * 1000)
    return reply


def _log(message: OutboundMessage, reply: Reply) -> WebhookAttempt:
    return WebhookAttempt._default_manager.create(
        message=message,
        at=timezone.now(),
        milliseconds=min(round(reply.seconds * 1000), 2**31 - 1),
        status=reply.status,
        response=reply.excerpt,
        error=reply.error,
        detail=reply.detail,
    )


def _succeeded(endpoint: WebhookEndpoint) -> None:
    if endpoint.deaths or endpoint.failing_since:
        WebhookEndpoint._default_manager.filter(pk=endpoint.pk).update(deaths=0, failing_since=None)


def _failed(endpoint: WebhookEndpoint) -> None:
    if endpoint.failing_since is None:
        rows = WebhookEndpoint._default_manager.filter(pk=endpoint.pk, failing_since=None)
        rows.update(failing_since=timezone.now())


def note_death(message: OutboundMessage) -> None:
    """Count what was given up; after too many in a row nothing more is tried. Hook of the outbox."""
    if not message.destination.startswith(LANE):
        return
    rows = WebhookEndpoint._default_manager.filter(pk=message.destination.removeprefix(LANE), is_active=True)
    rows.update(deaths=F("deaths") + 1)
    endpoint = rows.filter(deaths__gte=option("disable_after")).first()
    if endpoint is not None:
        switch_off(endpoint, WebhookEndpoint.GAVE_UP)


def switch_off(endpoint: WebhookEndpoint, why: str) -> bool:
    """Send nothing more there; what waits is given up and can be sent again later. False if it was off already.

    Somebody is told, unless a person did it.
    """
    now = timezone.now()
    with transaction.atomic():
        rows = WebhookEndpoint._default_manager.filter(pk=endpoint.pk, is_active=True)
        if not rows.update(is_active=False, disabled_reason=why, disabled_at=now, version=F("version") + 1):
            return False
        give_up_waiting(endpoint)
        if why != WebhookEndpoint.BY_HAND:
            followups.open_followup(
                kind=followups.WEBHOOK_OFF,
                key=f"{followup_key(endpoint)}{now.isoformat()}",
                data={"webhook": endpoint.pk, "address": endpoint.host, "what": why},
            )
            logger.error("webhook %s (%s) is switched off: %s", endpoint.pk, endpoint.host, why)
    subscribers.forget()
    return True


def give_up_waiting(endpoint: WebhookEndpoint) -> int:
    """End what waits for an endpoint, without a try; how many."""
    waiting = OutboundMessage._base_manager.filter(destination=endpoint.lane, status=outbox.PENDING)
    return waiting.update(status=outbox.DEAD, error=_OFF, lease="")


def followup_key(endpoint: WebhookEndpoint) -> str:
    """What the keys of an endpoint's follow-ups begin with."""
    return f"webhook:{endpoint.pk}:"


def ping(endpoint: WebhookEndpoint) -> OutboundMessage:
    """Send a test now, whatever the endpoint's state; it is in the log like any other message. Not in a transaction."""
    now = timezone.now()
    message = OutboundMessage(
        destination=endpoint.lane, kind=PING, key=new_id(), payload={}, status=outbox.DEAD, attempts=1, created_at=now,
        next_attempt_at=now,
    )  # fmt: skip
    message.payload = {"body": make_body(message, endpoint)}
    reply = send(endpoint, message.key, message.payload["body"].encode())
    if reply.is_ok:
        message.status, message.sent_at = outbox.SENT, timezone.now()
    else:
        message.error = f"answered {reply.status}" if reply.status else reply.error
    with transaction.atomic():
        message.save(force_insert=True)
        _log(message, reply)
    return message
