"""A payment provider in memory, for tests of a shop and of this app: no network, and every accident on demand.

gateways.get("demo").pay("100042-ab12")     # the buyer pays
gateways.get("demo").lose_answers(1)        # the next call is done, its answer lost
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    WebhookVerificationFailed,
)
from oscar_fulfillment.gateways.base import (
    Capability,
    Gateway,
    Hint,
    Item,
    PaymentRequest,
    PaymentState,
    RemotePayment,
    RemoteRefund,
)

TOKEN = "let me in"  # noqa: S105 (a test double's)


class FakeGateway(Gateway):
    """Holds, captures, refunds; ``effects`` counts what really happened, whatever was asked how often."""

    name = "Demo pay"
    methods = {
        "card": ("Card", frozenset(Capability)),
        "boleto": ("Boleto", frozenset({Capability.FIND, Capability.NOTIFY, Capability.VOID})),
        "whole": ("All or nothing", frozenset({Capability.HOLD, Capability.FIND, Capability.REFUND})),
    }

    def __init__(self, *, alias: str, hold_days: int = 7):
        super().__init__(alias=alias)
        self.hold_days = hold_days
        # A provider does one thing at a time to a payment, whoever asks at the same moment.
        self._books = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.payments: dict[str, RemotePayment] = {}
        self.keys: dict[str, Any] = {}
        self.effects: list[tuple[str, str, Decimal]] = []
        self.calls: list[str] = []
        self._lost, self._down, self._refused = 0, 0, ""

    # What a test lets happen

    def lose_answers(self, count: int = 1) -> None:
        """The next calls that change something are done, and their answers lost."""
        self._lost = count

    def go_down(self, count: int = 1) -> None:
        """The next calls do not reach the provider."""
        self._down = count

    def refuse(self, words: str) -> None:
        """The next call that changes something is refused."""
        self._refused = words

    def change(self, which: str, **values: Any) -> RemotePayment:
        """Let anything happen to a payment, by our reference or the provider's number."""
        key = next(k for k, p in self.payments.items() if which in (p.reference, k))
        self.payments[key] = replace(self.payments[key], **values)
        return self.payments[key]

    def pay(self, reference: str, amount: Decimal | None = None) -> RemotePayment:
        """The buyer pays (a hold: authorizes)."""
        key = next(k for k, p in self.payments.items() if reference in (p.reference, k))
        found = self.payments[key]
        amount = found.amount if amount is None else amount
        if self.keys[f"hold:{key}"]:
            until = timezone.now() + timedelta(days=self.hold_days)
            return self.change(key, state=PaymentState.AUTHORIZED, authorized=amount, hold_expires_at=until)
        return self.change(key, state=PaymentState.CAPTURED, authorized=amount, captured=found.captured + amount)

    # The protocol

    def start(self, request: PaymentRequest, *, key: str) -> RemotePayment:
        self._call("start")
        with self._books:
            if key not in self.keys:
                self._may_refuse()
                number = f"P{len(self.payments) + 1}"
                self.keys[key] = number
                self.keys[f"hold:{number}"] = request.hold
                self.payments[number] = RemotePayment(
                    number,
                    PaymentState.PENDING,
                    request.amount,
                    request.currency,
                    reference=request.reference,
                    method=request.method,
                    redirect_url=f"https://pay.example/{number}",
                    expires_at=request.expires_at,
                )
                self.effects.append(("start", number, request.amount))
            return self._answer(self.keys[key])

    def fetch(self, external_id: str) -> RemotePayment:
        self._call("fetch")
        if external_id not in self.payments:
            raise AdapterRejected("no such payment", status=404)
        return self.payments[external_id]

    def find(self, reference: str) -> RemotePayment | None:
        self._call("find")
        return next((p for p in list(self.payments.values()) if p.reference == reference), None)

    def capture(
        self, payment: RemotePayment, amount: Decimal, *, key: str, items: Sequence[Item] = ()
    ) -> RemotePayment:
        self._call("capture")
        with self._books:
            if key not in self.keys:
                self._may_refuse()
                now = self.payments[payment.external_id]
                if now.state != PaymentState.AUTHORIZED or amount > now.authorized:
                    raise AdapterRejected("more than is held", status=400)
                self.keys[key] = payment.external_id
                self.change(payment.external_id, state=PaymentState.CAPTURED, authorized=amount, captured=amount)
                self.effects.append(("capture", payment.external_id, amount))
            return self._answer(payment.external_id)

    def void(self, payment: RemotePayment, *, key: str) -> RemotePayment:
        self._call("void")
        with self._books:
            if key not in self.keys:
                self._may_refuse()
                if self.payments[payment.external_id].captured:
                    raise AdapterRejected("paid already", status=400)
                self.keys[key] = payment.external_id
                self.change(payment.external_id, state=PaymentState.CANCELLED, authorized=Decimal(0))
                self.effects.append(("void", payment.external_id, Decimal(0)))
            return self._answer(payment.external_id)

    def refund(
        self, payment: RemotePayment, amount: Decimal, *, key: str, reason: str = "", items: Sequence[Item] = ()
    ) -> RemoteRefund:
        self._call("refund")
        with self._books:
            if key not in self.keys:
                self._may_refuse()
                now = self.payments[payment.external_id]
                if now.refunded + amount > now.captured:
                    raise AdapterRejected("more than came in", status=400)
                refunded = now.refunded + amount
                state = PaymentState.REFUNDED if refunded == now.captured else now.state
                self.change(payment.external_id, refunded=refunded, state=state)
                self.keys[key] = RemoteRefund(f"R{len(self.keys)}", amount, "done", key=key)
                self.effects.append(("refund", payment.external_id, amount))
            self._may_lose()
            return self.keys[key]

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        if headers.get("x-token") != TOKEN:
            raise WebhookVerificationFailed("the token does not fit")

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hint:
        try:
            document = json.loads(body)
            return Hint(str(document.get("id", "")), str(document.get("payment", "")), str(document.get("ours", "")))
        except (ValueError, AttributeError) as error:
            raise AdapterRejected("cannot be read") from error

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self._down:
            self._down -= 1
            raise AdapterUnavailable("demo cannot be reached")

    def _may_refuse(self) -> None:
        if self._refused:
            words, self._refused = self._refused, ""
            raise AdapterRejected(words, status=400)

    def _may_lose(self) -> None:
        if self._lost:
            self._lost -= 1
            raise AdapterUnanswered("the answer was lost")

    def _answer(self, external_id: str) -> RemotePayment:
        self._may_lose()
        return self.payments[external_id]
