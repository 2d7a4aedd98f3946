"""Messages that wait for a person: notifications that could not be processed, messages that could not be sent."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from oscar_fulfillment.core import circuit, inbox, outbox
from oscar_fulfillment.core.pump import Pump
from oscar_fulfillment.models import ProviderPayment
from oscar_fulfillment.models.webhook import LANE

from .payment_methods import gateway_or_none

logger = logging.getLogger("oscar_fulfillment.messages")

IN, OUT = "in", "out"
#: Where a stored notification keeps the query string it came with.
QUERY = "x-fulfillment-query"
#: Characters of a body that a page shows.
SHOWN = 20_000
REMOVED = "[removed]"
#: A header or a parameter with one of these in its name proves who asks: it is never shown.
_SECRET_WORDS = ("authorization", "cookie", "secret", "token", "password", "api-key", "apikey", "access-key", "auth")


@dataclass(frozen=True)
class Resting:
    """A source or destination that nobody tries until ``until``, and why."""

    way: str
    lane: str
    since: Any
    until: Any
    error: str
    is_over: bool


def pump(way: str) -> Pump:
    """The engine of a way."""
    return inbox.PUMP if way == IN else outbox.PUMP


def waiting(way: str, lane: str = "") -> QuerySet[Any]:
    """What waits for a person, newest first; of one source or destination, if named. Webhooks have their own page."""
    found = inbox.failed() if way == IN else outbox.dead().exclude(destination__startswith=LANE).select_related("order")
    return found.filter(**{pump(way).words.lane: lane}) if lane else found


def lanes(way: str) -> list[tuple[str, int]]:
    """How many wait, by source or destination."""
    column = pump(way).words.lane
    return sorted(Counter(waiting(way).order_by().values_list(column, flat=True)).items())


def resting() -> list[Resting]:
    """Sources and destinations that are down."""
    ways = {inbox.PUMP.setting.lower(): IN, outbox.PUMP.setting.lower(): OUT}
    found = []
    for state in circuit.states().values():
        box, _colon, lane = state.name.partition(":")
        if box in ways and not lane.startswith(LANE):
            over = state.paused_until <= timezone.now()
            found.append(Resting(ways[box], lane, state.since, state.paused_until, state.error, over))
    return sorted(found, key=lambda rest: (rest.way, rest.lane))


def orders_of(messages: Sequence[Any]) -> dict[int, Any]:
    """The order that each notification of a payment provider is about, where it can be told: {message: order}."""
    asked: dict[int, tuple[str, str, str]] = {}
    for message in messages:
        family, _colon, alias = message.source.partition(":")
        gateway = gateway_or_none(alias) if family == "payments" else None
        if gateway is None:
            continue
        try:
            query = QueryDict(message.headers.get(QUERY, "")).dict()
            hint = gateway.parse_notification(message.headers, bytes(message.body), query)
        except Exception as error:  # what cannot be read is often why it failed
            logger.info("message %s cannot be read: %s", message.pk, error)
            continue
        if hint.external_id or hint.reference:
            asked[message.pk] = (alias, hint.external_id, hint.reference)
    payments = _payments(asked.values())
    return {
        pk: found.fulfillment.order
        for pk, (alias, external_id, reference) in asked.items()
        if (found := payments.get((alias, external_id)) or payments.get((alias, reference)))
    }


def _payments(asked: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], ProviderPayment]:
    """Payments by (provider, its number) and by (provider, our reference), in one statement."""
    wanted = Q(pk__in=[])
    for alias, external_id, reference in asked:
        if external_id:
            wanted |= Q(provider=alias, external_id=external_id)
        if reference:
            wanted |= Q(reference=reference)
    found = {}
    for payment in ProviderPayment._default_manager.filter(wanted).select_related("fulfillment__order"):
        found[payment.provider, payment.reference] = payment
        if payment.external_id:
            found[payment.provider, payment.external_id] = payment
    return found


def shown_headers(headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers for the page, without what proves who asks. The query string is taken apart for the same reason."""
    found = []
    for name, value in sorted(headers.items()):
        if name == QUERY:
            pairs = parse_qsl(str(value), keep_blank_values=True)
            text = urlencode([(key, REMOVED if _is_secret(key) else part) for key, part in pairs], safe="[]")
            if text:
                found.append(("?", text))
        else:
            found.append((str(name), REMOVED if _is_secret(str(name)) else str(value)[:1000]))
    return found


def _is_secret(name: str) -> bool:
    low = name.lower().replace("_", "-")
    return low in inbox.SECRET_HEADERS or any(word in low for word in _SECRET_WORDS)


def shown_body(message: Any) -> tuple[str, bool]:
    """What was said, as text, and whether it was cut. Bytes that are no text show as replacement characters."""
    if hasattr(message, "body"):
        text = bytes(message.body).decode("utf-8", "replace")
    else:
        text = json.dumps(message.payload, indent=2, ensure_ascii=False, default=str)
    return text[:SHOWN], len(text) > SHOWN
