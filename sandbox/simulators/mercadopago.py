"""Mercado Pago on this machine: its hosted checkout, where a person decides, and its signed webhooks.

What the shop itself changes is not told back to it.
"""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from oscar_fulfillment.core.signatures import sign_hmac

from . import mercadopago_documents as documents
from .base import Notification, route
from .mercadopago_api import ACCESS_TOKEN, OPEN, WEBHOOK_SECRET, Api
from .payments import Shown

__all__ = ["ACCESS_TOKEN", "WEBHOOK_SECRET", "MercadoPago"]

#: decision -> the state it leads to
OUTCOMES = {
    "approve": ("approved", "accredited"),
    "pay_late": ("approved", "accredited"),
    "refuse_issuer": ("rejected", "cc_rejected_insufficient_amount"),
    "refuse_antifraud": ("rejected", "cc_rejected_high_risk"),
    "review": ("in_process", "pending_review_manual"),
    "expire": ("cancelled", "expired"),
    "charge_back": ("charged_back", "in_process"),
}
#: ... of a payment that is not by card
BANK_OUTCOMES = OUTCOMES | {
    "refuse_issuer": ("rejected", "rejected_by_bank"),
    "refuse_antifraud": ("rejected", "rejected_high_risk"),
}

#: What changed: the notification's action and the payment.
Changes = list[tuple[str, dict[str, Any]]]


class MercadoPago(Api):
    name = "mercadopago"
    title = "Mercado Pago"
    decisions = (
        "approve", "refuse_issuer", "refuse_antifraud", "review", "expire", "pay_late", "pay_twice", "charge_back",
        "refuse_refund",
    )  # fmt: skip

    @route("GET", "/checkout/v1/redirect", person=True)
    def checkout(self, request: Request) -> Response:
        return redirect(f"{request.root_url}pay/{request.args.get('pref_id', '')}", 302)

    @route("GET", "/payments/<payment_id>/ticket", person=True)
    def ticket(self, request: Request, payment_id: str) -> Response:
        return redirect(f"{request.root_url}pay/{payment_id}", 302)

    def shown(self) -> list[Shown]:
        attempts: dict[str, str] = {}
        rows = []
        for one in self.books.all("payment"):
            one = self._payment(str(one["id"]))
            if "_preference" in one:
                attempts[one["_preference"]] = f"{attempts.get(one['_preference'], '')} {one['status']}".strip()
                continue
            method = "Pix" if one["payment_method_id"] == "pix" else "Boleto"
            title, amount = one["description"] or one["external_reference"], f"R$ {one['transaction_amount']:.2f}"
            rows.append((one["date_created"], Shown(str(one["id"]), str(title), amount, one["status"], method)))
        for one in self.books.all("preference"):
            state = attempts.get(one["id"]) or ("expired" if self.is_over(one) else "open")
            title, amount = str(one["external_reference"]), f"R$ {documents.total(one):.2f}"
            shown = Shown(one["id"], title, amount, state, "Checkout Pro", one["back_urls"].get("success") or "")
            rows.append((one["date_created"], shown))
        return [row for _date, row in sorted(rows, key=lambda row: row[0], reverse=True)]

    def decide(self, payment_id: str, decision: str, notify: str = "once") -> None:
        if decision == "refuse_refund":
            self.refund_outcomes.append("rejected")
            return
        with self.books.lock:
            if self.books.get("preference", payment_id) is not None:
                changed = self._at_checkout(payment_id, decision)
            elif self.books.get("payment", payment_id) is not None:
                changed = self._at_payment(payment_id, decision)
            else:
                raise KeyError(payment_id)
        for action, document in changed:
            self._tell(action, document, notify)

    def _at_checkout(self, preference_id: str, decision: str) -> Changes:
        """A buyer at the hosted checkout: an attempt under review is decided, else there is a new one."""
        checkout = self._preference(preference_id)
        mine = [one for one in self.books.all("payment", newest_first=True) if one.get("_preference") == preference_id]
        if decision == "expire":
            # Mercado Pago has no status for this, and tells nobody.
            checkout |= {"expires": True, "expiration_date_to": documents.written(self.clock())}
            self.books.put("preference", preference_id, checkout)
            return [
                ("payment.updated", self._set(one, "cancelled", "expired")) for one in mine if one["status"] in OPEN
            ]
        if decision == "charge_back":
            paid = [one for one in mine if one["status"] == "approved"]
            if not paid:
                raise BadRequest("nothing was paid")
            return [("payment.updated", self._set(paid[0], *OUTCOMES[decision]))]
        waiting = [one for one in mine if one["status"] in OPEN]
        if waiting and decision in ("approve", "pay_late", "refuse_issuer", "refuse_antifraud"):
            return [("payment.updated", self._set(waiting[0], *OUTCOMES[decision]))]
        if self.is_over(checkout) and decision != "pay_late":
            raise BadRequest("this checkout is over")
        times, outcome = (2, "approve") if decision == "pay_twice" else (1, decision)
        return [("payment.created", self._attempt(checkout, outcome)) for _time in range(times)]

    def _attempt(self, checkout: dict[str, Any], outcome: str) -> dict[str, Any]:
        body = {
            **checkout,
            "transaction_amount": float(documents.total(checkout)),
            "description": checkout["items"][0]["title"],
        }
        document = documents.payment(self.books.count("payment") + 1, body, self.clock())
        documents.by_card(document, checkout["id"])
        return self._set(document, *OUTCOMES[outcome])

    def _at_payment(self, payment_id: str, decision: str) -> Changes:
        """A buyer with a boleto or a Pix code. Neither can be paid twice or charged back."""
        found = self._payment(payment_id)
        late = decision == "pay_late" and (found["status"], found["status_detail"]) == ("cancelled", "expired")
        if decision not in OUTCOMES or decision == "charge_back" or not (late or found["status"] in OPEN):
            raise BadRequest("this cannot happen to this payment now")
        return [("payment.updated", self._set(found, *BANK_OUTCOMES[decision]))]

    # Webhooks

    def _tell(self, action: str, document: dict[str, Any], how: str) -> None:
        notification = self.notification(document, action)
        if notification is not None:
            self.tell(notification, how)

    def notification(self, document: dict[str, Any], action: str = "payment.updated") -> Notification | None:
        """The signed message about a payment; None when nobody wants one."""
        url, name = document["notification_url"] or self.webhook_url, str(document["id"])
        if not url:
            return None
        body = {
            "action": action,
            "api_version": "v1",
            "data": {"id": name},
            "date_created": documents.written(self.clock()),
            "id": 112_000_000_000 + self.books.count("notification"),
            "live_mode": False,
            "type": "payment",
            "user_id": str(documents.COLLECTOR),
        }
        self.books.put("notification", str(body["id"]), body)
        call, moment = str(uuid.uuid4()), str(int(self.clock().timestamp() * 1000))
        manifest = f"id:{name.lower()};request-id:{call};ts:{moment};"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "MercadoPago WebHook v1.0 payment",
            "X-Request-Id": call,
            "X-Signature": f"ts={moment},v1={sign_hmac(manifest.encode(), self.webhook_secret)}",
        }
        query = urlencode({"data.id": name, "type": "payment"})
        return Notification(f"{url}{'&' if urlsplit(url).query else '?'}{query}", json.dumps(body).encode(), headers)
