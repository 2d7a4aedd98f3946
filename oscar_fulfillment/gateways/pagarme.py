"""Pagar.me (core v5): cards on Pagar.me's own page, Pix and boleto.

    "pagarme": {
        "BACKEND": "oscar_fulfillment.gateways.pagarme.PagarMe",
        "OPTIONS": {"secret_key": "sk_...", "webhook_credentials": ["user:password"]},
    }

The hook is set up in Pagar.me's dashboard: this shop's address for notifications, authentication by user and password,
all events of orders, charges and checkouts. Pagar.me knows no address per payment, ``notification_url`` is not used.

Idempotency keys hold for 24 hours there: repeat a call that got no answer within that time, later ask first.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.core.http import HttpClient, segment
from oscar_fulfillment.core.signatures import verify_token

from .base import Capability, Gateway, Hint, Item, PaymentRequest, PaymentState, RemotePayment, RemoteRefund, to_minor
from .pagarme_charges import (
    CURRENCY,
    FAILED,
    Clocks,
    came_in,
    charge_state,
    reason_of,
    refund_of,
    status_of,
    transaction_of,
)
from .pagarme_orders import charges_of, checkout_of, hint_of, is_hold, payment_of
from .pagarme_requests import order_to_make

BASE_URL = "https://api.pagar.me/core/v5"

_ALWAYS = frozenset({Capability.VOID, Capability.FIND, Capability.NOTIFY})
_BACK = frozenset({Capability.REFUND, Capability.PARTIAL_REFUND})
METHODS: dict[str, tuple[Any, frozenset[Capability]]] = {
    "card": (_("Card"), _ALWAYS | _BACK | {Capability.HOLD, Capability.PARTIAL_CAPTURE}),
    "pix": (_("Pix"), _ALWAYS | _BACK),
    # A boleto is refunded to a bank account of the buyer, which no shop of Oscar knows.
    "boleto": (_("Boleto"), _ALWAYS),
}
#: The longest order code they take.
MAX_REFERENCE = 52


class PagarMe(Gateway):
    """One Pagar.me account.

    ``webhook_credentials``: ``"user:password"`` of the hook, several while they are changed. ``methods``: a part of
    card, pix, boleto. ``installments``: in how many parts without interest a card may pay. ``hold_days``: how long the
    acquirer holds a sum (Pagar.me says five days, and tells nobody when a hold is gone). ``boleto_clearing_days``: how
    long after its due date a boleto's payment may still be on its way between the banks.
    """

    name = "Pagar.me"
    currencies = frozenset({CURRENCY})

    def __init__(
        self,
        *,
        alias: str,
        secret_key: str,
        webhook_credentials: Sequence[str] = (),
        base_url: str = BASE_URL,
        methods: Sequence[str] = ("card", "pix", "boleto"),
        installments: int = 1,
        statement_descriptor: str = "",
        hold_days: int = 5,
        boleto_clearing_days: int = 3,
    ):
        super().__init__(alias=alias)
        if not isinstance(secret_key, str) or not re.fullmatch(r"sk_\w+", secret_key, re.ASCII):
            raise ConfigurationError(f"{alias}: secret_key has to be Pagar.me's secret key (sk_...)")
        if isinstance(webhook_credentials, str) or not all(
            isinstance(pair, str) and re.fullmatch(r"[^:]+:.+", pair) for pair in webhook_credentials
        ):
            raise ConfigurationError(f"{alias}: webhook_credentials has to be a list of user:password")
        if not methods or not set(methods) <= set(METHODS):
            raise ConfigurationError(f"{alias}: methods can be {', '.join(METHODS)}")
        if not 1 <= installments <= 24 or len(statement_descriptor) > 22 or hold_days < 1 or boleto_clearing_days < 0:
            raise ConfigurationError(f"{alias}: installments, statement_descriptor or a number of days is out of range")
        self.methods = {method: METHODS[method] for method in METHODS if method in methods}
        self._credentials = tuple(webhook_credentials)
        self._installments, self._descriptor = installments, statement_descriptor
        self._hold, self._clearing = timedelta(days=hold_days), timedelta(days=boleto_clearing_days)
        key = base64.b64encode(f"{secret_key}:".encode()).decode()
        self._http = HttpClient(base_url, headers={"Authorization": f"Basic {key}"}, name="Pagar.me")

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    # Asking

    def fetch(self, external_id: str) -> RemotePayment:
        return self._payment(self._order(external_id))

    def find(self, reference: str) -> RemotePayment | None:
        """The payment with our reference. Should there be several (a key that had expired), the one with the money."""
        answer = self._get("/orders", query={"code": reference, "size": 30})
        listed = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(listed, list):
            raise AdapterUnanswered("Pagar.me answered something that is no list")
        ids = [order.get("id") for order in listed if isinstance(order, Mapping) and order.get("code") == reference]
        found = [self.fetch(str(order_id)) for order_id in ids]
        return max(found, key=lambda payment: (payment.captured, payment.authorized, payment.raw_status), default=None)

    # Changing

    def start(self, request: PaymentRequest, *, key: str) -> RemotePayment:
        if request.method not in self.methods:
            raise AdapterRejected(f"{self.alias} has no method {request.method!r}")
        if request.currency != CURRENCY:
            raise AdapterRejected(f"Pagar.me takes {CURRENCY} only, not {request.currency}")
        if request.hold and Capability.HOLD not in self.capabilities(request.method):
            raise AdapterRejected(f"Pagar.me cannot hold a sum by {request.method}")
        if not 0 < len(request.reference) <= MAX_REFERENCE:
            raise AdapterRejected(f"Pagar.me takes references of at most {MAX_REFERENCE} characters")
        self._cents(request.amount)
        wanted = order_to_make(
            request, self.now(), installments=self._installments, statement_descriptor=self._descriptor
        )
        payment = self._payment(self._change("POST", "/orders", wanted, key))
        if payment.state == PaymentState.PENDING and not (payment.redirect_url or payment.instructions):
            raise AdapterUnanswered("Pagar.me has begun the payment, but does not say yet how to pay it")
        if payment.state in (PaymentState.REFUSED, PaymentState.REFUSED_ANTIFRAUD):
            raise AdapterRejected(f"Pagar.me could not make the payment: {payment.reason or payment.raw_status}")
        return payment

    def capture(
        self, payment: RemotePayment, amount: Decimal, *, key: str, items: Sequence[Item] = ()
    ) -> RemotePayment:
        order, cents = self._order(payment.external_id), self._cents(amount)
        charges = charges_of(order) if is_hold(order) else []
        # The one that is held; or the newest, so that a repeated capture is answered as the first was.
        charge = next((each for each in charges if self._state(each) == PaymentState.AUTHORIZED), None)
        charge = charge or (charges[-1] if charges else None)
        if charge is None:
            raise AdapterRejected("nothing is held for this payment")
        if cents > int(charge.get("amount") or 0):
            raise AdapterRejected(f"{amount} is more than is held ({payment.authorized})")
        done = self._change("POST", f"/charges/{segment(charge.get('id'))}/capture", {"amount": cents}, key)
        if status_of(transaction_of(done)) in FAILED:
            raise AdapterRejected(f"the capture was refused: {reason_of(done) or status_of(transaction_of(done))}")
        return self._payment(_with(order, done))

    def void(self, payment: RemotePayment, *, key: str) -> RemotePayment:
        """Give a hold back, or cancel a boleto, a Pix code, a page. Should the buyer pay between our look and the
        cancellation, Pagar.me refunds him: the answer then says REFUNDED."""
        order = self._order(payment.external_id)
        if any(came_in(charge) for charge in charges_of(order)):
            raise AdapterRejected("the money is in already: refund it instead")
        waiting = [charge for charge in charges_of(order) if status_of(charge) in ("pending", "processing")]
        for charge in waiting:
            number = charge.get("id")
            done = self._change("DELETE", f"/charges/{segment(number)}", None, f"{key}:{number}")
            if status_of(transaction_of(done)) in FAILED:
                raise AdapterRejected(f"the cancellation was refused: {reason_of(done)}")
            order = _with(order, done)
        if status_of(order) == "pending" and status_of(checkout_of(order)) == "open":
            path = f"/orders/{segment(payment.external_id)}/closed"
            order = self._change("PATCH", path, {"status": "canceled"}, key)
        return self._payment(order)

    def refund(
        self, payment: RemotePayment, amount: Decimal, *, key: str, reason: str = "", items: Sequence[Item] = ()
    ) -> RemoteRefund:
        order, cents = self._order(payment.external_id), self._cents(amount)
        now = self._payment(order)
        if Capability.REFUND not in METHODS.get(now.method, ("", frozenset()))[1]:
            raise AdapterRejected(f"Pagar.me cannot refund a payment by {now.method or 'an unknown method'}")
        paid = [charge for charge in charges_of(order) if came_in(charge)]
        if len(paid) > 1:
            raise AdapterRejected("the buyer has paid several times: refund each charge in Pagar.me's dashboard")
        if not paid or cents > came_in(paid[0]):
            raise AdapterRejected(f"{amount} is more than came in ({now.captured})")
        body = {"amount": cents, **({"reason": reason[:255]} if reason else {})}
        done = self._change("DELETE", f"/charges/{segment(paid[0].get('id'))}", body, key)
        refund = refund_of(done, CURRENCY, amount=cents)
        if refund is None:
            raise AdapterUnanswered(f"Pagar.me answered a refund with {status_of(transaction_of(done))!r}")
        return replace(refund, key=key)

    # Being told

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        """Pagar.me signs nothing: it sends the hook's user and password (HTTP Basic). So the body is a hint only."""
        scheme, _space, encoded = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, ValueError) as error:
            raise WebhookVerificationFailed("the credentials cannot be read") from error
        verify_token(given, self._credentials)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hint:
        return hint_of(body)

    # Between the lines

    def _payment(self, order: Any) -> RemotePayment:
        return payment_of(order, self._clocks())

    def _state(self, charge: Mapping[str, Any]) -> PaymentState:
        return charge_state(charge, self._clocks())

    def _clocks(self) -> Clocks:
        return Clocks(self.now(), self._clearing, self._hold)

    def _cents(self, amount: Decimal) -> int:
        cents = to_minor(amount, CURRENCY)
        if cents <= 0:
            raise AdapterRejected(f"{amount} is no sum that can be paid")
        return cents

    def _order(self, external_id: str) -> Mapping[str, Any]:
        order = self._get(f"/orders/{segment(external_id)}")
        if not isinstance(order, Mapping):
            raise AdapterUnanswered("Pagar.me answered something that is no order")
        return order

    def _get(self, path: str, **options: Any) -> Any:
        try:
            return self._http.get(path, **options)
        except AdapterRejected as error:
            raise told(error) from None

    def _change(self, method: str, path: str, body: Any, key: str) -> Mapping[str, Any]:
        try:
            answer = self._http.request(method, path, json_body=body, headers={"Idempotency-Key": key}).json()
        except AdapterRejected as error:
            if error.status == 409:  # the same key is being worked on
                raise AdapterUnanswered("Pagar.me is still busy with this call") from None
            raise told(error) from None
        if not isinstance(answer, Mapping) or not isinstance(answer.get("id"), str):
            raise AdapterUnanswered("Pagar.me answered something that is no document of its own")
        return answer


def _with(order: Mapping[str, Any], charge: Mapping[str, Any]) -> dict[str, Any]:
    """The order with a charge as it is now: what a change of the charge answers."""
    known = [charge if each.get("id") == charge.get("id") else each for each in charges_of(order)]
    return {**order, "charges": known}


def told(error: AdapterRejected) -> AdapterRejected:
    """The same refusal with Pagar.me's words in its message."""
    try:
        document = json.loads(error.body)
    except (ValueError, RecursionError):
        document = None
    said: list[str] = []
    if isinstance(document, Mapping):
        said.append(str(document.get("message") or ""))
        errors = document.get("errors")
        for field, messages in errors.items() if isinstance(errors, Mapping) else ():
            said.append(f"{field}: {' '.join(map(str, messages)) if isinstance(messages, list) else messages}")
    text = re.sub(r"\s+", " ", "; ".join(filter(None, said)))[:300] or "no reason given"
    return AdapterRejected(f"Pagar.me refused ({error.status}): {text}", status=error.status, body=error.body)
