"""What the contract of the carriers is made of: who plays the carrier, parcels on their way, orders, hostile texts."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import pytest

from oscar_fulfillment.carriers.base import Capability, Carrier
from oscar_fulfillment.carriers.events import (
    MAX_TEXT,
    Address,
    CarrierOrderRequest,
    Package,
    PackedItem,
    Tracked,
    TrackingEvent,
    TrackingState,
)
from oscar_fulfillment.core.exceptions import AdapterRejected

from .gateway_case import HOSTILE, Received, new_key

__all__ = ["HOSTILE", "HOSTILE_CODES", "STEPS", "CarrierCase", "Driver", "Received", "identity", "new_key"]

#: What may happen to a parcel, and the states of ours that it may mean.
STEPS: dict[str, frozenset[TrackingState]] = {
    "announced": frozenset({TrackingState.PENDING}),
    "collected": frozenset({TrackingState.PICKED_UP, TrackingState.IN_TRANSIT}),
    "in_transit": frozenset({TrackingState.IN_TRANSIT}),
    "out_for_delivery": frozenset({TrackingState.OUT_FOR_DELIVERY}),
    "attempt_failed": frozenset({TrackingState.DELIVERY_FAILED}),
    "ready_for_pickup": frozenset({TrackingState.READY_FOR_PICKUP}),
    "on_hold": frozenset({TrackingState.ON_HOLD}),
    "delivered": frozenset({TrackingState.DELIVERED}),
    "returning": frozenset({TrackingState.RETURNING}),
    "returned": frozenset({TrackingState.RETURNED, TrackingState.DELIVERED}),  # DELIVERED only as part of the way back
    "cancelled": frozenset({TrackingState.CANCELLED}),
    "lost": frozenset({TrackingState.LOST}),
    "correction": frozenset(TrackingState),  # what was said last is taken back
    "unknown": frozenset({TrackingState.UNKNOWN}),  # a code that nobody has seen
    "hostile": frozenset(TrackingState),  # its texts hold markup, control characters and 100,000 letters
}

#: What somebody may type, or a stranger's page hold, where a tracking code belongs.
HOSTILE_CODES = (
    "",
    "   ",
    "https://evil.example/x",
    "javascript:alert(1)",
    "<script>alert(1)</script>",
    '"onmouseover=',
    "A\r\nBcc: all@evil.example",
    "A\x00B",
    "A\u202eB",
    "../../etc/passwd",
    "A?x=1&y=2#z",
    "{code.__class__}",
    "=HYPERLINK(1)",
    "A" * 10_000,
)


class Driver(Protocol):
    """Plays the carrier (a simulator does): parcels and orders go on as it says."""

    #: The keys of STEPS that this carrier has.
    steps: Collection[str]

    def parcel(self) -> str:
        """A new parcel that the carrier knows, with no event yet; returns its tracking code."""

    def advance(self, code: str, step: str) -> Any:
        """Let this happen to a parcel now; the shop is told where the carrier tells."""

    def fail_next(self, *kinds: str) -> None:
        """Let the next calls fail, one each: cut_before, cut_after, error_before, error_after, garbage, slow, busy."""

    def answer_next(self, *bodies: bytes) -> None:
        """Answer the next calls with these bytes and status 200, whatever they ask."""

    def revoke_tokens(self) -> None:
        """Every token handed out so far is worth nothing from now on."""

    def logins(self) -> int:
        """How many tokens were handed out. Always 0 where there are none."""

    def received(self) -> Sequence[Received]:
        """All notifications so far, oldest first. Empty for a carrier that sends none."""

    def foreign(self) -> Sequence[Received]:
        """Genuine notifications that concern no parcel of ours: a ping, another kind of event."""

    def orders(self) -> int:
        """How many orders the carrier has taken, the cancelled ones too."""

    def confirm(self, external_id: str) -> Any:
        """The carrier has done the order: it has its tracking code from now on."""


class CarrierCase:
    """A carrier, who plays it, and what can be asked. Attributes are overridden by subclasses."""

    #: Codes as they are typed, and as they are stored.
    codes: Mapping[str, str] = {"ab 123": "AB123"}
    #: Plausible codes that are not of this carrier.
    wrong_codes: Sequence[str] = ()
    #: A well-formed code that the carrier does not know.
    unknown_code = "NOSUCH404"
    #: False for a carrier that proves nothing in its notifications: they are hints.
    signed = True
    #: True for a carrier that proves its address with an unsigned message; it may then say nothing of any parcel.
    open_to_pings = False
    #: False for a carrier that tells how a parcel stands now, and not all that happened to it.
    keeps_history = True
    #: Texts that no repr, no log line and no message of an error may hold.
    secrets: tuple[str, ...] = ()
    #: With Capability.DISTANCE: an address whose distance is known, and one that is nowhere.
    near = Address(name="Anna Example", line1="Street 1", city="City", postcode="101000", country="RU")
    nowhere = Address(name="Nobody", postcode="000000", country="RU")
    recipient = Address(
        name="Anna Example", line1="Street 1", city="City", state="ST", postcode="101000", country="RU",
        phone="+79990000000", email="anna@example.com",
    )  # fmt: skip
    #: Changes of a request that the carrier refuses, sooner or later.
    wrong_order: Mapping[str, Any] = {"packages": ()}

    @pytest.fixture
    def carrier(self) -> Any:
        raise NotImplementedError("a subclass gives the carrier; one that waits at most a second for an answer")

    @pytest.fixture
    def driver(self) -> Any:
        raise NotImplementedError("a subclass gives who plays the carrier")

    @pytest.fixture
    def stranger(self) -> Any:
        """The same carrier with wrong credentials. Not asked for where a carrier can only link."""
        raise NotImplementedError("a subclass gives the carrier with wrong credentials")

    # What the tests are made of

    def can(self, carrier: Carrier, capability: Capability) -> bool:
        return capability in carrier.capabilities

    def request(self, **changes: Any) -> CarrierOrderRequest:
        """Something to carry, with a reference of its own."""
        item = PackedItem(title="Thing", sku="T-1", quantity=2, value=Decimal("10.00"), weight=300)
        values: dict[str, Any] = {
            "reference": f"T{uuid.uuid4().hex[:18]}",
            "order_number": "100017",
            "recipient": self.recipient,
            "packages": (Package(number=1, weight=600, length=20, width=15, height=10, items=(item,)),),
            "currency": "RUB",
            "shipping_code": "standard",
            "shipping_name": "Standard",
        }
        return CarrierOrderRequest(**{**values, **changes})

    def tracked(self, carrier: Carrier, code: str) -> Tracked:
        [found] = carrier.track([code])
        assert found.code == code
        return found

    def forge(self, received: Received) -> list[Received]:
        """Messages that a forger could make of a genuine one. Override it where the proof covers other things."""
        headers, body, query = received
        return [(headers, body + b" ", query), ({}, body, {})]

    def refused(self, call: Callable[[], Any]) -> AdapterRejected:
        """The call is rejected, with a message that tells no secret."""
        with pytest.raises(AdapterRejected) as caught:
            call()
        assert str(caught.value)
        self.tells_nothing(str(caught.value), repr(caught.value))
        return caught.value

    def asks(self, carrier: Carrier) -> bool:
        """Whether it can be asked for parcels; asking one that cannot is refused."""
        if self.can(carrier, Capability.TRACK):
            return True
        self.refused(lambda: carrier.track(list(self.codes.values())[:1]))
        return False

    def orders(self, carrier: Carrier) -> bool:
        """Whether it takes orders; one that does not refuses whatever has to do with them."""
        if self.can(carrier, Capability.CREATE_ORDER):
            return True
        self.refused(lambda: carrier.create_order(self.request(), key=new_key()))
        self.refused(lambda: carrier.fetch_order("1"))
        self.refused(lambda: carrier.find_order("1"))
        return False

    def tells_nothing(self, *texts: str) -> None:
        assert not [secret for secret in self.secrets if any(secret in text for text in texts)]

    def sound(self, tracked: Tracked) -> None:
        """Whatever the carrier said, its answer is data that we can keep and show."""
        assert tracked.problem in ("", "not_found")
        assert not (tracked.problem and tracked.events)
        for event in tracked.events:
            assert isinstance(event.state, TrackingState)
            assert isinstance(event.occurred_at, datetime)
            assert event.occurred_at.tzinfo is not None
            assert event.code
            for field in fields(TrackingEvent):
                value = getattr(event, field.name)
                if isinstance(value, str):
                    assert len(value) <= MAX_TEXT, field.name
                    assert value.isprintable(), field.name
                    assert value == value.strip(), field.name
            # Codes and ids are keys, not texts: short, and nothing in them that could be markup.
            assert len(event.code) <= 64
            assert len(event.external_id) <= 64
            assert not set("<>\"'&") & set(event.code + event.external_id)


def identity(event: TrackingEvent) -> tuple[Any, ...]:
    """What makes an event the same event when it is read again."""
    return (event.code, event.occurred_at, event.external_id)
