"""Mercado Pago's API on this machine: preferences, payments, refunds and searches.

Speaks as https://api.mercadopago.com does: Bearer token, ``X-Idempotency-Key`` required for payments and refunds,
numbers for sums, ``cause`` codes in refusals.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from werkzeug.wrappers import Request, Response

from . import mercadopago_documents as documents
from .base import Deliver, deliver_by_http, route
from .books import Books
from .payments import PaymentSimulator

#: Of the demo account; the sandbox's settings use the same.
ACCESS_TOKEN = "APP_USR-6245132082630004-simulated-823549964"
WEBHOOK_SECRET = "simulated-mercadopago-secret-signature"

OPEN = ("pending", "in_process", "authorized")


class Refused(Exception):
    """A refusal of the API, as it is answered."""

    def __init__(self, status: int, message: str, code: int | None = None, error: str = "bad_request"):
        cause = [{"code": code, "description": message, "data": None}] if code else []
        self.document = {"message": message, "error": error, "status": status, "cause": cause}
        self.status = status


def api(method: str, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A route of the API: asks for the token, and answers refusals as Mercado Pago does."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        def answer(self: Api, request: Request, **values: Any) -> Response:
            try:
                if request.headers.get("Authorization", "") != f"Bearer {self.access_token}":
                    raise Refused(401, "invalid access token", error="unauthorized")
                with self.books.lock:
                    document, status = function(self, request, **values)
            except Refused as refused:
                document, status = refused.document, refused.status
            return self.json(document, status)

        return route(method, path)(answer)

    return mark


class Api(PaymentSimulator):
    """The calls that shops make."""

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        access_token: str = ACCESS_TOKEN,
        webhook_secret: str = WEBHOOK_SECRET,
    ):
        super().__init__(books, deliver)
        self.access_token, self.webhook_secret = access_token, webhook_secret
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        #: Where "Your integrations" sends what names no address of its own.
        self.webhook_url = ""
        #: What becomes of the next refunds: approved (as all others), in_process, rejected, or refused.
        self.refund_outcomes: deque[str] = deque()

    def configure(self, url: str) -> None:
        """What the merchant enters at "Your integrations"; a payment's own address goes before it."""
        self.webhook_url = url

    # Preferences

    @api("POST", "/checkout/preferences")
    def create_preference(self, request: Request) -> tuple[Any, int]:
        body = _body(request)
        items = body.get("items")
        if not isinstance(items, list) or not items:
            raise Refused(400, "items needed", error="invalid_items")
        for item in items:
            item["quantity"] = item.get("quantity") or 1
            if not item.get("title") or _sum(item.get("unit_price"), 0) <= 0:
                raise Refused(400, "unit_price invalid", error="invalid_items")
        if body.get("auto_return") and not (body.get("back_urls") or {}).get("success"):
            raise Refused(400, "auto_return invalid. back_url.success must be defined", error="invalid_auto_return")
        if body.get("expires"):
            _moment(body.get("expiration_date_to"))
        number = self.books.count("preference") + 1
        document = documents.preference(number, body, self.clock(), request.root_url)
        return self.books.put("preference", document["id"], document), 201

    @api("GET", "/checkout/preferences/search")
    def search_preferences(self, request: Request) -> tuple[Any, int]:
        wanted = request.args.get("external_reference")
        found = [one for one in self.books.all("preference") if wanted in (None, one["external_reference"])]
        elements = [{name: one[name] for name in documents.SUMMARY} for one in found]
        return {"elements": elements, "next_offset": len(elements), "total": len(elements)}, 200

    @api("GET", "/checkout/preferences/<preference_id>")
    def get_preference(self, request: Request, preference_id: str) -> tuple[Any, int]:
        return self._preference(preference_id), 200

    @api("PUT", "/checkout/preferences/<preference_id>")
    def put_preference(self, request: Request, preference_id: str) -> tuple[Any, int]:
        found, body = self._preference(preference_id), _body(request)
        for name in ("items", "expires", "expiration_date_to", "metadata", "back_urls", "notification_url"):
            if name in body:
                found[name] = body[name]
        found["last_updated"] = documents.written(self.clock())
        return self.books.put("preference", preference_id, found), 200

    # Payments

    @api("POST", "/v1/payments")
    def create_payment(self, request: Request) -> tuple[Any, int]:
        return self._once(request, lambda: self._created(_body(request), request.root_url))

    def _created(self, body: dict[str, Any], root: str) -> dict[str, Any]:
        if _sum(body.get("transaction_amount")) <= 0:
            raise Refused(400, "Invalid transaction_amount", 4037)
        method, payer = body.get("payment_method_id"), body.get("payer") or {}
        if method not in documents.DEFAULT_TIME:
            raise Refused(400, "payment_method_id attribute can't be null", 4020)
        if "@" not in str(payer.get("email")):
            raise Refused(400, "payer.email must be a valid email", 4050)
        number = str((payer.get("identification") or {}).get("number") or "")
        if (method == "bolbradesco" or number) and len(number) not in (11, 14):
            raise Refused(400, "Invalid user identification number", 2067)
        if method == "bolbradesco":
            address = payer.get("address") or {}
            for name in ("zip_code", "street_name", "street_number", "neighborhood", "city", "federal_unit"):
                if not address.get(name):
                    raise Refused(400, f"payer.address.{name} attribute can't be null", 4001)
        now = self.clock()
        due = now + documents.DEFAULT_TIME[method]
        if body.get("date_of_expiration"):
            due = _moment(body["date_of_expiration"])
            if not timedelta(minutes=30) <= due - now <= timedelta(days=30):
                raise Refused(400, "Invalid date_of_expiration", 23)
        document = documents.payment(self.books.count("payment") + 1, body, now)
        (documents.by_boleto if method == "bolbradesco" else documents.by_pix)(document, due, root)
        return documents.public(self.books.put("payment", str(document["id"]), document))

    @api("GET", "/v1/payments/search")
    def search_payments(self, request: Request) -> tuple[Any, int]:
        wanted = request.args.get("external_reference")
        found = [one for one in self.books.all("payment") if wanted in (None, one["external_reference"])]
        if request.args.get("criteria") == "desc":
            found.reverse()
        limit, offset = request.args.get("limit", 30, type=int), request.args.get("offset", 0, type=int)
        results = [documents.public(self._payment(str(one["id"]))) for one in found[offset : offset + limit]]
        return {"paging": {"total": len(found), "limit": limit, "offset": offset}, "results": results}, 200

    @api("GET", "/v1/payments/<payment_id>")
    def get_payment(self, request: Request, payment_id: str) -> tuple[Any, int]:
        return documents.public(self._payment(payment_id)), 200

    @api("PUT", "/v1/payments/<payment_id>")
    def put_payment(self, request: Request, payment_id: str) -> tuple[Any, int]:
        found, body = self._payment(payment_id), _body(request)
        if body.get("status") != "cancelled" or found["status"] not in OPEN:
            raise Refused(400, "The action requested is not valid for the current payment state", 2063)
        return documents.public(self._set(found, "cancelled", "by_collector")), 200

    @api("POST", "/v1/payments/<payment_id>/refunds")
    def create_refund(self, request: Request, payment_id: str) -> tuple[Any, int]:
        return self._once(request, lambda: self._refunded(self._payment(payment_id), _body(request, empty=True)))

    def _refunded(self, found: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        left = Decimal(str(found["transaction_amount"])) - Decimal(str(found["transaction_amount_refunded"]))
        amount = _sum(body["amount"]) if body.get("amount") is not None else left
        if amount <= 0:
            raise Refused(400, "amount attribute must be positive", 4040)
        if found["status"] != "approved" or amount > left:
            raise Refused(400, "The action requested is not valid for the current payment state", 2063)
        if self.clock() - _moment(found["date_approved"]) > timedelta(days=180):
            raise Refused(400, "Payment too old to be refunded", 2024)
        outcome = self.refund_outcomes.popleft() if self.refund_outcomes else "approved"
        if outcome == "refused":
            raise Refused(400, "Collector account has not enough money to refund", 2085)
        number = self.books.count("refund") + 1
        document = documents.refund(number, found, float(amount), outcome, self.clock())
        self.books.put("refund", str(document["id"]), document)
        self._give_back(found, document)
        return document

    def settle_refund(self, refund_id: str, status: str) -> None:
        """Let a refund in process become approved or rejected."""
        with self.books.change("refund", refund_id) as document:
            document["status"] = status
        found = self._payment(str(document["payment_id"]))
        found["refunds"] = [one for one in found["refunds"] if one["id"] != document["id"]]
        self._give_back(found, document)

    def _give_back(self, found: dict[str, Any], refund: dict[str, Any]) -> None:
        found["refunds"].append(refund)
        if refund["status"] != "approved":
            self.books.put("payment", str(found["id"]), found)
            return
        refunded = Decimal(str(found["transaction_amount_refunded"])) + Decimal(str(refund["amount"]))
        found["transaction_amount_refunded"] = float(refunded)
        whole = refunded == Decimal(str(found["transaction_amount"]))
        self._set(found, "refunded" if whole else "approved", "refunded" if whole else "partially_refunded")

    @api("GET", "/v1/payments/<payment_id>/refunds")
    def list_refunds(self, request: Request, payment_id: str) -> tuple[Any, int]:
        return self._payment(payment_id)["refunds"], 200

    # Books

    def _preference(self, preference_id: str) -> dict[str, Any]:
        found = self.books.get("preference", preference_id)
        if found is None:
            raise Refused(400, "preference_id not found", error="invalid_id")
        return found

    def _payment(self, payment_id: str) -> dict[str, Any]:
        """A payment as it is now: one whose time is over has been cancelled."""
        found = self.books.get("payment", payment_id)
        if found is None:
            raise Refused(404, "Payment not found", 2000, error="not_found")
        if (
            found["status"] == "pending"
            and found["date_of_expiration"]
            and _moment(found["date_of_expiration"]) <= self.clock()
        ):
            self._set(found, "cancelled", "expired")
        return found

    def _set(self, found: dict[str, Any], status: str, detail: str) -> dict[str, Any]:
        now = documents.written(self.clock())
        if status == "approved" and not found["date_approved"]:
            found["date_approved"] = found["money_release_date"] = now
        found |= {"status": status, "status_detail": detail, "date_last_updated": now}
        return self.books.put("payment", str(found["id"]), found)

    def is_over(self, preference: dict[str, Any]) -> bool:
        return preference["expires"] and _moment(preference["expiration_date_to"]) <= self.clock()

    def _once(self, request: Request, act: Callable[[], dict[str, Any]]) -> tuple[Any, int]:
        """The same key at the same address is answered with what was answered first."""
        key = request.headers.get("X-Idempotency-Key", "")
        if not 1 <= len(key) <= 64:
            raise Refused(400, "Header X-Idempotency-Key can't be null", 4292)
        known = self.books.get("answer", f"{request.path}:{key}")
        return known or self.books.put("answer", f"{request.path}:{key}", act()), 201


def _body(request: Request, *, empty: bool = False) -> dict[str, Any]:
    if empty and not request.get_data():
        return {}
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "Params Error", 1)
    return body


def _sum(value: Any, places: int = 2) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(400, "amount attribute must be numeric", 4041)
    found = Decimal(str(value))
    if places and found != round(found, places):
        raise Refused(400, "Invalid transaction_amount", 4037)
    return found


def _moment(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Refused(
            400, "The following parameters must be valid date and format (yyyy-MM-dd'T'HH:mm:ssz)", 23
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
