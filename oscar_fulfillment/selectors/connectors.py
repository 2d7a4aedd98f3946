"""What the pages of other systems show: how each does, the export ledger, what they said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone

from oscar_fulfillment.conf import settings
from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.core import circuit, outbox
from oscar_fulfillment.models import ConnectorState, Export, OutsideChange
from oscar_fulfillment.models.connector import LANE

PAGE_SIZE = 25


@dataclass(frozen=True)
class Health:
    """How a system does. ``counts``: open exports by status, capped; ``resting_until``: nothing is sent before."""

    counts: dict[str, int]
    trouble: int
    acknowledged_at: datetime | None
    resting_until: datetime | None
    resting_why: str
    state: ConnectorState | None

    @property
    def is_failing(self) -> bool:
        return self.resting_until is not None or bool(self.state and self.state.failing_since)


@dataclass(frozen=True)
class Slice:
    """Rows, the newest first; ``older`` is where the next page begins (None: there is none)."""

    rows: list[Any]
    older: int | None


def systems() -> list[str]:
    """The aliases of every system that has a ledger, in the order of the settings."""
    return list(connectors)


def health(aliases: Sequence[str]) -> dict[str, Health]:
    """How these do: three statements, and two for each."""
    states = ConnectorState._default_manager.in_bulk(aliases)
    resting = circuit.states()
    now = timezone.now()
    found = {}
    for alias in aliases:
        rest = resting.get(outbox.PUMP.health_name(f"{LANE}{alias}"))
        ahead = rest if rest is not None and rest.paused_until > now else None
        found[alias] = Health(
            counts=_open(alias),
            trouble=OutsideChange._default_manager.filter(connector=alias, status__in=OutsideChange.TROUBLE)[
                : settings.CAPPED_COUNT
            ].count(),
            acknowledged_at=_last(alias),
            resting_until=ahead.paused_until if ahead else None,
            resting_why=ahead.error if ahead else "",
            state=states.get(alias),
        )
    return found


def _open(alias: str) -> dict[str, int]:
    few = Export._default_manager.filter(connector=alias, status__in=Export.OPEN).order_by()[: settings.CAPPED_COUNT]
    rows = Export._default_manager.filter(pk__in=few.values("pk")).order_by()
    return dict(rows.values_list("status").annotate(Count("pk")))


def _last(alias: str) -> datetime | None:
    rows = Export._default_manager.filter(connector=alias, status=Export.ACKNOWLEDGED).order_by("-pk")
    return rows.values_list("acknowledged_at", flat=True).first()


def exports(*, connector: str = "", status: str = "", number: str = "", before: int | None = None) -> Slice:
    """A page of the ledger; ``number``: the beginning of an order's."""
    rows = Export._default_manager.select_related("fulfillment__order")
    return _slice(_narrowed(rows, connector, status, number, before))


def changes(*, connector: str = "", status: str = "", number: str = "", before: int | None = None) -> Slice:
    """A page of what other systems said."""
    rows = OutsideChange._default_manager.select_related("fulfillment__order")
    if status == "trouble":
        rows, status = rows.filter(status__in=OutsideChange.TROUBLE), ""
    return _slice(_narrowed(rows, connector, status, number, before))


def _narrowed(rows: QuerySet[Any], connector: str, status: str, number: str, before: int | None) -> QuerySet[Any]:
    if connector:
        rows = rows.filter(connector=connector)
    if status:
        rows = rows.filter(status=status)
    if number:
        rows = rows.filter(fulfillment__number__startswith=number)
    return rows if before is None else rows.filter(pk__lt=before)


def _slice(rows: QuerySet[Any]) -> Slice:
    found = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    more = len(found) > PAGE_SIZE
    found = found[:PAGE_SIZE]
    return Slice(found, found[-1].pk if more else None)


def of_order(order_id: int) -> tuple[list[Export], list[OutsideChange]]:
    """What of an order's other systems have, and the last they said of it: for its page."""
    said = OutsideChange._default_manager.filter(fulfillment=order_id).order_by("-pk")[:10]
    return list(Export._default_manager.filter(fulfillment=order_id).order_by("connector", "pk")[:50]), list(said)


def failed(connector: str, limit: int) -> list[Export]:
    """What a system did not take, the oldest first."""
    rows = Export._default_manager.filter(connector=connector, status=Export.FAILED).order_by("pk")
    return list(rows.select_related("fulfillment")[:limit])
