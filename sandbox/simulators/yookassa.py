"""YooKassa, API v3: payments in one and two stages, refunds, receipts, lists, unsigned notifications."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from werkzeug.wrappers import Request, Response

from .base import Deliver, deliver_by_http, route
from .books import Books
from .payments import Shown
from .yookassa_rules import (
    METHODS,
    PAYABLE,
    ApiError,
    amount_of,
    check_metadata,
    check_receipt,
    invalid,
    new_id,
    payment_record,
    rub,
    stamp,
    value,
)
from .yookassa_wire import YooKassaWire

SHOP_ID, SECRET_KEY = "540117", "test_yookassa_sandbox_secret_key"
_ENDS = {
    "refuse_issuer": ("pending", "payment_network", "insufficient_funds"),
    "refuse_antifraud": ("pending", "yoo_money", "fraud_suspected"),
    "expire": ("pending", "yoo_money", "expired_on_confirmation"),
    "expire_hold": ("waiting_for_capture", "yoo_money", "expired_on_capture"),
}


class YooKassa(YooKassaWire):
    """A shop with bank cards, SBP and YooMoney. Notifications go to ``notification_url`` (its merchant profile)."""

    name, title = "yookassa", "YooKassa"
    decisions = ("approve", "refuse_issuer", "refuse_antifraud", "expire", "expire_hold")

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        shop_id: str = SHOP_ID,
        secret_key: str = SECRET_KEY,
        notification_url: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        super().__init__(books, deliver, shop_id=shop_id, secret_key=secret_key, now=now)
        if notification_url:
            self.configure(notification_url)

    # Decisions

    def shown(self) -> list[Shown]:
        self.run_out()
        return [
            Shown(
                id=record["document"]["id"],
                title=record["document"]["description"] or record["document"]["id"],
                amount=f"{record['document']['amount']['value']} RUB",
                state=record["document"]["status"],
                method=record["method"],
                return_url=record["return_url"],
            )
            for record in self.books.all("payment", newest_first=True)
        ]

    def decide(self, payment_id: str, decision: str, notify: str = "once") -> None:
        """Let it happen; nothing does when the payment is past it."""
        self.run_out()
        with self.books.change("payment", payment_id) as record:
            document = record["document"]
            if decision == "approve":
                changed = document["status"] == "pending"
                if changed:
                    self._paid(record)
            else:
                status, party, reason = _ENDS[decision]
                changed = document["status"] == status
                if changed:
                    self._cancelled(document, party, reason)
        if changed:
            self.tell_of(f"payment.{document['status']}", document, notify)

    def settle_refund(self, refund_id: str, reason: str = "") -> None:
        """A refund that waits is done, or cancelled for a ``reason``."""
        with self.books.change("refund", refund_id) as document:
            self._refund_ends(document, reason or "succeeded")
        if not reason:
            self.tell_of("refund.succeeded", document)

    # API: payments

    @route("POST", "/v3/payments")
    def create(self, request: Request) -> Response:
        def made(body: dict[str, Any]) -> tuple[str, str]:
            record = payment_record(body, self.shop_id, self.now(), request.url_root)
            self.books.put("payment", record["document"]["id"], record)
            return "payment", record["document"]["id"]

        return self.once(request, made)

    @route("GET", "/v3/payments")
    def payments(self, request: Request) -> Response:
        self.run_out()
        return self.listed(request, [record["document"] for record in self.books.all("payment", newest_first=True)])

    @route("GET", "/v3/payments/<payment_id>")
    def payment(self, request: Request, payment_id: str) -> Response:
        self.authorize(request)
        self.run_out()
        return self.json(self._payment(payment_id)["document"])

    @route("POST", "/v3/payments/<payment_id>/capture")
    def capture(self, request: Request, payment_id: str) -> Response:
        def made(body: dict[str, Any]) -> tuple[str, str]:
            held = value(self._waiting(payment_id)["document"])
            amount = amount_of(body) if "amount" in body else held
            if amount > held:
                raise invalid("Amount of the capture exceeds the payment amount", "amount")
            with self.books.change("payment", payment_id) as record:
                if "receipt" in body:
                    record["receipt"] = check_receipt(body["receipt"], amount)
                elif record["receipt"] and amount != held:
                    raise invalid("Receipt is missing or illegal", "receipt")
                record["document"]["amount"] = rub(amount)
                self._captured(record)
            self.later("payment.succeeded", record["document"])
            return "payment", payment_id

        return self.once(request, made)

    @route("POST", "/v3/payments/<payment_id>/cancel")
    def cancel(self, request: Request, payment_id: str) -> Response:
        def made(body: dict[str, Any]) -> tuple[str, str]:
            self._waiting(payment_id)
            with self.books.change("payment", payment_id) as record:
                self._cancelled(record["document"], "merchant", "canceled_by_merchant")
            self.later("payment.canceled", record["document"])
            return "payment", payment_id

        return self.once(request, made)

    # API: refunds and receipts

    @route("POST", "/v3/refunds")
    def refund(self, request: Request) -> Response:
        def made(body: dict[str, Any]) -> tuple[str, str]:
            payment = self._payment(str(body.get("payment_id", "")), missing=400)
            amount, document = amount_of(body), payment["document"]
            gone = sum(
                (
                    value(found)
                    for found in self.books.all("refund")
                    if found["payment_id"] == document["id"] and found["status"] != "canceled"
                ),
                Decimal(0),
            )
            if document["status"] != "succeeded":
                raise invalid("The payment is not in the succeeded status", "payment_id")
            if gone + amount > value(document):
                raise invalid("Amount of the refund exceeds the remaining amount of the payment", "amount")
            if "receipt" in body:
                check_receipt(body["receipt"], amount)
            elif payment["receipt"] and amount != value(document):
                raise invalid("Receipt is missing or illegal", "receipt")
            found = {
                "id": new_id(),
                "payment_id": document["id"],
                "status": "pending",
                "created_at": stamp(self.now()),
                "amount": rub(amount),
                "description": body.get("description", ""),
                "metadata": check_metadata(body.get("metadata") or {}),
            }
            end = self.next_refunds.popleft() if self.next_refunds else "succeeded"
            if end != "pending":
                self._refund_ends(found, end)
            self.books.put("refund", found["id"], found)
            if found["status"] == "succeeded":
                self.later("refund.succeeded", found)
            return "refund", found["id"]

        return self.once(request, made)

    @route("GET", "/v3/refunds")
    def refunds(self, request: Request) -> Response:
        return self.listed(request, self.books.all("refund", newest_first=True))

    @route("GET", "/v3/refunds/<refund_id>")
    def one_refund(self, request: Request, refund_id: str) -> Response:
        self.authorize(request)
        found = self.books.get("refund", refund_id)
        if found is None:
            raise ApiError(404, "not_found", "Refund doesn't exist", "refund_id")
        return self.json(found)

    @route("GET", "/v3/receipts")
    def receipts(self, request: Request) -> Response:
        return self.listed(request, self.books.all("receipt", newest_first=True))

    # How the books change

    def _payment(self, payment_id: str, missing: int = 404) -> dict[str, Any]:
        found = self.books.get("payment", payment_id)
        if found is None:
            code = "not_found" if missing == 404 else "invalid_request"
            raise ApiError(missing, code, "Incorrect payment_id. Payment doesn't exist or access denied", "payment_id")
        return found

    def _waiting(self, payment_id: str) -> dict[str, Any]:
        found = self._payment(payment_id)
        if found["document"]["status"] != "waiting_for_capture":
            raise invalid("Invalid payment status for the requested operation")
        return found

    def _paid(self, record: dict[str, Any]) -> None:
        document, method = record["document"], record["method"]
        document.pop("confirmation", None)
        title, hold, _largest = METHODS[method]
        document["paid"] = True
        document["payment_method"] = {
            "type": method, "id": document["id"], "saved": False, "status": "inactive", "title": title,
        }  # fmt: skip
        if method == "bank_card":
            document["payment_method"]["card"] = {
                "first6": "555555", "last4": "4477", "expiry_year": "2030", "expiry_month": "12", "card_type": "Mir",
            }  # fmt: skip
        if record["capture"] or hold is None:
            self._captured(record)
        else:
            document["status"] = "waiting_for_capture"
            document["expires_at"] = stamp(self.now() + hold)

    def _captured(self, record: dict[str, Any]) -> None:
        document = record["document"]
        document.pop("expires_at", None)
        fee = (value(document) * Decimal("0.035")).quantize(Decimal("0.01"))
        document |= {
            "status": "succeeded",
            "captured_at": stamp(self.now()),
            "income_amount": rub(value(document) - fee),
            "refundable": True,
            "refunded_amount": rub(Decimal(0)),
        }
        if record["receipt"]:
            document["receipt_registration"] = "succeeded"
            receipt = {
                "id": new_id(), "type": "payment", "payment_id": document["id"], "status": "succeeded",
                "items": record["receipt"]["items"], "created_at": stamp(self.now()),
            }  # fmt: skip
            self.books.put("receipt", receipt["id"], receipt)

    @staticmethod
    def _cancelled(document: dict[str, Any], party: str, reason: str) -> None:
        for name in ("confirmation", "expires_at"):
            document.pop(name, None)
        document |= {
            "status": "canceled", "paid": False, "cancellation_details": {"party": party, "reason": reason},
        }  # fmt: skip

    def _refund_ends(self, found: dict[str, Any], end: str) -> None:
        if end != "succeeded":
            found |= {"status": "canceled", "cancellation_details": {"party": "refund_network", "reason": end}}
            return
        found["status"] = "succeeded"
        with self.books.change("payment", found["payment_id"]) as record:
            document = record["document"]
            refunded = value(document, "refunded_amount") + value(found)
            document |= {"refunded_amount": rub(refunded), "refundable": refunded < value(document)}

    def run_out(self) -> None:
        """Let what is overdue by the clock end."""
        now = self.now()
        with self.books.lock:
            for record in self.books.all("payment"):
                document = record["document"]
                if document["status"] == "pending" and now - datetime.fromisoformat(document["created_at"]) >= PAYABLE:
                    reason = "expired_on_confirmation"
                elif document.get("expires_at") and datetime.fromisoformat(document["expires_at"]) <= now:
                    reason = "expired_on_capture"
                else:
                    continue
                self._cancelled(document, "yoo_money", reason)
                self.books.put("payment", document["id"], record)
                self.later("payment.canceled", document)
        self.send_later()
