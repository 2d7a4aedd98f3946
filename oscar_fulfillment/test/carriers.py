"""A carrier in memory, for tests of a shop and of this app: no network, and every accident on demand.

fake = carriers.get("fake")
fake.advance("AB123", "delivered")          # it happens to a parcel (one that it did not know, too)
fake.put("AB123", TrackingEvent(...))       # anything at all happens to it
fake.confirm(external_id)                   # an order gets its number (with ``numbers_later``)
fake.go_down(3); fake.lose_answers(1); fake.refuse("no such street")
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from oscar_fulfillment.carriers.base import Capability, Carrier
from oscar_fulfillment.carriers.events import (
    Address,
    CarrierOrderRequest,
    CarrierOrderState,
    Distance,
    ParcelHint,
    RemoteOrder,
    Tracked,
    clean,
)
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    WebhookVerificationFailed,
)
from oscar_fulfillment.core.signatures import verify_token

from .fake_books import AFTER, BEFORE, FakeBooks
from .pdf import label_pdf

TOKEN = "let me in"  # noqa: S105 (a test double's)


class FakeCarrier(FakeBooks, Carrier):
    """Can do everything, or what ``able`` says. ``effects`` counts what really happened, however often it was asked.

    Its settings are those of the base and ``numbers_later``: an order is only accepted, and gets its number by
    :meth:`confirm`. It plays its own carrier: it is the driver of the contract, too.
    """

    name = "Fake carrier"
    url_template = "https://fake.example/follow/{code}"
    track_batch = 10

    def __init__(
        self,
        *,
        able: Sequence[str] = tuple(Capability),
        numbers_later: bool = False,
        token: str = TOKEN,
        **options: Any,
    ):
        super().__init__(**options)
        derived = {Capability.TRACKING_URL, Capability.MAILS_TRACKING_LINK, Capability.PICKUP}
        self.extra_capabilities = frozenset(able) - derived
        self.numbers_later, self.token = numbers_later, token
        self.reset()

    # The protocol

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        with self._call(Capability.TRACK, "track", tuple(codes)):
            if len(codes) > self.track_batch:
                raise AdapterRejected(f"at most {self.track_batch} codes")
            return [self._tracked(code) for code in codes]

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        self._needs(Capability.WEBHOOK)
        if self.token != TOKEN:
            raise WebhookVerificationFailed("this is another shop's account")
        verify_token(headers.get("x-token"), self.token)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> ParcelHint:
        self._needs(Capability.WEBHOOK)
        try:
            document = json.loads(body)
            named = {name: str(document.get(name, ""))[:64] for name in ("id", "parcel", "order", "kind")}
            "".join(named.values()).encode()
        except (ValueError, AttributeError, RecursionError) as error:
            raise AdapterRejected("cannot be read") from error
        return ParcelHint(named["id"], named["parcel"], named["order"], named["kind"])

    def create_order(self, request: CarrierOrderRequest, *, key: str) -> RemoteOrder:
        with self._call(Capability.CREATE_ORDER, "create_order", request.reference):
            if key not in self._keys:
                if not request.packages:
                    raise AdapterRejected("there is nothing to carry", status=400)
                found = f"O{next(self._numbers)}"
                self._keys[key], self.requests[found] = found, request
                self.orders_by_id[found] = RemoteOrder(found, CarrierOrderState.ACCEPTED, reference=request.reference)
                self.effects.append(("create_order", found))
                if not self.numbers_later:
                    self.confirm(found)
            return self.orders_by_id[self._keys[key]]

    def fetch_order(self, external_id: str) -> RemoteOrder:
        with self._call(Capability.CREATE_ORDER, "fetch_order", external_id):
            return self._known(external_id)

    def find_order(self, reference: str) -> RemoteOrder | None:
        with self._call(Capability.FIND_ORDER, "find_order", reference):
            return next((order for order in self.orders_by_id.values() if order.reference == reference), None)

    def cancel_order(self, external_id: str) -> RemoteOrder:
        with self._call(Capability.CANCEL_ORDER, "cancel_order", external_id):
            now = self._known(external_id)
            if self.parcels.get(now.tracking_code):
                raise AdapterRejected("it is on its way", status=400)
            if now.state != CarrierOrderState.CANCELLED:
                self.effects.append(("cancel_order", external_id))
            return self._order(external_id, state=CarrierOrderState.CANCELLED)

    def label(self, external_id: str) -> bytes:
        with self._call(Capability.LABEL, "label", external_id):
            now = self._known(external_id)
            if not now.tracking_code:
                raise AdapterUnavailable("the label is being made")
            return label_pdf([now.tracking_code, now.reference])

    def distance(self, address: Address) -> Distance | None:
        with self._call(Capability.DISTANCE, "distance", address.postcode):
            if address.postcode == "000000":
                return None
            return self.distances.get(address.postcode, Distance(Decimal("12.5"), "Fake depot"))

    # Inside

    def _needs(self, capability: str) -> None:
        if capability not in self.capabilities:
            raise AdapterRejected(f"{self.alias} cannot do that")

    def _call(self, capability: str, name: str, about: Any) -> _Call:
        self._needs(capability)
        self.calls.append((name, about))
        if self.token != TOKEN:
            raise AdapterRejected("the credentials are wrong", status=401)
        accident = self._accidents.pop(0) if self._accidents else ""
        if accident in BEFORE:
            raise AdapterUnavailable("the fake carrier cannot be reached")
        if self._refused:
            words, self._refused = self._refused, ""
            raise AdapterRejected(words, status=400)
        return _Call(self._books, lost=accident in AFTER)

    def _tracked(self, code: str) -> Tracked:
        if code not in self.parcels:
            return Tracked(code, problem="not_found")
        events = [
            replace(event, text=clean(event.text), place=clean(event.place), note=clean(event.note))
            for event in self.parcels[code]
        ]
        return Tracked(code, events)

    def _known(self, external_id: str) -> RemoteOrder:
        if external_id not in self.orders_by_id:
            raise AdapterRejected("no such order", status=404)
        return self.orders_by_id[external_id]


class _Call:
    """One call at the carrier; when its answer is lost, what was done stays done."""

    def __init__(self, books: Any, *, lost: bool):
        self.books, self.lost = books, lost

    def __enter__(self) -> None:
        self.books.acquire()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.books.release()
        if self.lost and error is None:
            raise AdapterUnanswered("the answer was lost")
