"""Pagar.me core v5: orders with checkout, Pix and boleto, charges, hooks with HTTP Basic.

The API lives below ``/core/v5``, as there. What the documents leave open is decided here so: a checkout nobody pays on is
``canceled`` when it runs out, a Pix ``failed``; a boleto stays ``pending`` beyond its due date and can still be paid; a
hold that the issuer has let go stays ``authorized_pending_capture`` and can no longer be captured.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.exceptions import Conflict, HTTPException
from werkzeug.wrappers import Request, Response

from . import pagarme_documents as documents
from .base import Notification, route
from .pagarme_buyer import Buyer
from .pagarme_documents import Document, at, when
from .payments import Shown

SECRET_KEY = "sk_test_simulator00000"
HOOK_USER, HOOK_PASSWORD = "pagarme", "simulated-hook-password"
#: As long as they remember an idempotency key.
KEY_LIFE = timedelta(hours=24)
HOLD = timedelta(days=5)
_NAMES = {"checkout": "card", "credit_card": "card"}


class Refusal(Exception):
    """An answer that is no 200: status and document."""

    def __init__(self, status: int, message: str, errors: dict[str, list[str]] | None = None):
        self.status, self.document = status, {"message": message, **({"errors": errors} if errors else {})}
        super().__init__(message)


class PagarMe(Buyer):
    """``now`` is the clock and may be replaced. ``hook_url``: where hooks go, "" for nowhere (set up once, as in their
    dashboard); by default what the environment says as ``PAGARME_HOOK_URL``."""

    name, title = "pagarme", "Pagar.me"

    def __init__(
        self,
        *args: Any,
        secret_key: str = SECRET_KEY,
        hook_user: str = HOOK_USER,
        hook_password: str = HOOK_PASSWORD,
        hook_url: str = "",
        **options: Any,
    ):
        super().__init__(*args, **options)
        self.secret_key = secret_key
        self.hook_credentials = f"{hook_user}:{hook_password}"
        self.hook_url = hook_url or os.environ.get("PAGARME_HOOK_URL", "")
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    # Their books

    def shown(self) -> list[Shown]:
        return [self._shown(self.swept(order["id"])) for order in self.books.all("order", newest_first=True)]

    def _shown(self, order: Document) -> Shown:
        charge, checkout = (order.get("charges") or [{}])[-1], (order.get("checkouts") or [{}])[-1]
        method = charge.get("payment_method") or "checkout"
        words = [charge.get("status") or checkout.get("status"), charge.get("last_transaction", {}).get("status")]
        return Shown(
            id=order["id"],
            title=order["code"],
            amount=f"R$ {order['amount'] / 100:.2f}",
            state=", ".join(filter(None, words)),
            method=_NAMES.get(method, method),
            return_url=checkout.get("success_url", ""),
        )

    def swept(self, order_id: str) -> Document:
        """An order as it is at this moment: what has run out by itself is noted first."""
        with self.books.change("order", order_id) as order:
            now = self.now()
            for checkout in order.get("checkouts") or []:
                if checkout["status"] == "open" and when(checkout["expires_at"]) <= now:
                    checkout |= {"status": "canceled", "canceled_at": at(now), "updated_at": at(now)}
            for charge in order.get("charges") or []:
                pix = charge["payment_method"] == "pix" and charge["status"] == "pending"
                if pix and when(charge["last_transaction"]["expires_at"]) <= now:
                    documents.next_transaction(charge, now, status="failed", success=False)
                    charge["status"] = order["status"] = "failed"
        return order

    def _order_with(self, charge_id: str) -> tuple[Document, Document]:
        for order in self.books.all("order"):
            for charge in self.swept(order["id"]).get("charges") or []:
                if charge["id"] == charge_id:
                    return self.swept(order["id"]), charge
        raise Refusal(404, "Charge not found.")

    def hook(self, kind: str, data: Document, how: str = "once") -> None:
        """Tell the shop of an event."""
        if not self.hook_url:
            return
        body = json.dumps(documents.hook_of(kind, data, self.now()), ensure_ascii=False).encode()
        credentials = base64.b64encode(self.hook_credentials.encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {credentials}"}
        self.tell(Notification(self.hook_url, body, headers), how)

    # The API

    def _api(self, request: Request, work: Callable[[Document], Document]) -> Response:
        """Check the key, do the work or repeat the answer that this idempotency key has had, then tell the shop."""
        given = request.authorization
        expected = ((given.username or "") + ":" + (given.password or "")) if given and given.type == "basic" else ""
        if not hmac.compare_digest(expected.encode(), f"{self.secret_key}:".encode()):
            return self.json({"message": "Authorization has been denied for this request."}, 401)
        key = request.headers.get("Idempotency-Key", "") if request.method != "GET" else ""
        hooks: list[tuple[str, Document]] = []
        with self.books.lock:
            known = self.books.get("answer", key) if key else None
            if known and when(known["at"]) + KEY_LIFE > self.now():
                return self.json(known["document"], known["status"])
            status, document = 200, {}
            try:
                body = json.loads(request.get_data() or b"{}")
                if not isinstance(body, dict):
                    raise ValueError("no object")
                document = work(body)
                hooks = document.pop("_hooks", [])
            except Refusal as refusal:
                status, document = refusal.status, refusal.document
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                status, document = 400, {"message": f"The request could not be read: {type(error).__name__}"}
            if key and status in (200, 412):
                self.books.put("answer", key, {"at": at(self.now()), "status": status, "document": document})
        for kind, data in hooks:
            self.hook(kind, data)
        return self.json(document, status)

    @route("POST", "/core/v5/orders")
    def create_order(self, request: Request) -> Response:
        pay_page = f"{request.url_root.rstrip('/')}/pay"

        def work(body: Document) -> Document:
            amount = _checked(body)
            order = documents.order_of(body, amount, self.now(), pay_page)
            self.books.put("order", order["id"], order)
            return {**order, "_hooks": [("order.created", order)]}

        return self._api(request, work)

    @route("GET", "/core/v5/orders")
    def list_orders(self, request: Request) -> Response:
        code = request.args.get("code")

        def work(_body: Document) -> Document:
            found = [self.swept(order["id"]) for order in self.books.all("order", newest_first=True)]
            found = [order for order in found if not code or order["code"] == code]
            size = int(request.args.get("size", "10"))
            return {"data": found[:size], "paging": {"total": len(found)}}

        return self._api(request, work)

    @route("GET", "/core/v5/orders/<order_id>")
    def read_order(self, request: Request, order_id: str) -> Response:
        return self._api(request, lambda _body: self._known(order_id))

    @route("PATCH", "/core/v5/orders/<order_id>/closed")
    def close_order(self, request: Request, order_id: str) -> Response:
        def work(body: Document) -> Document:
            if self._known(order_id)["status"] != "pending" or self._known(order_id).get("charges"):
                raise Refusal(412, "This order is already closed.")
            with self.books.change("order", order_id) as order:
                order |= {"status": body.get("status") or "paid", "closed": True, "updated_at": at(self.now())}
                for checkout in order.get("checkouts") or []:
                    checkout |= {"status": "canceled", "canceled_at": at(self.now())}
            return {**order, "_hooks": [("order.canceled", order), ("order.closed", order)]}

        return self._api(request, work)

    @route("GET", "/core/v5/charges/<charge_id>")
    def read_charge(self, request: Request, charge_id: str) -> Response:
        return self._api(request, lambda _body: documents.with_order(*reversed(self._order_with(charge_id))))

    @route("POST", "/core/v5/charges/<charge_id>/capture")
    def capture_charge(self, request: Request, charge_id: str) -> Response:
        def work(body: Document) -> Document:
            order, charge = self._order_with(charge_id)
            amount, transaction = int(body.get("amount", charge["amount"])), charge["last_transaction"]
            held = charge["status"] == "pending" and transaction["status"] == "authorized_pending_capture"
            if not held or transaction["antifraud_response"].get("status") != "approved":
                raise Refusal(412, "This charge can't be captured.")
            if when(transaction["created_at"]) + HOLD <= self.now():
                raise Refusal(412, "The authorization of this charge has expired.")
            if not 0 < amount <= charge["amount"]:
                raise Refusal(412, "The amount must be greater than zero and not greater than the authorized amount.")
            return self._change(order, charge_id, lambda order, charge: self.take(order, charge, amount), "charge.paid")

        return self._api(request, work)

    @route("DELETE", "/core/v5/charges/<charge_id>")
    def cancel_charge(self, request: Request, charge_id: str) -> Response:
        def work(body: Document) -> Document:
            order, charge = self._order_with(charge_id)
            if charge["status"] == "pending":
                return self._change(order, charge_id, self.give_up, "charge.refunded")
            if charge["status"] not in ("paid", "overpaid", "underpaid"):
                raise Refusal(412, "This charge can not be canceled.")
            if charge["payment_method"] == "boleto" and not body.get("bank_account"):
                raise Refusal(422, "The request is invalid.", {"bank_account": ["The bank_account field is required."]})
            rest = charge["paid_amount"] - self.given_back(charge)
            amount = int(body.get("amount", rest))
            if not 0 < amount <= rest:
                raise Refusal(412, "The amount to cancel is greater than the amount that can be refunded.")
            kind = "charge.refunded" if amount == rest else "charge.partial_canceled"
            return self._change(order, charge_id, lambda order, charge: self.give_back(order, charge, amount), kind)

        return self._api(request, work)

    def _known(self, order_id: str) -> Document:
        try:
            return self.swept(order_id)
        except KeyError:
            raise Refusal(404, "Order not found.") from None

    def _change(
        self, order: Document, charge_id: str, change: Callable[[Document, Document], None], kind: str
    ) -> Document:
        with self.books.change("order", order["id"]) as order:
            charge = next(each for each in order["charges"] if each["id"] == charge_id)
            change(order, charge)
            order["updated_at"] = at(self.now())
        alone = documents.with_order(charge, order)
        done = charge["last_transaction"]["success"] and not charge.get("pending_cancellation")
        return {**alone, "_hooks": [(kind, alone)] if done else []}

    def not_found(self, request: Request, error: HTTPException) -> Response:
        if request.path.startswith("/core/"):
            return self.json({"message": "No HTTP resource was found that matches the request URI."}, error.code or 404)
        return super().not_found(request, error)

    def decide(self, payment_id: str, decision: str, notify: str = "once") -> None:
        """``Conflict`` for what cannot happen to this payment (any more)."""
        with self.books.lock:
            self.swept(payment_id)
            with self.books.change("order", payment_id) as order:
                kinds = getattr(self, f"on_{decision}")(order)
                if kinds is None:
                    raise Conflict(f"this payment cannot: {decision.replace('_', ' ')}")
                order["updated_at"] = at(self.now())
            order = self.swept(payment_id)
        for kind in kinds:
            data = {"order": order, "checkout": (order.get("checkouts") or [{}])[-1]}.get(kind.partition(".")[0])
            self.hook(kind, data or documents.with_order(order["charges"][-1], order), notify)


def _checked(body: Document) -> int:
    """The order's sum, if it may be made."""
    errors: dict[str, list[str]] = {}
    items: Any = body.get("items")
    customer: Any = body.get("customer")
    payments: Any = body.get("payments")
    if not items:
        errors["order.items"] = ["The items field is required"]
    if not customer or not customer.get("name"):
        errors["order.customer.name"] = ["The name field is required."]
    if not payments:
        errors["order.payments"] = ["The payments field is required"]
    if len(str(body.get("code") or "")) > 52:
        errors["order.code"] = ["The field code must be a string with a maximum length of 52."]
    if errors:
        raise Refusal(422, "The request is invalid.", errors)
    amount: int = sum(int(item["amount"]) * int(item["quantity"]) for item in items)
    method = payments[0].get("payment_method")
    if method not in ("checkout", "pix", "boleto"):
        errors["order.payments[0].payment_method"] = ["The payment_method field is not supported here"]
    if amount <= 0 or int(payments[0].get("amount", amount)) != amount:
        errors["order.payments"] = ["The sum of all payments must be equal to the order amount"]
    if method != "checkout":
        if not customer.get("document"):
            errors["order.customer.document"] = ["The document field is required."]
        if not customer.get("phones"):
            errors["order.customer.phones"] = ["At least one customer phone is required."]
    if errors:
        raise Refusal(422, "The request is invalid.", errors)
    return amount
