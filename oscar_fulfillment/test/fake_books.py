"""What the carrier in memory remembers, and what a test lets happen to it; it is ``carriers.FakeCarrier``."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.events import (
    CarrierOrderRequest,
    CarrierOrderState,
    Distance,
    IncidentClass,
    RemoteOrder,
    TrackingEvent,
    TrackingState,
)

if TYPE_CHECKING:
    from .gateway_case import Received

BEFORE = frozenset({"busy", "cut_before", "error_before"})
AFTER = frozenset({"cut_after", "error_after", "garbage", "slow"})
_STATE = TrackingState
#: step -> what it means; the names of the steps are those of the contract (``carrier_case.STEPS``).
STEPS: dict[str, dict[str, Any]] = {
    "announced": {"state": _STATE.PENDING},
    "collected": {"state": _STATE.PICKED_UP},
    "in_transit": {"state": _STATE.IN_TRANSIT},
    "out_for_delivery": {"state": _STATE.OUT_FOR_DELIVERY},
    "attempt_failed": {"state": _STATE.DELIVERY_FAILED, "incident": IncidentClass.ABSENT},
    "ready_for_pickup": {"state": _STATE.READY_FOR_PICKUP, "incident": IncidentClass.AWAITING_PICKUP},
    "on_hold": {"state": _STATE.ON_HOLD, "incident": IncidentClass.HELD},
    "delivered": {"state": _STATE.DELIVERED},
    "returning": {"state": _STATE.RETURNING, "incident": IncidentClass.RETURNING, "is_return": True},
    "returned": {"state": _STATE.RETURNED, "incident": IncidentClass.RETURNED, "is_return": True},
    "cancelled": {"state": _STATE.CANCELLED},
    "lost": {"state": _STATE.LOST, "incident": IncidentClass.LOST},
    "correction": {"state": _STATE.INFO, "incident": IncidentClass.CORRECTION, "retracts": True},
    "unknown": {"state": _STATE.UNKNOWN, "incident": IncidentClass.UNKNOWN},
    "hostile": {"state": _STATE.INFO, "text": "<script>alert(1)</script>\x00\x1b[31m\u202e" + "x" * 100_000},
}


class FakeBooks:
    """Parcels, orders, letters, and the accidents to come."""

    steps = tuple(STEPS)
    capabilities: frozenset[str]
    token = ""

    def reset(self) -> None:
        """Forget everything."""
        # A carrier does one thing at a time, whoever asks at the same moment.
        self._books = threading.RLock()
        self.parcels: dict[str, list[TrackingEvent]] = {}
        self.orders_by_id: dict[str, RemoteOrder] = {}
        self.requests: dict[str, CarrierOrderRequest] = {}
        self.distances: dict[str, Distance | None] = {}
        self.effects: list[tuple[str, str]] = []
        #: Every call that arrived: (name, what it was about).
        self.calls: list[tuple[str, Any]] = []
        self.letters: list[Received] = []
        self._keys: dict[str, str] = {}
        self._accidents: list[str] = []
        self._refused, self._numbers = "", itertools.count(1)

    # What a test lets happen

    def parcel(self, code: str = "") -> str:
        """A parcel that the carrier knows, with no event yet."""
        code = code or f"FK{next(self._numbers):08d}"
        self.parcels.setdefault(code, [])
        return code

    def put(self, code: str, *events: TrackingEvent) -> None:
        """Let anything happen to a parcel; nobody is told."""
        self.parcels.setdefault(code, []).extend(events)

    def advance(self, code: str, step: str, *, at: datetime | None = None, **values: Any) -> TrackingEvent:
        """Let a step happen to a parcel, and tell of it (``letters``) if the carrier tells.

        Without ``at`` it happens now, and a microsecond after the last one. ``values`` are fields of the event.
        """
        with self._books:
            events = self.parcels.setdefault(code, [])
            at = at or max([timezone.now(), *(event.occurred_at + timedelta(microseconds=1) for event in events)])
            number = f"E{next(self._numbers)}"
            said = {"code": step.upper(), "occurred_at": at, "text": step, "external_id": number}
            event = TrackingEvent(**{**said, **STEPS[step], **values})
            events.append(event)
            if Capability.WEBHOOK in self.capabilities:
                self.letters.append(self.notification(code, event_id=number))
            return event

    def notification(
        self, code: str = "", *, external_id: str = "", event_id: str = "", kind: str = "event"
    ) -> Received:
        """What the carrier would send about a parcel or an order, for a test to deliver."""
        document = {"id": event_id, "parcel": code, "order": external_id, "kind": kind}
        return {"x-token": self.token}, json.dumps(document).encode(), {}

    def confirm(self, external_id: str, tracking_code: str = "") -> RemoteOrder:
        """The order is done and has its number."""
        now = self.orders_by_id[external_id]
        if now.state in (CarrierOrderState.INVALID, CarrierOrderState.CANCELLED):
            return now
        code = now.tracking_code or self.parcel(tracking_code)
        return self._order(external_id, state=CarrierOrderState.CREATED, tracking_code=code)

    def refuse_order(self, external_id: str, words: str) -> RemoteOrder:
        """The order turns out to be impossible, as some do long after they were accepted."""
        return self._order(external_id, state=CarrierOrderState.INVALID, problem=words)

    def fail_next(self, *kinds: str) -> None:
        """Let the next calls fail in the ways of the simulators, one each; "" goes well."""
        if unknown := set(kinds) - BEFORE - AFTER - {""}:
            raise ValueError(unknown)
        self._accidents += kinds

    def answer_next(self, *bodies: bytes) -> None:
        """There is no wire: an answer that makes no sense is one that is lost."""
        self.fail_next(*["garbage"] * len(bodies))

    def go_down(self, count: int = 1) -> None:
        """The next calls do not reach the carrier."""
        self.fail_next(*["cut_before"] * count)

    def lose_answers(self, count: int = 1) -> None:
        """The next calls are done, and their answers lost."""
        self.fail_next(*["cut_after"] * count)

    def refuse(self, words: str) -> None:
        """The next call is refused."""
        self._refused = words

    def recover(self) -> None:
        """Nothing goes wrong any more."""
        self._accidents, self._refused = [], ""

    def count(self, name: str) -> int:
        """How often it was called so."""
        return Counter(called for called, _about in self.calls)[name]

    # The rest of a driver

    def revoke_tokens(self) -> None:
        """It has none."""

    def logins(self) -> int:
        return 0

    def received(self) -> Sequence[Received]:
        return self.letters

    def foreign(self) -> Sequence[Received]:
        return [self.notification(kind="ping")] if Capability.WEBHOOK in self.capabilities else []

    def orders(self) -> int:
        return len(self.orders_by_id)

    def _order(self, external_id: str, **changes: Any) -> RemoteOrder:
        with self._books:
            self.orders_by_id[external_id] = replace(self.orders_by_id[external_id], **changes)
            return self.orders_by_id[external_id]
