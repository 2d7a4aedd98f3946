"""Datatrans (Switzerland): TWINT, cards with 3-D Secure and PostFinance on Datatrans' own page, by its JSON API v1.

    OSCAR_FULFILLMENT = {"GATEWAYS": {"datatrans": {
        "BACKEND": "oscar_fulfillment.gateways.datatrans.DatatransGateway",
        "OPTIONS": {"merchant_id": "1100000000", "password": "...", "sign_keys": ["<hex>"]},
    }}}

What is special here:

* A transaction is asked for by Datatrans' id only: there is no search by our reference (``refno``), so FIND is missing.
  A start whose answer was lost does no harm: without its id nobody can pay it, and it dies after 30 minutes.
* Datatrans keeps idempotency keys for 60 minutes. What is repeated later is checked against its books instead: a
  settlement or cancellation that was done is not done again, and a refund is refused if the books hold one, older than
  that, which ``payment`` (the caller's view from before the first try) does not know.
* The settlement is one: settling less than was authorized ends the hold.
* Webhooks come after each authorization, refusal or cancellation by the buyer; not for settlements, refunds and
  timeouts, nor for chargebacks, which Datatrans does not know of (the acquirer tells the merchant).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
)
from oscar_fulfillment.core.http import READ, HttpClient, segment

from .base import (
    Capability,
    Gateway,
    Hint,
    Item,
    PaymentRequest,
    PaymentState,
    RemotePayment,
    RemoteRefund,
)
from .datatrans_documents import ERRORS, ID, credits_of, remote_payment, word
from .datatrans_wire import REFNO, page_of, parse, positive, refund_reference, told, verify

#: Datatrans forgets idempotency keys after 60 minutes; five are left for clocks that differ.
KEYS_LAST = timedelta(minutes=55)
#: Languages of the payment page.
LANGUAGES = frozenset(
    {"ar", "da", "de", "el", "en", "es", "fi", "fr", "hu", "it", "ja", "ko", "nl", "no", "pl", "pt", "ru", "sk", "sl"}
    | {"sv", "tr", "zh"}
)

_ALL = frozenset(Capability) - {Capability.FIND}
#: method -> (label, capabilities, Datatrans' codes, currencies or none for any).
_METHODS: dict[str, tuple[Any, frozenset[Capability], tuple[str, ...], frozenset[str]]] = {
    "twint": (gettext_lazy("TWINT"), _ALL, ("TWI",), frozenset({"CHF"})),
    "card": (gettext_lazy("Card"), _ALL, ("VIS", "ECA"), frozenset()),
    # Only the settlement of the whole sum is documented.
    "postfinance": (
        gettext_lazy("PostFinance"), _ALL - {Capability.PARTIAL_CAPTURE}, ("PFC",), frozenset({"CHF", "EUR"}),
    ),
}  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)


class DatatransGateway(Gateway):
    """One Datatrans merchant. Options:

    ``merchant_id``, ``password``: of the server-to-server API.
    ``sign_keys``: the HMAC keys (hex) of the webhooks; several while one is being changed. Without one every
    notification is refused.
    ``methods``: those the account has a contract for, of twint, card, postfinance. ``card_brands``: Datatrans' codes.
    ``currencies``: of the account. ``hold_days``: days an authorization lasts, by method; Datatrans does not tell, its
    documentation says up to 30, some acquirers decline after a few: the default is 7.
    ``base_url``: ``https://api.sandbox.datatrans.com`` for tests. ``pay_url``: of the payment page, from ``base_url``
    unless given. ``timeout``: seconds to wait for an answer.
    """

    name = "Datatrans"

    def __init__(
        self,
        *,
        alias: str,
        merchant_id: str,
        password: str,
        sign_keys: Iterable[str] | str = (),
        methods: Iterable[str] = tuple(_METHODS),
        card_brands: Sequence[str] = ("VIS", "ECA"),
        currencies: Iterable[str] = ("CHF",),
        hold_days: Mapping[str, int] | None = None,
        base_url: str = "https://api.datatrans.com",
        pay_url: str = "",
        timeout: float = READ,
        clock: Callable[[], datetime] = _now,
    ):
        super().__init__(alias=alias)
        if not re.fullmatch(r"[0-9]{4,20}", str(merchant_id), re.ASCII) or not password:
            raise ConfigurationError(f"{alias}: merchant_id is the number of the merchant, password must not be empty")
        try:
            keys = [sign_keys] if isinstance(sign_keys, str) else list(sign_keys)
            self._keys = [bytes.fromhex(key) for key in keys if key]
        except (TypeError, ValueError):
            # "from None": the cause would quote the key.
            raise ConfigurationError(f"{alias}: sign_keys are hexadecimal, as the dashboard shows them") from None
        wanted, accepted = list(methods), list(currencies)
        if not wanted or not set(wanted) <= set(_METHODS) or not set(hold_days or {}) <= set(_METHODS):
            raise ConfigurationError(f"{alias}: methods and the keys of hold_days are of {', '.join(_METHODS)}")
        if isinstance(card_brands, str) or not all(
            re.fullmatch(r"[A-Z]{3}", code) for code in (*card_brands, *accepted)
        ):
            raise ConfigurationError(f"{alias}: card_brands and currencies are lists such as ['VIS', 'ECA'], ['CHF']")
        self.methods = {code: _METHODS[code][:2] for code in wanted}
        self.currencies = frozenset(accepted)
        self._codes = {code: list(card_brands if code == "card" else _METHODS[code][2]) for code in wanted}
        self._hold_days = {**dict.fromkeys(_METHODS, 7), **(hold_days or {})}
        self._clock = clock
        self._pay_url = (pay_url or page_of(base_url)).rstrip("/")
        credentials = b64encode(f"{merchant_id}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        self.http = HttpClient(base_url, headers=headers, read=timeout, name="Datatrans")

    def start(self, request: PaymentRequest, *, key: str) -> RemotePayment:
        """Begin; the page closes after 30 minutes, whatever ``expires_at`` wishes."""
        amount = self._checked(request.method, request.amount, request.currency)
        if not REFNO.fullmatch(request.reference):
            raise AdapterRejected(
                _("A reference for Datatrans has 1 to 40 letters, digits, dots, dashes or underscores.")
            )
        body: dict[str, Any] = {
            "currency": request.currency,
            "refno": request.reference,
            "amount": amount,
            "autoSettle": not request.hold,
            "paymentMethods": self._codes[request.method],
            "redirect": dict.fromkeys(("successUrl", "cancelUrl", "errorUrl"), request.return_url),
        }
        if request.notification_url:
            body["webhook"] = {"url": request.notification_url}
        if (language := request.buyer.language[:2].lower()) in LANGUAGES:
            body["language"] = language
        if request.buyer.email:
            body["customer"] = {"email": request.buyer.email}
        external_id = word(self._post("/v1/transactions", body, key), "transactionId")
        if not ID.fullmatch(external_id):
            raise AdapterUnanswered("Datatrans' answer holds no transaction")
        return RemotePayment(
            external_id=external_id,
            state=PaymentState.PENDING,
            amount=request.amount,
            currency=request.currency,
            reference=request.reference,
            method=request.method,
            raw_status="initialized",
            redirect_url=f"{self._pay_url}/v1/start/{external_id}",
        )

    def fetch(self, external_id: str) -> RemotePayment:
        return self._payment(self._document(external_id))

    def capture(
        self, payment: RemotePayment, amount: Decimal, *, key: str, items: Sequence[Item] = ()
    ) -> RemotePayment:
        """Settle. Done already with the same sum: the payment as it is."""
        now = self.fetch(payment.external_id)
        if now.captured:
            if now.captured == amount:
                return now
            raise AdapterRejected(
                _("Datatrans has already settled %(amount)s %(currency)s of this payment.")
                % {"amount": now.captured, "currency": now.currency}
            )
        if now.state != PaymentState.AUTHORIZED:
            raise _nothing_held(now)
        if amount > now.authorized:
            raise AdapterRejected(
                _("Only %(amount)s %(currency)s are held.") % {"amount": now.authorized, "currency": now.currency}
            )
        if amount != now.authorized and Capability.PARTIAL_CAPTURE not in self.capabilities(now.method):
            raise AdapterRejected(_("This method of payment can only be captured as a whole."))
        body = {"amount": positive(amount, now.currency), "currency": now.currency, "refno": now.reference}
        self._post(f"/v1/transactions/{segment(now.external_id)}/settle", body, key)
        return self._afterwards(now)

    def void(self, payment: RemotePayment, *, key: str) -> RemotePayment:
        """Cancel an authorization. Datatrans would cancel a settlement of the same day as well; this never does."""
        now = self.fetch(payment.external_id)
        if now.state == PaymentState.CANCELLED:
            return now
        if now.state == PaymentState.PENDING:
            raise AdapterRejected(_("Datatrans closes an unpaid payment by itself 30 minutes after it began."))
        if now.state != PaymentState.AUTHORIZED:
            raise _nothing_held(now)
        self._post(f"/v1/transactions/{segment(now.external_id)}/cancel", {"refno": now.reference}, key)
        return self._afterwards(now)

    def refund(
        self, payment: RemotePayment, amount: Decimal, *, key: str, reason: str = "", items: Sequence[Item] = ()
    ) -> RemoteRefund:
        """Credit. ``payment`` must be the view from before the first try (see the module)."""
        document = self._document(payment.external_id)
        now = self._payment(document)
        if now.state not in (PaymentState.CAPTURED, PaymentState.REFUNDED):
            raise AdapterRejected(
                _("Nothing was paid that could be given back (Datatrans says: %(status)s).")
                % {"status": now.raw_status}
            )
        if amount > now.captured:
            raise AdapterRejected(
                _("Only %(amount)s %(currency)s were paid.") % {"amount": now.captured, "currency": now.currency}
            )
        self._refuse_unknown_refunds(document, payment)
        body = {"amount": positive(amount, now.currency), "currency": now.currency, "refno": refund_reference(key)}
        answer = self._post(f"/v1/transactions/{segment(now.external_id)}/credit", body, key)
        external_id = word(answer, "transactionId")
        if not external_id:
            raise AdapterUnanswered("Datatrans' answer holds no refund")
        return RemoteRefund(external_id=external_id, amount=amount, state="done", reason=reason, key=key)

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        verify(headers, body, self._keys)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hint:
        return parse(headers, body)

    # The wire

    def _payment(self, document: Any) -> RemotePayment:
        return remote_payment(document, pay_url=self._pay_url, hold_days=self._hold_days)

    def _document(self, external_id: str) -> dict[str, Any]:
        if not ID.fullmatch(external_id):
            raise AdapterRejected(str(ERRORS["TRANSACTION_NOT_FOUND"]), status=404)
        try:
            document = self.http.get(f"/v1/transactions/{segment(external_id)}")
        except AdapterRejected as error:
            raise told(error) from error
        if word(document, "type") not in ("", "payment"):
            raise AdapterRejected(str(ERRORS["TRANSACTION_NOT_FOUND"]), status=404)
        return document

    def _post(self, path: str, body: Mapping[str, Any], key: str) -> Any:
        try:
            return self.http.post(path, body, headers={"Idempotency-Key": key})
        except AdapterRejected as error:
            raise told(error) from error

    def _afterwards(self, before: RemotePayment) -> RemotePayment:
        """The payment after a change that Datatrans has confirmed."""
        try:
            return self.fetch(before.external_id)
        except AdapterUnavailable as error:
            raise AdapterUnanswered(str(error)) from error

    def _checked(self, method: str, amount: Decimal, currency: str) -> int:
        if method not in self.methods:
            raise AdapterRejected(_("The Datatrans account does not have this method of payment."))
        if any(currency not in allowed for allowed in (_METHODS[method][3], self.currencies) if allowed):
            raise AdapterRejected(
                _("%(method)s cannot be paid in %(currency)s.") % {"method": method, "currency": currency}
            )
        return positive(amount, currency)

    def _refuse_unknown_refunds(self, document: Mapping[str, Any], payment: RemotePayment) -> None:
        """Refuse if there is a refund that the caller does not know and no key protects any more."""
        known = payment.refunded
        for when, amount in credits_of(document):
            if known >= amount:
                known -= amount
            elif when is None or when < self._clock() - KEYS_LAST:
                raise AdapterRejected(
                    _("Datatrans gave back %(amount)s %(currency)s that is not recorded here. Fetch the payment first.")
                    % {"amount": amount, "currency": payment.currency}
                )


def _nothing_held(now: RemotePayment) -> AdapterRejected:
    return AdapterRejected(
        _("Nothing is held for this payment (Datatrans says: %(status)s).") % {"status": now.raw_status}
    )
