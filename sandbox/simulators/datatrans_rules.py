"""Datatrans' rules: what a request may hold, how a transaction looks, what a buyer's decision does to it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request

#: What an init may hold (of what the shop can send), and the payment methods of the demo merchant.
INIT = {"currency", "refno", "refno2", "autoSettle", "amount", "language", "paymentMethods", "redirect", "webhook",
        "option", "customer", "billing", "shipping", "order", "theme", "card", "TWI", "PFC"}  # fmt: skip
METHODS = {"TWI": "TWINT", "VIS": "Visa", "ECA": "Mastercard", "PFC": "PostFinance"}


def now_utc() -> datetime:
    return datetime.now(UTC)


class Refusal(Exception):
    """What Datatrans answers instead of doing it: HTTP 400, or 401."""

    def __init__(self, code: str, message: str, status: int = 400, transaction_id: str = ""):
        self.code, self.message, self.status, self.transaction_id = code, message, status, transaction_id


FAILURES = {
    "refuse_issuer": ("DECLINED", "card declined"),
    "refuse_antifraud": ("BLOCKED_BY_VELOCITY_CHECKER", "velocity check failed"),
    "refuse_3ds": ("DECLINED", "3D authentication failed"),
}


def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.get_data())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal("INVALID_JSON_PAYLOAD", "the payload is no JSON object")
    return body


def currency_of(operation: str, body: dict[str, Any]) -> str:
    currency = body.get("currency")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency, re.ASCII):
        raise Refusal("INVALID_PROPERTY", f"{operation}.currency must be a 3 letter ISO 4217 character code")
    return currency


def refno_of(operation: str, body: dict[str, Any]) -> str:
    refno = body.get("refno")
    if not isinstance(refno, str) or not refno:
        raise Refusal("INVALID_PROPERTY", f"{operation}.refno must not be null")
    if len(refno) > 40:
        raise Refusal("INVALID_PROPERTY", f"{operation}.refno length must be between 1 and 40")
    return refno


def amount_of(operation: str, body: dict[str, Any]) -> int:
    amount = body.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise Refusal("INVALID_PROPERTY", f"{operation}.amount must be > 0")
    return amount


def act(action: str, when: datetime, amount: int, *, source: str, success: bool = True) -> dict[str, Any]:
    return {"action": action, "amount": amount, "source": source, "date": iso(when), "success": success,
            "ip": "127.0.0.1"}  # fmt: skip


def iso(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wire(found: dict[str, Any]) -> dict[str, Any]:
    """Without what Datatrans keeps to itself."""
    return {name: value for name, value in found.items() if not name.startswith("_")}


def signed(found: dict[str, Any], key: bytes, now: datetime) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a webhook: the transaction, signed together with the moment in milliseconds."""
    body, stamp = json.dumps(wire(found)).encode(), str(int(now.timestamp() * 1000))
    digest = hmac.new(key, stamp.encode() + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json; charset=UTF-8", "Datatrans-Signature": f"t={stamp},s0={digest}"}
    return body, headers


def return_url(found: dict[str, Any]) -> str:
    """Where the browser goes: one of three addresses, with the id."""
    name = {"canceled": "cancelUrl", "failed": "errorUrl"}.get(found["status"], "successUrl")
    url = str(found["_redirect"].get(name) or "")
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}{urlencode({'datatransTrxId': found['transactionId']})}" if url else ""


def happen(found: dict[str, Any], decision: str, now: datetime) -> None:
    """Let this decision happen to a transaction that waits for its buyer."""
    amount, method = found["_amount"], found["_methods"][0]
    card = method in ("VIS", "ECA")
    if decision in ("cancel", "expire"):
        found["status"], found["detail"] = "canceled", {"cancel": {"reversal": False}}
        source = "redirect" if decision == "cancel" else "system"
        found["history"].append(act("cancel", now, amount, source=source))
        return
    found["paymentMethod"] = method
    if card:
        found["card"] = {"masked": "424242xxxxxx4242", "expiryMonth": "12", "expiryYear": "30"}
        outcome = "N" if decision == "refuse_3ds" else "Y"
        found["card"]["3D"] = {"directoryResponse": "C", "authenticationResponse": outcome, "eci": "05"}
    good = decision == "approve"
    tried = act("authorize", now, amount, source="redirect", success=good)
    found["history"].append({**tried, "autoSettle": found["_auto_settle"]})
    if not good:
        reason, message = FAILURES[decision]
        found["status"], found["detail"] = "failed", {"fail": {"reason": reason, "message": message}}
        return
    found["status"] = "settled" if found["_auto_settle"] else "authorized"
    found["detail"] = {"authorize": {"amount": amount, "acquirerAuthorizationCode": f"{now:%H%M%S}"}}
    if found["_auto_settle"]:
        found["detail"]["settle"] = {"amount": amount}
