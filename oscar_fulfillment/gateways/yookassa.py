"""YooKassa (API v3): cards and wallets with deferred payment, and the Faster Payments System (SBP).

The buyer pays on YooKassa's page. Facts below are from its API reference and guides (yookassa.ru/developers).

*A lost answer.* Every POST carries our key as ``Idempotence-Key``, which YooKassa honours for 24 hours: until then the
same call is repeated, and nothing happens twice. Later: ``capture`` and ``void`` are refused by YooKassa and answered
from how the payment stands; ``refund`` looks for its key among the payment's refunds before each call, so it can be
repeated at any time; for ``start`` ask ``find`` first.

*Notifications are not signed*, and their address is set in the merchant profile, not per payment. They are hints: the
payment is fetched. ``check_sender`` additionally wants them to come from YooKassa's networks; the view has to put the
address of the client (not one that the client claims) into the header ``x-fulfillment-remote-addr``.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnavailable,
    ConfigurationError,
    WebhookVerificationFailed,
)
from oscar_fulfillment.core.http import HttpClient, segment

from .base import Capability, Gateway, Hint, Item, PaymentRequest, PaymentState, RemotePayment, RemoteRefund, to_minor
from .receipts54 import ReceiptRules, contact, partial_receipt, receipt
from .yookassa_mapping import ID, explained, hint_from, payment_body, payment_from, refund_from, with_refunds

BASE_URL = "https://api.yookassa.ru/v3"
REMOTE_ADDRESS = "x-fulfillment-remote-addr"
#: Where notifications come from (guide "Incoming notifications").
NETWORKS = (
    "185.71.76.0/27", "185.71.77.0/27", "77.75.153.0/25", "77.75.154.128/25", "77.75.156.11/32", "77.75.156.35/32",
    "2a02:5180::/32",
)  # fmt: skip
_PAID_BACK = frozenset({Capability.REFUND, Capability.PARTIAL_REFUND, Capability.FIND, Capability.NOTIFY})
#: VOID gives a hold back. A payment that nobody has paid cannot be closed; it runs out by itself within the hour.
_HELD = _PAID_BACK | {Capability.HOLD, Capability.PARTIAL_CAPTURE, Capability.VOID}
METHODS: dict[str, tuple[Any, frozenset[Capability]]] = {
    "bank_card": (_("Bank card"), _HELD),
    "sbp": (_("Faster Payments System (SBP)"), _PAID_BACK),
    "yoo_money": (_("YooMoney wallet"), _HELD),
}
#: Largest payments in roubles; YooKassa raises them on request (then ``limits`` says so).
LIMITS = {"bank_card": Decimal(350_000), "sbp": Decimal(700_000), "yoo_money": Decimal(250_000)}
MINIMUM = Decimal(1)
_KEY = re.compile(r"[0-9A-Za-z_.-]{1,64}", re.ASCII)
#: Objects in one page of a list (the most there are), and pages before a search is given up.
_PAGE, _PAGES = 100, 50


class YooKassa(Gateway):
    """One shop at YooKassa.

    ``receipts`` holds the arguments of :class:`ReceiptRules` (``{"vat_code": 4}``); without it no receipts are sent.
    ``find`` looks back ``find_days`` days.
    """

    name = _("YooKassa")

    def __init__(
        self,
        *,
        shop_id: str,
        secret_key: str,
        base_url: str = BASE_URL,
        currency: str = "RUB",
        methods: Sequence[str] = tuple(METHODS),
        limits: Mapping[str, Any] | None = None,
        receipts: Mapping[str, Any] | None = None,
        check_sender: bool = False,
        networks: Sequence[str] = NETWORKS,
        find_days: int = 3,
        read_timeout: float = 30.0,
        **options: Any,
    ):
        super().__init__(**options)
        if not str(shop_id or "").isalnum() or not isinstance(secret_key, str) or not secret_key:
            raise ConfigurationError("YooKassa needs shop_id and secret_key")
        unknown = [method for method in (*methods, *(limits or {})) if method not in METHODS]
        if unknown or not methods:
            raise ConfigurationError(f"YooKassa: {unknown} are no methods of {sorted(METHODS)}")
        self.methods = {method: METHODS[method] for method in methods}
        self.currencies = frozenset({currency})
        try:
            given = {method: Decimal(str(limit)) for method, limit in (limits or {}).items()}
            self.limits = {**(LIMITS if currency == "RUB" else {}), **given}
            self.rules = ReceiptRules(**receipts) if receipts else None
            self.networks = [ipaddress.ip_network(network) for network in networks]
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ConfigurationError(f"YooKassa: {error}") from error
        self.check_sender, self.find_days = check_sender, find_days
        token = base64.b64encode(f"{shop_id}:{secret_key}".encode()).decode()
        self._http = HttpClient(
            base_url, headers={"Authorization": f"Basic {token}"}, read=read_timeout, name=f"YooKassa {self.alias}"
        )

    # Beginning and asking

    def start(self, request: PaymentRequest, *, key: str) -> RemotePayment:
        """Begin a payment. ``request.notification_url`` and ``expires_at`` are YooKassa's own business: not sent."""
        if request.method not in self.methods:
            raise AdapterRejected(gettext("YooKassa has no method {method}.").format(method=request.method))
        if request.hold and Capability.HOLD not in self.capabilities(request.method):
            raise AdapterRejected(gettext("Money cannot be held with {method}.").format(method=request.method))
        amount = self._amount(request.amount, request.currency)
        limit = self.limits.get(request.method)
        if limit is not None and not MINIMUM <= request.amount <= limit:
            raise AdapterRejected(
                gettext("{method} takes {minimum} to {maximum} {currency}.").format(
                    method=request.method, minimum=MINIMUM, maximum=limit, currency=request.currency
                )
            )
        customer = contact(request.buyer) if self.rules else {}
        body = payment_body(request, amount, customer)
        if self.rules:
            body["receipt"] = receipt(self.rules, request.items, request.amount, request.currency, customer)
        return payment_from(self._post("/payments", body, key))

    def fetch(self, external_id: str) -> RemotePayment:
        return self._whole(self._document(external_id))

    def find(self, reference: str) -> RemotePayment | None:
        """The newest payment with our reference among those of the last ``find_days`` days; None: none among them.

        YooKassa cannot search by metadata, so its list is read, newest first. ``AdapterUnavailable`` when it is too
        long to be read to its end: then None would be a guess.
        """
        since = datetime.now(UTC) - timedelta(days=self.find_days)
        stamp = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for document in self._list("/payments", {"created_at.gte": stamp}):
            metadata = document.get("metadata")
            if isinstance(metadata, Mapping) and metadata.get("reference") == reference:
                return self._whole(document)
        return None

    # Taking and giving back

    def capture(
        self, payment: RemotePayment, amount: Decimal, *, key: str, items: Sequence[Item] = ()
    ) -> RemotePayment:
        """Take ``amount``, once; the rest goes back to the buyer. With receipts on, a part needs its ``items``."""
        body: dict[str, Any] = {"amount": self._amount(amount, payment.currency)}
        if amount > payment.authorized:
            raise AdapterRejected(
                gettext("{amount} {currency} cannot be captured: {held} {currency} are held.").format(
                    amount=amount, held=payment.authorized, currency=payment.currency
                )
            )
        # The receipt of the start stands for the whole sum.
        if self.rules and (items or amount != payment.amount):
            body["receipt"] = receipt(self.rules, items, amount, payment.currency, self._customer(payment.external_id))
        return self._change(payment, "capture", body, key, lambda now: now.captured == amount)

    def void(self, payment: RemotePayment, *, key: str) -> RemotePayment:
        """Give a hold back. A payment that nobody has paid is refused: it runs out by itself."""
        return self._change(payment, "cancel", {}, key, lambda now: now.state == PaymentState.CANCELLED)

    def refund(
        self, payment: RemotePayment, amount: Decimal, *, key: str, reason: str = "", items: Sequence[Item] = ()
    ) -> RemoteRefund:
        """Give ``amount`` back. With receipts on, a part's receipt lists ``items``, or else every line by its share."""
        body: dict[str, Any] = {"payment_id": payment.external_id, "amount": self._amount(amount, payment.currency)}
        before = self._refunds(payment.external_id)
        done = next((found for found in before if found.key == key), None)
        if done:
            return done
        left = payment.captured - sum(found.amount for found in before if found.state != "failed")
        if amount > left:
            raise AdapterRejected(
                gettext("{amount} {currency} cannot be given back: {left} {currency} are left.").format(
                    amount=amount, left=left, currency=payment.currency
                )
            )
        body["metadata"] = {"key": key[:512]}
        if reason:
            body["description"] = reason[:250]
        if self.rules and (items or amount != payment.captured):
            customer = self._customer(payment.external_id)
            if items:
                body["receipt"] = receipt(self.rules, items, amount, payment.currency, customer)
            else:
                lines = list(self._receipt_lines(payment.external_id))
                body["receipt"] = partial_receipt(self.rules, lines, amount, payment.currency, customer)
        return refund_from(self._post("/refunds", body, key))

    # Being told

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        """Nothing is signed: returns, unless ``check_sender`` is on and the client is in none of the networks."""
        if not self.check_sender:
            return
        try:
            address = ipaddress.ip_address(headers.get(REMOTE_ADDRESS, "").strip())
        except ValueError as error:
            raise WebhookVerificationFailed("the sender's address is missing or unreadable") from error
        address = getattr(address, "ipv4_mapped", None) or address
        if not any(address in network for network in self.networks):
            raise WebhookVerificationFailed("the sender is not in YooKassa's networks")

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hint:
        return hint_from(body)

    # How it is asked

    def _amount(self, amount: Decimal, currency: str) -> dict[str, str]:
        if currency not in self.currencies:
            raise AdapterRejected(gettext("This account does not take {currency}.").format(currency=currency))
        if to_minor(amount, currency) <= 0:
            raise AdapterRejected(gettext("The sum has to be more than zero."))
        return {"value": f"{amount:.2f}", "currency": currency}

    def _post(self, path: str, body: Mapping[str, Any], key: str) -> Any:
        # The header takes 64 plain characters; any other key goes as its hash, the same each time.
        sent = key if _KEY.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            return self._http.post(path, body, headers={"Idempotence-Key": sent})
        except AdapterRejected as error:
            raise explained(error) from error

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        try:
            return self._http.get(path, query=query)
        except AdapterRejected as error:
            raise explained(error) from error

    def _list(self, path: str, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        cursor: dict[str, Any] = {}
        for _page in range(_PAGES):
            page = self._get(path, {**query, "limit": _PAGE, **cursor})
            items = page.get("items") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise AdapterUnavailable("YooKassa sent no list")
            yield from (item for item in items if isinstance(item, dict))
            if not page.get("next_cursor"):
                return
            cursor = {"cursor": page["next_cursor"]}
        raise AdapterUnavailable(f"YooKassa's list is longer than {_PAGE * _PAGES}")

    def _document(self, external_id: str) -> Mapping[str, Any]:
        if not ID.fullmatch(external_id):
            raise AdapterRejected(gettext("YooKassa has no such payment."), status=404)
        document: Mapping[str, Any] = self._get(f"/payments/{segment(external_id)}")
        return document

    def _whole(self, document: Mapping[str, Any]) -> RemotePayment:
        """The payment with its refunds: one that waits or failed shows in no total of the payment."""
        payment = payment_from(document)
        if payment.captured:
            return with_refunds(payment, self._refunds(payment.external_id))
        return payment

    def _refunds(self, external_id: str) -> list[RemoteRefund]:
        return [refund_from(document) for document in self._list("/refunds", {"payment_id": external_id})]

    def _receipt_lines(self, external_id: str) -> Iterator[Mapping[str, Any]]:
        for document in self._list("/receipts", {"payment_id": external_id}):
            if document.get("type") == "payment" and isinstance(document.get("items"), list):
                yield from (line for line in document["items"] if isinstance(line, dict))

    def _customer(self, external_id: str) -> dict[str, str]:
        metadata = self._document(external_id).get("metadata") or {}
        return {name: str(metadata[name]) for name in ("email", "phone") if metadata.get(name)}

    def _change(
        self,
        payment: RemotePayment,
        verb: str,
        body: Mapping[str, Any],
        key: str,
        done: Callable[[RemotePayment], bool],
    ) -> RemotePayment:
        """POST a step; one that is refused because it was done earlier (its key is forgotten) counts as done."""
        try:
            return payment_from(self._post(f"/payments/{segment(payment.external_id)}/{verb}", body, key))
        except AdapterRejected as error:
            if error.status != 400:
                raise
            now = self.fetch(payment.external_id)
            if not done(now):
                raise
            return now
