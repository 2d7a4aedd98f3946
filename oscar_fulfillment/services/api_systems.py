"""The systems that call the API, as connectors: released orders wait for them in the export ledger to be fetched.

They come and go with their keys, so they are kept in memory and read anew every few seconds, as webhooks are: a step
costs no query for them. What they may fetch is the union of what their keys reach.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from oscar.core.loading import get_model

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import Capability, Connector
from oscar_fulfillment.core.pump import Lane
from oscar_fulfillment.models import ApiKey, OrderFulfillment

from .connector_events import lane
from .connector_exports import send

#: Seconds for which the keys are not read again: other processes hear of a new one so late at most.
FRESH = 5.0


@dataclass(frozen=True)
class Reach:
    """What one key reaches: orders of these flows (empty: all), and wholly of this partner (None: of any)."""

    flows: frozenset[str] = frozenset()
    partner: int | None = None

    @classmethod
    def of(cls, key: ApiKey) -> Reach:
        return cls(frozenset(key.flows), key.partner_id)

    def orders(self) -> QuerySet[OrderFulfillment]:
        """The orders within it."""
        rows = OrderFulfillment._default_manager.all()
        if self.flows:
            rows = rows.filter(flow__in=self.flows)
        if self.partner is not None:
            lines = get_model("order", "Line")._default_manager.filter(order=OuterRef("pk"))
            # With a line of somebody else in it, an invoice or a parcel would be about their goods too.
            rows = rows.filter(Exists(lines), ~Exists(lines.exclude(partner=self.partner)))
            rows = rows.exclude(Exists(lines.filter(partner=None)))
        return rows


class ApiSystem(Connector):
    """A system that comes for what waits. One whose keys are all switched off is told nothing more."""

    kind = "erp"
    extra_capabilities = frozenset({Capability.FETCHED})

    def __init__(self, *, alias: str, reaches: tuple[Reach, ...]):
        super().__init__(alias=alias)
        self.reaches = reaches

    def concerns(self, flow: str, currency: str) -> bool:
        return any(not reach.flows or flow in reach.flows for reach in self.reaches)

    def takes_order(self, order_id: int) -> bool:
        if any(reach.partner is None for reach in self.reaches):
            return True  # its flow was looked at before
        return any(reach.orders().filter(pk=order_id).exists() for reach in self.reaches)


class Systems:
    """Every system that has a key, read at most every :data:`FRESH` seconds."""

    def __init__(self) -> None:
        self._found: dict[str, ApiSystem] = {}
        self._read_at = float("-inf")

    def forget(self) -> None:
        """Read it anew when next asked."""
        self._read_at = float("-inf")

    def known(self) -> Mapping[str, ApiSystem]:
        """By alias. Also the source of the connectors' registry."""
        now = time.monotonic()
        if now - self._read_at > FRESH:
            self._found, self._read_at = _read(), now
        return self._found

    def prime(self) -> None:
        """Read now what is due to be read: before a transaction, which may then be a single statement."""
        self.known()


def _read() -> dict[str, ApiSystem]:
    columns = ("system", "is_active", "flows", "partner")
    try:
        # In a savepoint: before the first migrate a failed read must not spoil the caller's transaction.
        with transaction.atomic():
            rows: list[tuple[Any, ...]] = list(ApiKey._default_manager.values_list(*columns))
    except DatabaseError:
        return {}
    reaches: dict[str, list[Reach]] = defaultdict(list)
    for system, is_active, flows, partner in rows:
        found = reaches[system]
        if is_active:
            found.append(Reach(frozenset(flows), partner))
    return {alias: ApiSystem(alias=alias, reaches=tuple(found)) for alias, found in reaches.items()}


systems = Systems()


def lanes() -> Iterator[Lane]:
    """A lane for each system that no setting names, as they are now."""
    for alias in systems.known():
        yield Lane(lane(alias), send)


def register() -> None:
    """Let the registry of connectors and the outbox know the systems. Called when Django starts."""
    from oscar_fulfillment.core import outbox

    connectors.source = systems.known
    outbox.PUMP.families.append(lanes)
