"""Datatrans as it is on the wire: JSON API v1 (init, status, settle, cancel, credit), payment page, signed webhooks."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .base import Deliver, Notification, deliver_by_http, route
from .books import Books
from .datatrans_rules import (
    FAILURES,
    INIT,
    METHODS,
    Refusal,
    act,
    amount_of,
    body_of,
    currency_of,
    happen,
    iso,
    now_utc,
    refno_of,
    return_url,
    signed,
    wire,
)
from .payments import PaymentSimulator, Shown

#: The demo merchant; the sandbox' settings use the same.
MERCHANT_ID, PASSWORD = "1100000017", "demo-datatrans-password"
SIGN_KEY = "5f0b8a1c94d2e7360f1122334455667788990a0b0c0d0e0f1a2b3c4d5e6f7081"
#: A form lives so long, and an idempotency key.
FORM, KEYS = timedelta(minutes=30), timedelta(minutes=60)


class Datatrans(PaymentSimulator):
    """``clock`` gives the time; ``unique_refno`` turns on the feature of that name of the merchant's account."""

    name = "datatrans"
    title = "Datatrans"
    decisions = ("approve", "cancel", "refuse_issuer", "refuse_antifraud", "refuse_3ds", "expire", "expire_hold",
                 "refuse_refund")  # fmt: skip

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        merchant_id: str = MERCHANT_ID,
        password: str = PASSWORD,
        sign_key: str = SIGN_KEY,
        clock: Callable[[], datetime] = now_utc,
        unique_refno: bool = False,
    ):
        super().__init__(books, deliver)
        self.merchant_id, self.clock, self.unique_refno = merchant_id, clock, unique_refno
        self._authorization = "Basic " + b64encode(f"{merchant_id}:{password}".encode()).decode()
        self._sign_key = bytes.fromhex(sign_key)

    # The API

    @route("POST", "/v1/transactions")
    def init(self, request: Request) -> Response:
        return self._once(request, self._init)

    @route("GET", "/v1/transactions/<transaction_id>")
    def status(self, request: Request, transaction_id: str) -> Response:
        try:
            self._authenticate(request)
            return self.json(wire(self._found("status", transaction_id)))
        except Refusal as refusal:
            return self._refused(refusal)

    @route("POST", "/v1/transactions/<transaction_id>/settle")
    def settle(self, request: Request, transaction_id: str) -> Response:
        return self._once(request, self._settle, transaction_id)

    @route("POST", "/v1/transactions/<transaction_id>/cancel")
    def cancel(self, request: Request, transaction_id: str) -> Response:
        return self._once(request, self._cancel, transaction_id)

    @route("POST", "/v1/transactions/<transaction_id>/credit")
    def credit(self, request: Request, transaction_id: str) -> Response:
        return self._once(request, self._credit, transaction_id)

    def _init(self, request: Request, body: dict[str, Any]) -> Response:
        if unknown := sorted(set(body) - INIT):
            raise Refusal("UNRECOGNIZED_PROPERTY", f"init.{unknown[0]}")
        currency, refno = currency_of("init", body), refno_of("init", body)
        amount, methods = amount_of("init", body), body.get("paymentMethods")
        if not isinstance(methods, list) or not methods or not set(methods) <= set(METHODS):
            raise Refusal("INVALID_PROPERTY", "init.paymentMethods")
        if methods == ["TWI"] and currency != "CHF":
            raise Refusal("INVALID_SETUP", "no payment method for this currency")
        transactions = self.books.all("transaction")
        if self.unique_refno and any(known["refno"] == refno for known in transactions):
            raise Refusal("DUPLICATE_REFNO", "refno already used")
        now, number, webhook = self.clock(), self._number(), body.get("webhook")
        self.books.put(
            "transaction",
            number,
            {
                "transactionId": number,
                "merchantId": self.merchant_id,
                "type": "payment",
                "status": "initialized",
                "currency": currency,
                "refno": refno,
                "detail": {"init": {"expires": iso(now + FORM)}},
                "language": str(body.get("language") or "en"),
                "history": [act("init", now, amount, source="api")],
                "_amount": amount,
                "_methods": methods,
                "_auto_settle": body.get("autoSettle") is True,
                "_redirect": body.get("redirect") if isinstance(body.get("redirect"), dict) else {},
                "_webhook": str(webhook.get("url") or "") if isinstance(webhook, dict) else "",
            },
        )
        location = f"{request.root_url.rstrip('/')}/v1/start/{number}"
        return self.json({"transactionId": number}, 201, {"Location": location})

    def _settle(self, request: Request, body: dict[str, Any], number: str) -> Response:
        currency, amount = currency_of("settle", body), amount_of("settle", body)
        refno_of("settle", body)
        self._found("settle", number)
        with self.books.change("transaction", number) as found:
            if found["status"] != "authorized":
                already = found["status"] in ("settled", "transmitted")
                raise Refusal("INVALID_TRANSACTION_STATUS", "already settled" if already else "not authorized")
            if currency != found["currency"]:
                raise Refusal("INVALID_PROPERTY", "settle.currency")
            if amount > found["_amount"]:
                raise Refusal("INVALID_PROPERTY", "exceeded authorization amount")
            if found.get("_lapsed"):
                raise Refusal("DECLINED", "authorization expired")
            found["status"], found["detail"]["settle"] = "settled", {"amount": amount}
            found["history"].append(act("settle", self.clock(), amount, source="api"))
        return Response(status=204)

    def _cancel(self, request: Request, body: dict[str, Any], number: str) -> Response:
        refno_of("cancel", body)
        self._found("cancel", number)
        with self.books.change("transaction", number) as found:
            if found["status"] not in ("authorized", "settled"):
                already = "transaction already canceled" if found["status"] == "canceled" else "not authorized"
                raise Refusal("INVALID_TRANSACTION_STATUS", already)
            found["status"], found["detail"]["cancel"] = "canceled", {"reversal": True}
            found["history"].append(act("cancel", self.clock(), found["_amount"], source="api"))
        return Response(status=204)

    def _credit(self, request: Request, body: dict[str, Any], number: str) -> Response:
        currency, refno = currency_of("credit", body), refno_of("credit", body)
        self._found("credit", number)
        with self.books.change("transaction", number) as found:
            settled = (found["detail"].get("settle") or {}).get("amount", 0)
            if found["type"] != "payment" or found["status"] not in ("settled", "transmitted"):
                raise Refusal("INVALID_TRANSACTION_STATUS", "the transaction cannot be credited", transaction_id=number)
            credited = sum(
                past["amount"] for past in found["history"] if past["action"] == "credit" and past["success"]
            )
            amount = amount_of("credit", body) if "amount" in body else settled - credited
            if currency != found["currency"] or amount + credited > settled:
                raise Refusal("INVALID_PROPERTY", "credit.amount exceeds the settled amount", transaction_id=number)
            now, new, good = self.clock(), self._number(), not found.pop("_refuse_refund", False)
            found["history"].append(act("credit", now, amount, source="api", success=good))
            document = {
                "transactionId": new,
                "merchantId": self.merchant_id,
                "type": "credit",
                "status": "settled" if good else "failed",
                "currency": currency,
                "refno": refno,
                "paymentMethod": found["paymentMethod"],
                "detail": {"credit": {"amount": amount}} if good else {"fail": {"reason": "DECLINED"}},
                "history": [act("credit", now, amount, source="api", success=good)],
            }
            self.books.put("transaction", new, document)
        if not good:
            return self._refused(Refusal("DECLINED", "credit declined", transaction_id=new))
        return self.json({"transactionId": new, "acquirerAuthorizationCode": f"{now:%H%M%S}"})

    # People

    @route("GET", "/v1/start/<transaction_id>", person=True)
    def start_page(self, request: Request, transaction_id: str) -> Response:
        return redirect(f"{request.root_path}/pay/{transaction_id}", 303)

    def shown(self) -> list[Shown]:
        numbers = [found["transactionId"] for found in self.books.all("transaction", newest_first=True)]
        rows = [found for found in map(self._timed_out, numbers) if found["type"] == "payment"]
        return [
            Shown(
                id=found["transactionId"],
                title=found["refno"],
                amount=f"{found['_amount'] / 100:.2f} {found['currency']}",
                state=found["status"],
                method=METHODS.get(found.get("paymentMethod") or found["_methods"][0], ""),
                return_url=return_url(found),
            )
            for found in rows
        ]

    def decide(self, payment_id: str, decision: str, notify: str = "once") -> None:
        """What a decision cannot change any more (a card refused after it was charged) changes nothing."""
        self._timed_out(payment_id)
        with self.books.change("transaction", payment_id) as found:
            if decision == "expire_hold":
                found["_lapsed"] = found["status"] == "authorized"
            elif decision == "refuse_refund":
                found["_refuse_refund"] = True
            if found["status"] != "initialized" or decision not in ("approve", "cancel", "expire", *FAILURES):
                return
            happen(found, decision, self.clock())
        if decision != "expire" and found["_webhook"]:
            self.tell(Notification(found["_webhook"], *signed(found, self._sign_key, self.clock())), notify)

    def transmit(self) -> None:
        """The nightly run: what was settled goes to the acquirers, and cannot be cancelled any more."""
        for found in self.books.all("transaction"):
            if found["status"] == "settled":
                with self.books.change("transaction", found["transactionId"]) as changed:
                    changed["status"] = "transmitted"

    # Small things

    def _once(self, request: Request, handle: Callable[..., Response], *values: str) -> Response:
        """Idempotency-Key: the first answer again, 422 for another request, 409 while the first is at work."""
        try:
            self._authenticate(request)
            body = body_of(request)
        except Refusal as refusal:
            return self._refused(refusal)
        key = request.headers.get("Idempotency-Key", "")
        asked = hashlib.sha256(request.path.encode() + b"\n" + request.get_data()).hexdigest()
        with self.books.lock:
            known = self.books.get("key", key) if key else None
            if known and self.clock() - datetime.fromisoformat(known["at"]) < KEYS:
                if known["asked"] != asked:
                    return Response(status=422)
                if not known["status"]:
                    return Response(status=409)
                return Response(known["body"], known["status"], known["headers"], mimetype="application/json")
            try:
                answer = handle(request, body, *values)
            except Refusal as refusal:
                answer = self._refused(refusal)
            if key:
                headers = {"Location": answer.headers["Location"]} if "Location" in answer.headers else {}
                kept = {
                    "asked": asked,
                    "at": self.clock().isoformat(),
                    "status": answer.status_code,
                    "headers": headers,
                }
                self.books.put("key", key, {**kept, "body": answer.get_data(as_text=True)})
        return answer

    def _authenticate(self, request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._authorization.encode()):
            raise Refusal("UNAUTHORIZED", "invalid merchantId or password", 401)

    def _refused(self, refusal: Refusal) -> Response:
        error = {"code": refusal.code, "message": refusal.message}
        if refusal.transaction_id:
            error["transactionId"] = refusal.transaction_id
        return self.json({"error": error}, refusal.status)

    def _found(self, operation: str, number: str) -> dict[str, Any]:
        if not re.fullmatch(r"[0-9]{18}", number, re.ASCII):
            raise Refusal("INVALID_PROPERTY", f"{operation} transactionId length must be 18 digits")
        try:
            return self._timed_out(number)
        except KeyError:
            raise Refusal("TRANSACTION_NOT_FOUND", "transactionId not found") from None

    def _timed_out(self, number: str) -> dict[str, Any]:
        """The transaction; a form that nobody filled in for 30 minutes is closed by the system."""
        with self.books.change("transaction", number) as found:
            expires = (found["detail"].get("init") or {}).get("expires")
            if found["status"] == "initialized" and self.clock() >= datetime.fromisoformat(expires):
                happen(found, "expire", self.clock())
        return found

    def _number(self) -> str:
        """18 digits: the time and a counter."""
        return f"{self.clock():%y%m%d%H%M%S}{self.books.count('transaction') + 1:06d}"
