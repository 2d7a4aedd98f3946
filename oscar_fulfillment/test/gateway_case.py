"""What the contract of the gateways is made of: who plays the buyer, payments in each situation, hostile messages."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import pytest

from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.gateways.base import Buyer, Capability, Gateway, Item, PaymentRequest, RemotePayment

#: A notification as it arrives: headers (names in lower case), body, query.
Received = tuple[Mapping[str, str], bytes, Mapping[str, str]]

#: What anybody may send to an address that is open to all.
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<html>",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "half of UTF-16": b'{"id": "\\ud800"}',
    "null": b"null",
    "a number": b"17",
    "a list": b"[]",
    "lists": b'[[{"id": 1}]]',
    "an empty object": b"{}",
    "deep": b"[" * 100_000,
    "deep object": b'{"object":' * 50_000,
    "huge number": b'{"id": ' + b"9" * 5_000 + b"}",
    "not a number": b'{"id": NaN, "object": Infinity}',
    "objects for words": b'{"id": {"a": []}, "type": {}, "event": {}, "object": [], "data": "x"}',
    "words for objects": b'{"object": "x", "data": "x", "event": "payment.succeeded", "type": "payment"}',
    "nulls": b'{"id": null, "event": null, "type": null, "object": null, "data": null}',
    "numbers": b'{"id": 1, "event": 2, "type": 3, "object": 4, "data": 5}',
    "a path for an id": b'{"id": "../x", "type": "payment", "event": "payment.succeeded", "object": {"id": "../x"}, '
    b'"data": {"id": "../x"}}',
    "two megabytes": b'{"id": "' + b"x" * 2_000_000 + b'"}',
}


class Driver(Protocol):
    """Plays the buyer at the provider. ``payment`` is what ``start`` answered."""

    def approve(self, payment: RemotePayment) -> None:
        """The buyer pays (or the sum is held, as the shop asked)."""

    def refuse(self, payment: RemotePayment) -> None:
        """The issuer refuses, for good."""

    def expire(self, payment: RemotePayment) -> None:
        """The time to pay runs out."""

    def received(self) -> Sequence[Received]:
        """All notifications that the provider has sent so far, oldest first. Empty for one that sends none."""


class GatewayCase:
    """A gateway, who plays the buyer, and payments in each situation. Attributes are overridden by subclasses."""

    method = "card"
    currency = "EUR"
    amount = Decimal("100.00")
    part = Decimal("40.50")
    #: A currency that the account does not take; "": it takes any.
    other_currency = "XTS"
    #: False for a provider that signs nothing: its notifications are hints.
    signed = True
    #: Whether a final refusal can be provoked, and an expiry.
    can_refuse = True
    can_expire = True
    #: Texts that no repr and no message of an error may hold.
    secrets: tuple[str, ...] = ()
    payer = Buyer(
        email="anna@example.com", name="Anna Example", phone="+79990000000", country="RU", language="en",
        line1="Street 1", city="City", postcode="101000",
    )  # fmt: skip

    @pytest.fixture
    def gateway(self) -> Any:
        raise NotImplementedError("a subclass gives the gateway")

    @pytest.fixture
    def driver(self) -> Any:
        raise NotImplementedError("a subclass gives the driver")

    # What the tests are made of

    def request(self, **changes: Any) -> PaymentRequest:
        """A payment to begin, with a reference of its own."""
        amount = changes.get("amount", self.amount)
        values: dict[str, Any] = {
            "reference": f"T{uuid.uuid4().hex[:20]}",
            "order_number": "100017",
            "amount": amount,
            "currency": self.currency,
            "method": self.method,
            "return_url": "https://shop.example/back",
            "notification_url": "https://shop.example/notify",
            "description": "Order 100017",
            "buyer": self.payer,
            "items": [Item(title="Thing", quantity=1, total=amount, sku="T-1")],
        }
        return PaymentRequest(**{**values, **changes})

    def items(self, amount: Decimal) -> list[Item]:
        return [Item(title="Thing", quantity=1, total=amount, sku="T-1")]

    def can(self, gateway: Gateway, capability: Capability) -> bool:
        return capability in gateway.capabilities(self.method)

    def started(self, gateway: Gateway, **changes: Any) -> RemotePayment:
        return gateway.start(self.request(**changes), key=new_key())

    def held(self, gateway: Gateway, driver: Driver) -> RemotePayment:
        started = self.started(gateway, hold=True)
        driver.approve(started)
        return gateway.fetch(started.external_id)

    def paid(self, gateway: Gateway, driver: Driver) -> RemotePayment:
        started = self.started(gateway)
        driver.approve(started)
        return gateway.fetch(started.external_id)

    def forge(self, received: Received) -> list[Received]:
        """Messages that a forger could make of a genuine one. Override it where the signature covers other things."""
        headers, body, query = received
        return [(headers, body + b" ", query), ({}, body, {})]

    def refused(self, call: Callable[[], Any], status: int | None = None) -> None:
        """The call is rejected, with a message for people that tells no secret."""
        with pytest.raises(AdapterRejected) as caught:
            call()
        assert str(caught.value)
        assert not [secret for secret in self.secrets if secret in str(caught.value) or secret in repr(caught.value)]
        if status is not None:
            assert caught.value.status == status


def new_key() -> str:
    """An idempotency key that nobody has used."""
    return str(uuid.uuid4())


def same(payment: RemotePayment) -> tuple[Any, ...]:
    """What two views of one payment have to agree on."""
    return (payment.external_id, payment.reference, payment.state, payment.amount, payment.currency,
            payment.authorized, payment.captured, payment.refunded)  # fmt: skip
