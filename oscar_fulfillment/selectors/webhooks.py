"""What the pages of webhooks show: how each does, and the log of its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.utils import timezone

from oscar_fulfillment.core import circuit, outbox
from oscar_fulfillment.models import OutboundMessage, WebhookAttempt, WebhookEndpoint
from oscar_fulfillment.models.webhook import LANE

PAGE_SIZE = 25
#: The kind of the messages of the test button (``services.webhook_events.PING``).
PING = "ping"
#: How a person calls the states of a message, and what they are in the outbox.
STATES: dict[str, Sequence[str]] = {
    "waiting": (outbox.PENDING, outbox.SENDING),
    "delivered": (outbox.SENT,),
    "failed": (outbox.DEAD, outbox.UNKNOWN),
}


@dataclass(frozen=True)
class Health:
    """How a webhook does. ``resting_until``: nobody tries before; ``delivered_at``: when one last got through."""

    waiting: int = 0
    failed: int = 0
    delivered_at: datetime | None = None
    resting_until: datetime | None = None


def webhooks() -> list[WebhookEndpoint]:
    """All of them, in the order they were made."""
    return list(WebhookEndpoint._default_manager.all())


def health(endpoints: Sequence[WebhookEndpoint]) -> dict[int, Health]:
    """How these do, in three statements and one for each. Tests do not count."""
    by_lane = {endpoint.lane: endpoint for endpoint in endpoints}
    waiting, failed = (_counts(list(by_lane), state) for state in ("waiting", "failed"))
    resting = {name: state.paused_until for name, state in circuit.states().items()}
    return {
        endpoint.pk: Health(
            waiting=waiting.get(lane, 0),
            failed=failed.get(lane, 0),
            delivered_at=_last_delivered(lane),
            resting_until=_ahead(resting.get(outbox.PUMP.health_name(lane))),
        )
        for lane, endpoint in by_lane.items()
    }


def _counts(lanes: Sequence[str], state: str) -> dict[str, int]:
    # One statement a state: there is an index for each, and none for both.
    rows = OutboundMessage._default_manager.filter(destination__in=lanes, status__in=STATES[state]).exclude(kind=PING)
    return dict(rows.order_by().values_list("destination").annotate(Count("pk")))


def _ahead(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment > timezone.now() else None


def _last_delivered(lane: str) -> datetime | None:
    return _log([lane]).filter(status=outbox.SENT).order_by("-pk").values_list("sent_at", flat=True).first()


def _log(lanes: Sequence[str]) -> QuerySet[OutboundMessage]:
    # The second condition says nothing new, but the index is for it.
    return OutboundMessage._default_manager.filter(destination__in=lanes, destination__startswith=LANE)


@dataclass(frozen=True)
class LogPage:
    """Messages of a webhook, newest first; ``older`` is where the next page begins (None: there is none)."""

    rows: list[Any]
    older: int | None


def log(
    endpoint: WebhookEndpoint, *, state: str = "", event: str = "", number: str = "", before: int | None = None
) -> LogPage:
    """A page of the log; ``number``: the beginning of an order's. Each row has ``last_status`` and ``last_error``."""
    rows = _log([endpoint.lane]).select_related("order").defer("payload")
    if state:
        rows = rows.filter(status__in=STATES[state])
    if event:
        rows = rows.filter(kind=event)
    if number:
        rows = rows.filter(order__number__startswith=number)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    last = WebhookAttempt._default_manager.filter(message=OuterRef("pk")).order_by("-pk")
    rows = rows.annotate(last_status=Subquery(last.values("status")[:1]), last_error=Subquery(last.values("error")[:1]))
    found = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    more = len(found) > PAGE_SIZE
    found = found[:PAGE_SIZE]
    return LogPage(found, found[-1].pk if more else None)


def delivery(endpoint: WebhookEndpoint, pk: int) -> OutboundMessage | None:
    """One message of a webhook; None where it has none such."""
    return _log([endpoint.lane]).select_related("order").filter(pk=pk).first()


def attempts(message: OutboundMessage) -> list[WebhookAttempt]:
    """Every try, the newest first; at most fifty."""
    return list(WebhookAttempt._default_manager.filter(message=message)[:50])
