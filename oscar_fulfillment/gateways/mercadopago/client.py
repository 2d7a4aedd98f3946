"""One Mercado Pago account.

A card is paid at a *preference*, a hosted checkout. It has no payment before the buyer tries, and may have several
afterwards: refused ones, or two approved ones. Its ``external_id`` is the preference's for ever, and what is fetched is
all attempts together (:func:`.documents.together`), found by our reference. Boleto and Pix are one payment with Mercado
Pago's number. A notification names a payment by its number; fetching the number of an attempt gives its whole checkout.

Nothing is held: ``capture: false`` belongs to the Payments API with card tokens, which would bring card data into the
shop; a preference has no such field.

Searches may be some seconds behind. The payment that a notification names is therefore read itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    ConfigurationError,
)
from oscar_fulfillment.core.http import READ, HttpClient, segment
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

from . import documents, notifications, requests
from .notifications import is_number

BASE_URL = "https://api.mercadopago.com"

_ABLE = frozenset({Capability.VOID, Capability.REFUND, Capability.PARTIAL_REFUND, Capability.FIND, Capability.NOTIFY})
#: Attempts read per page, and pages: a link under a card-testing attack has thousands of refused ones.
_PAGE, _PAGES = 100, 50
#: States in which there is still something to give up.
_OPEN = frozenset({PaymentState.PENDING, PaymentState.IN_REVIEW, PaymentState.AUTHORIZED, PaymentState.UNKNOWN})

T = TypeVar("T")


class MercadoPago(Gateway):
    """One Mercado Pago account.

    ``access_token``: of the application ("Your integrations"). ``webhook_secrets``: its secret signatures, the old one
    too while it is being changed. ``methods``: which of card, boleto and pix to offer. ``allow_unsigned``: take
    notifications without a signature as a hint (Mercado Pago does not sign those of QR codes); one with a wrong
    signature is refused all the same. ``timeout``: seconds to wait for each piece of an answer.
    """

    name = gettext_lazy("Mercado Pago")
    methods = {
        "card": (gettext_lazy("Credit or debit card"), _ABLE),
        "boleto": (gettext_lazy("Boleto"), _ABLE),
        "pix": (gettext_lazy("Pix"), _ABLE),
    }
    currencies = frozenset({"BRL"})

    def __init__(
        self,
        *,
        alias: str,
        access_token: str,
        webhook_secrets: Sequence[str] = (),
        methods: Sequence[str] = ("card", "boleto", "pix"),
        base_url: str = BASE_URL,
        allow_unsigned: bool = False,
        statement_descriptor: str = "",
        max_installments: int | None = None,
        timeout: float = READ,
    ):
        super().__init__(alias=alias)
        if not isinstance(access_token, str) or not re.fullmatch(r"[!-~]+", access_token):
            raise ConfigurationError(f"{alias}: access_token is missing or has characters that no token has")
        if not isinstance(webhook_secrets, (list, tuple)) or not all(
            isinstance(secret, str) and secret for secret in webhook_secrets
        ):
            raise ConfigurationError(f"{alias}: webhook_secrets is a list of texts that are not empty")
        if isinstance(methods, str) or not methods or not set(methods) <= set(self.methods):
            raise ConfigurationError(f"{alias}: methods is a list out of {', '.join(self.methods)}")
        if not isinstance(statement_descriptor, str) or len(statement_descriptor) > 22:
            raise ConfigurationError(f"{alias}: statement_descriptor has at most 22 characters")
        if max_installments is not None and not (isinstance(max_installments, int) and 1 <= max_installments <= 36):
            raise ConfigurationError(f"{alias}: max_installments is a number from 1 to 36")
        self.methods = {method: type(self).methods[method] for method in methods}
        self.allow_unsigned = allow_unsigned
        #: Tells the time by which a checkout without a payment has run out.
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._secrets = tuple(webhook_secrets)
        self._checkout_options: dict[str, Any] = {
            "statement_descriptor": statement_descriptor,
            "max_installments": max_installments,
        }
        self._http = HttpClient(
            base_url, headers={"Authorization": f"Bearer {access_token}"}, read=timeout, name=str(self.name)
        )

    def start(self, request: PaymentRequest, *, key: str) -> RemotePayment:
        requests.check(request, methods=self.methods, currencies=self.currencies)
        if request.method != "card":
            return _read(documents.payment, self._ask("POST", "/v1/payments", requests.payment(request), key=key))
        # No idempotency is promised for preferences, so the one that a lost answer left behind is looked for first.
        found = self._checkout_of(request.reference)
        if found is None:
            body = requests.preference(request, **self._checkout_options)
            return self._open(self._ask("POST", "/checkout/preferences", body, key=key))
        whole = self._whole(found)
        if (whole.amount, whole.currency) != (request.amount, request.currency):
            raise AdapterRejected(_("This payment was begun before with another sum."))
        return whole

    def fetch(self, external_id: str) -> RemotePayment:
        if not is_number(external_id):
            return self._whole(self._checkout(external_id))
        document = self._ask("GET", f"/v1/payments/{segment(external_id)}")
        found = _read(documents.payment, document)
        if found.reference and found.method not in ("boleto", "pix"):
            checkout = self._checkout_of(found.reference)
            if checkout is not None:
                return self._whole(checkout, fresh=document)
        return found

    def find(self, reference: str) -> RemotePayment | None:
        if not reference:
            return None
        checkout = self._checkout_of(reference)
        if checkout is not None:
            return self._whole(checkout)
        attempts = self._attempts(reference)
        return documents.together(documents.decide(attempts) or attempts[-1], attempts) if attempts else None

    def void(self, payment: RemotePayment, *, key: str) -> RemotePayment:
        now = self.fetch(payment.external_id)
        if now.captured:
            raise AdapterRejected(_("This payment has been paid. Refund it instead."))
        if is_number(now.external_id):
            if now.state not in _OPEN:
                return now
            return self._cancel(now.external_id, key)
        if now.state in (PaymentState.CANCELLED, PaymentState.EXPIRED):
            return now
        # First nobody can pay any more, then what is still under way is given up.
        checkout = self._checkout(now.external_id)
        path = f"/checkout/preferences/{segment(now.external_id)}"
        self._ask("PUT", path, requests.closed(checkout, self.clock()), key=key)
        for attempt in self._attempts(now.reference):
            if attempt.state in _OPEN:
                self._cancel(attempt.external_id, f"{key}-{attempt.external_id}")
        after = self.fetch(now.external_id)
        if after.captured:
            raise AdapterRejected(_("This payment has been paid. Refund it instead."))
        return replace(after, state=PaymentState.CANCELLED, redirect_url="")

    def refund(
        self, payment: RemotePayment, amount: Decimal, *, key: str, reason: str = "", items: Sequence[Item] = ()
    ) -> RemoteRefund:
        requests.check_amount(amount, payment.currency)
        if payment.captured and amount > payment.captured:
            raise AdapterRejected(_("No more than was paid can be refunded."))
        if is_number(payment.external_id):
            return self._refund(payment.external_id, amount, key)
        # Of several payments the oldest that can give the sum back. One that has not enough left is asked all the same:
        # with this key it may be the very one that gave, and then it answers what it answered before.
        reference = payment.reference or self._open(self._checkout(payment.external_id)).reference
        attempts = [one for one in self._attempts(reference) if one.captured >= amount]
        for attempt in attempts:
            try:
                return replace(self._refund(attempt.external_id, amount, f"{key}-{attempt.external_id}"), key=key)
            except AdapterRejected as error:
                able = attempt.state is PaymentState.CAPTURED and attempt.captured - attempt.refunded >= amount
                if able or error.status not in (400, 404):
                    raise
        raise AdapterRejected(_("No single payment of this checkout has so much left to refund."))

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        if not headers.get("x-signature", "").strip() and self.allow_unsigned:
            return
        notifications.verify(headers, query, self._secrets)

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hint:
        return notifications.hint(body, query)

    # Calls

    def _ask(self, method: str, path: str, body: Any = None, *, key: str = "", query: Any = None) -> documents.Document:
        # Keys longer than the 64 characters that Mercado Pago takes keep their meaning as a digest.
        key = key if len(key) <= 64 else hashlib.sha256(key.encode()).hexdigest()
        try:
            if method == "GET":
                answer = self._http.get(path, query=query)
            else:
                headers = {"X-Idempotency-Key": key}
                answer = self._http.request(method, path, json_body=body, headers=headers).json()
        except AdapterRejected as error:
            raise AdapterRejected(requests.explain(error), status=error.status, body=error.body) from error
        if isinstance(answer, dict):
            return answer
        raise (AdapterUnavailable if method == "GET" else AdapterUnanswered)("the answer is not what was promised")

    def _checkout(self, external_id: str) -> documents.Document:
        try:
            return self._ask("GET", f"/checkout/preferences/{segment(external_id)}")
        except AdapterRejected as error:
            if error.status != 400:
                raise
            # "preference_id not found" is a 400 there.
            raise AdapterRejected(str(error), status=404, body=error.body) from error

    def _checkout_of(self, reference: str) -> documents.Document | None:
        """The first preference with our reference; the search only gives a summary of it."""
        answer = self._ask("GET", "/checkout/preferences/search", query={"external_reference": reference})
        elements = answer.get("elements")
        found = [
            one
            for one in (elements if isinstance(elements, list) else ())
            if isinstance(one, dict) and one.get("external_reference") == reference and isinstance(one.get("id"), str)
        ]
        first = min(found, key=lambda one: (str(one.get("date_created") or ""), one["id"]), default=None)
        return self._checkout(first["id"]) if first else None

    def _attempts(self, reference: str, fresh: documents.Document | None = None) -> list[RemotePayment]:
        """All payments with our reference, oldest first; ``fresh`` is newer than what the search knows of it."""
        if not reference:  # Mercado Pago would answer with everybody's
            return []
        found: dict[str, documents.Document] = {}
        query = {"external_reference": reference, "sort": "date_created", "criteria": "asc", "limit": _PAGE}
        for page in range(_PAGES):
            answer = self._ask("GET", "/v1/payments/search", query={**query, "offset": page * _PAGE})
            results = answer.get("results")
            if not isinstance(results, list):
                raise AdapterUnavailable("the answer is not what was promised")
            found |= {str(one.get("id")): one for one in results if isinstance(one, dict)}
            if len(results) < _PAGE:
                break
        else:
            raise AdapterRejected(_("Too many attempts to pay: look this payment up at Mercado Pago."))
        if fresh is not None:
            found[str(fresh.get("id"))] = fresh
        ordered = sorted(found.values(), key=lambda one: (str(one.get("date_created") or ""), str(one.get("id"))))
        return [_read(documents.payment, one) for one in ordered if one.get("external_reference") == reference]

    def _open(self, checkout: documents.Document) -> RemotePayment:
        """A preference alone, without the attempts to pay at it."""
        return _read(lambda document: documents.preference(document, self.clock()), checkout)

    def _whole(self, checkout: documents.Document, fresh: documents.Document | None = None) -> RemotePayment:
        whole = self._open(checkout)
        return documents.together(whole, self._attempts(whole.reference, fresh))

    def _cancel(self, payment_id: str, key: str) -> RemotePayment:
        path = f"/v1/payments/{segment(payment_id)}"
        return _read(documents.payment, self._ask("PUT", path, {"status": "cancelled"}, key=key))

    def _refund(self, payment_id: str, amount: Decimal, key: str) -> RemoteRefund:
        path = f"/v1/payments/{segment(payment_id)}/refunds"
        return replace(
            _read(documents.refund, self._ask("POST", path, {"amount": requests.number(amount)}, key=key)), key=key
        )


def _read(mapping: Callable[[documents.Document], T], document: documents.Document) -> T:
    """A document in our words. One that cannot be read is no refusal: what was asked for may have been done."""
    try:
        return mapping(document)
    except (AdapterRejected, ArithmeticError) as error:
        raise AdapterUnanswered(f"the answer cannot be read: {error}") from error
