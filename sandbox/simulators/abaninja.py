"""AbaNinja as it is on the wire, as far as that is known: API v2 with customers, invoices, actions, payments, webhooks.

What a person does there (send, note a payment, cancel, remind) is on its pages, in ``abaninja_pages``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from werkzeug.wrappers import Request, Response

from .abaninja_account import A, Account
from .abaninja_rules import (
    KINDS,
    Refusal,
    actions_of,
    check_invoice,
    is_paid,
    money,
    need,
    wire,
)
from .base import Deliver, Notification, deliver_by_http, route
from .books import Books

ACCOUNT, API_KEY = "21f0a0de-9b1c-4f6e-8d57-3a0c9e5b7d11", "simulated-abaninja-token"
SIGNATURE_KEY, SIGNATURE_HEADER = "simulated-abaninja-signature-key", "X-Signature"


class AbaNinja(Account):
    """One account. ``queue``: "" makes invoices at once; "waits" answers 202 and makes them when :meth:`work_queue` is
    called; "fails" refuses them then. ``zero_drafts``: a draft shows nothing as open. ``meta``: lists say their pages."""

    name, title = "abaninja", "AbaNinja"

    def __init__(
        self,
        books: Books | None = None,
        deliver: Deliver = deliver_by_http,
        *,
        account: str = ACCOUNT,
        api_key: str = API_KEY,
        notification_url: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        queue: str = "",
        zero_drafts: bool = False,
        meta: bool = True,
    ):
        super().__init__(books, deliver)
        self.account, self.api_key, self.notification_url, self.now = account, api_key, notification_url, now
        self.queue, self.zero_drafts, self.meta = queue, zero_drafts, meta

    # Documents

    @route("POST", f"{A}/documents/v2/invoices")
    def create_invoice(self, request: Request, account: str) -> Response:
        return self._answer(request, account, "documents", self._create_invoice)

    def _create_invoice(self, request: Request, body: dict[str, Any]) -> Response:
        need(body, "documents")
        document = body["documents"][0]
        check_invoice(document)
        receiver = document["receiver"]
        customer = self.books.get("customer", str(receiver.get("personUuid") or receiver.get("companyUuid")))
        if customer is None or receiver.get("addressUuid") not in [each["uuid"] for each in customer["addresses"]]:
            raise Refusal("The given data was invalid.", errors={"receiver": ["does not exist"]})
        if self.queue:
            place = str(uuid.uuid4())
            self.books.put(
                "queue", place, {"uuid": place, "document": document, "status": "pending", "fate": self.queue}
            )
            return self._said({"uuid": place, "total": 1}, 202)
        return self._said([self._shown(self._born("invoices", document))], 201)

    def _born(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with self.books.lock:
            letter, field = KINDS[kind]
            number = self.books.count(kind) + 1
            document = {
                **body,
                "uuid": str(uuid.uuid4()),
                "id": number,
                field: f"{letter}{number:04d}",
                "documentTotal": str(money(body["documentTotal"])),
                "sentStatus": "OPEN",
                "isCancelled": False,
                "isArchived": False,
                "updatedAt": self._stamp(),
                "_paid": "0.00",
            }
            if kind == "invoices":
                document |= {"openAmount": "", "dunningLevel": "NO_DUNNING", "isImported": False}
            return self.books.put(kind, document["uuid"], document)

    def work_queue(self) -> None:
        """Make, or refuse, what waits in the queue."""
        for place in self.books.all("queue"):
            if place["status"] != "pending":
                continue
            with self.books.change("queue", place["uuid"]) as changed:
                if changed["fate"] == "fails":
                    changed |= {"status": "failed", "message": "The number range is exhausted."}
                else:
                    changed |= {"status": "done", "invoice": self._born("invoices", changed["document"])["uuid"]}

    @route("GET", f"{A}/documents/v2/queue/<place>")
    def queued(self, request: Request, account: str, place: str) -> Response:
        def shown(request: Request, body: dict[str, Any]) -> Response:
            found = self.books.get("queue", place)
            if found is None:
                raise Refusal("Not found.", 404)
            detail: dict[str, Any] = {"status": found["status"], "message": found.get("message", "")}
            if found.get("invoice"):
                detail["invoice"] = self._shown(self._found("invoices", found["invoice"]))
            ends = {"successful": found["status"] == "done", "failed": found["status"] == "failed"}
            return self._said({"uuid": place, "total": 1, **ends, "details": [detail]})

        return self._answer(request, account, "documents", shown)

    @route("GET", f"{A}/documents/v2/<kind>")
    def documents(self, request: Request, account: str, kind: str) -> Response:
        def listed(request: Request, body: dict[str, Any]) -> Response:
            if kind not in KINDS:
                raise Refusal("Not found.", 404)
            since = request.args.get("updatedSince", "")
            known = [self._shown(each) for each in self.books.all(kind) if each["updatedAt"][:10] >= since]
            return self._listed(request, known)

        return self._answer(request, account, "documents", listed)

    @route("GET", f"{A}/documents/v2/<kind>/<document>")
    def document(self, request: Request, account: str, kind: str, document: str) -> Response:
        return self._answer(
            request, account, "documents", lambda _request, _body: self._said(
                {"documents": [self._shown(self._found(kind, document))]}
            )
        )  # fmt: skip

    @route("GET", f"{A}/documents/v2/invoices/<document>/actions")
    def actions(self, request: Request, account: str, document: str) -> Response:
        def listed(request: Request, body: dict[str, Any]) -> Response:
            offered = actions_of(self._found("invoices", document), self.made_of(document))
            return self._said({name: {"method": "PATCH"} for name in offered})

        return self._answer(request, account, "documents", listed)

    @route("PATCH", f"{A}/documents/v2/invoices/<document>/actions/<action>")
    def act(self, request: Request, account: str, document: str, action: str) -> Response:
        def done(request: Request, body: dict[str, Any]) -> Response:
            if action not in actions_of(self._found("invoices", document), self.made_of(document)):
                raise Refusal("This action is not allowed for this document.")
            self.do(document, action)
            return self._said(None)

        return self._answer(request, account, "documents", done)

    def do(self, document: str, action: str) -> None:
        """One of the actions that change something."""
        changes: dict[str, dict[str, Any]] = {
            "markSent": {"sentStatus": "SENT"}, "email": {"sentStatus": "SENT"}, "cancel": {"isCancelled": True},
            "delete": {"isCancelled": True, "isArchived": True}, "dunningSent": {"dunningLevel": "REMINDER"},
        }  # fmt: skip
        if action in ("convertDN", "convertIC"):
            of = self._found("invoices", document)
            kind = "delivery-notes" if action == "convertDN" else "credit-notes"
            names = ("receiver", "currencyCode", "title", "reference", "documentTotal", "positions")
            self._born(kind, {**{name: of[name] for name in names if name in of}, "_of": document})
        if action in changes:
            with self.books.change("invoices", document) as found:
                found |= changes[action]
                found["updatedAt"] = self._stamp()

    def made_of(self, document: str) -> set[str]:
        """The kinds of notes that were made of an invoice."""
        kinds = ("delivery-notes", "credit-notes")
        return {kind for kind in kinds if any(each.get("_of") == document for each in self.books.all(kind))}

    # Money

    @route("POST", f"{A}/finances/v2/payments")
    def create_payment(self, request: Request, account: str) -> Response:
        def paid(request: Request, body: dict[str, Any]) -> Response:
            need(body, "amount", "currencyCode", "paymentDate", "paymentDirection", "paymentType", "processing")
            found = self._found("invoices", str(body["processing"].get("documentUuid")))
            amount = money(body["amount"])
            still_open = Decimal(found["documentTotal"]) - Decimal(found["_paid"])
            if body["currencyCode"] != found["currencyCode"] or not 0 < amount <= still_open or found["isCancelled"]:
                raise Refusal("The payment does not fit the document.")
            facts = {name: value for name, value in body.items() if name not in ("amount", "uuid", "notify")}
            return self._said(self.pay(found["uuid"], amount, **facts), 201)

        return self._answer(request, account, "finances", paid)

    @route("GET", f"{A}/finances/v2/payments")
    def payments(self, request: Request, account: str) -> Response:
        return self._answer(
            request, account, "finances", lambda request, _body: self._listed(request, self.books.all("payment"))
        )

    @route("GET", f"{A}/finances/v2/payments/<payment>")
    def payment(self, request: Request, account: str, payment: str) -> Response:
        def shown(request: Request, body: dict[str, Any]) -> Response:
            if (found := self.books.get("payment", payment)) is None:
                raise Refusal("Not found.", 404)
            return self._said(found)

        return self._answer(request, account, "finances", shown)

    def pay(self, document: str, amount: Decimal, notify: str = "once", **facts: Any) -> dict[str, Any]:
        """Money for an invoice is noted, by the bank or by a person, and the shop is told."""
        payment = {
            "uuid": str(uuid.uuid4()), "amount": str(amount), "paymentType": "BANK", "paymentDirection": "IN",
            "currencyCode": "CHF", "status": "PROCESSED", "processing": {"type": "receipt", "documentUuid": document},
            **facts,
        }  # fmt: skip
        with self.books.lock:
            self.books.put("payment", payment["uuid"], payment)
            with self.books.change("invoices", document) as found:
                found["_paid"], found["updatedAt"] = str(Decimal(found["_paid"]) + amount), self._stamp()
        self._notify("payment-received", payment, notify)
        if is_paid(found):
            self._notify("invoice-paid", {"uuid": document, "invoiceNumber": found["invoiceNumber"]}, notify)
        return payment

    def _notify(self, event: str, data: Mapping[str, Any], how: str) -> None:
        if self.notification_url:
            self.tell(self.signed({"uuid": str(uuid.uuid4()), "eventType": event, "data": data}), how)

    def signed(self, document: Any) -> Notification:
        """A webhook: hexadecimal HMAC-SHA256 of the body."""
        body = json.dumps(document).encode()
        signature = hmac.new(SIGNATURE_KEY.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature}
        return Notification(self.notification_url, body, headers)

    def configure(self, notification_url: str) -> None:
        """Where webhooks go."""
        self.notification_url = notification_url

    # Small things

    def _found(self, kind: str, document: str) -> dict[str, Any]:
        found = self.books.get(kind, document) if kind in KINDS else None
        if found is None:
            raise Refusal("The document does not exist.", 404)
        return found

    def _shown(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return wire(document, zero_drafts=self.zero_drafts)

    def _stamp(self) -> str:
        return self.now().isoformat(timespec="seconds")
