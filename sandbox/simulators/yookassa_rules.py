"""What YooKassa refuses, and how it says so: checks of requests, and the documents they become."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

#: method -> (title, how long a hold lives; None: cannot hold, largest sum).
METHODS = {
    "bank_card": ("Bank card *4477", timedelta(days=7), Decimal(350_000)),
    "sbp": ("SBP", None, Decimal(700_000)),
    "yoo_money": ("YooMoney 410011758831136", timedelta(days=7), Decimal(250_000)),
}
#: How long a payment may be paid, and how long a key is remembered.
PAYABLE, REMEMBERED = timedelta(hours=1), timedelta(hours=24)
_VALUE = re.compile(r"\d{1,12}\.\d{2}", re.ASCII)


class ApiError(HTTPException):
    """An error object of the API."""

    def __init__(self, status: int, code: str, description: str, parameter: str = ""):
        document = {"type": "error", "id": str(uuid4()), "code": code, "description": description}
        if parameter:
            document["parameter"] = parameter
        super().__init__(description, Response(json.dumps(document), status, mimetype="application/json"))


def invalid(description: str, parameter: str = "") -> ApiError:
    return ApiError(400, "invalid_request", description, parameter)


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    found = str(uuid4())
    return f"{found[:8]}-000f-5000-8000-{found[-12:]}"


def rub(value: Decimal) -> dict[str, str]:
    return {"value": f"{value:.2f}", "currency": "RUB"}


def value(document: Mapping[str, Any], name: str = "amount") -> Decimal:
    return Decimal((document.get(name) or {}).get("value", "0"))


def amount_of(body: Mapping[str, Any]) -> Decimal:
    """The checked ``amount`` of a request."""
    amount = body.get("amount")
    if not isinstance(amount, dict):
        raise invalid("Missing required parameter", "amount")
    if amount.get("currency") != "RUB":
        raise invalid("Payment currency doesn't match the currency of the shop", "amount.currency")
    if not isinstance(amount.get("value"), str) or not _VALUE.fullmatch(amount["value"]):
        raise invalid("Incorrect amount format", "amount.value")
    found = Decimal(amount["value"])
    if found <= 0:
        raise invalid("Amount must be more than zero", "amount.value")
    return found


def check_metadata(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise invalid("Too many keys", "metadata")
    for key, text in metadata.items():
        if len(key) > 32 or not isinstance(text, str) or len(text) > 512:
            raise invalid("Incorrect key or value", "metadata")
    return metadata


def check_receipt(receipt: Any, amount: Decimal) -> dict[str, Any]:
    """A receipt whose lines add up to the sum, as 54-FZ wants it."""
    if not isinstance(receipt, dict) or not receipt.get("items"):
        raise invalid("Receipt is missing or illegal", "receipt")
    customer = receipt.get("customer") or {}
    if not customer.get("email") and not customer.get("phone"):
        raise invalid("Missing required parameter", "receipt.customer")
    if len(receipt["items"]) > 80:
        raise invalid("Too many items", "receipt.items")
    total = Decimal(0)
    for item in receipt["items"]:
        if not 1 <= len(item.get("description") or "") <= 128 or item.get("vat_code") not in range(1, 13):
            raise invalid("Incorrect item", "receipt.items")
        try:
            total += value(item) * Decimal(str(item.get("quantity")))
        except InvalidOperation:
            raise invalid("Incorrect quantity", "receipt.items.quantity") from None
    if total != amount:
        raise invalid("Receipt amount doesn't match the payment amount", "receipt.items.amount")
    return receipt


def payment_record(body: Mapping[str, Any], shop_id: str, now: datetime, page: str) -> dict[str, Any]:
    """A new payment: the public ``document``, and what the provider keeps to itself."""
    amount = amount_of(body)
    method = (body.get("payment_method_data") or {}).get("type", "bank_card")
    capture = body.get("capture", False)
    if method not in METHODS:
        raise invalid("Payment method is not available", "payment_method_data.type")
    _title, hold, largest = METHODS[method]
    if not Decimal(1) <= amount <= largest:
        raise invalid("Amount is outside of the payment method's limits", "amount.value")
    if capture is not True and hold is None:
        raise invalid("Payment method doesn't support two-stage payments", "capture")
    confirmation = body.get("confirmation") or {}
    if confirmation.get("type") != "redirect" or not confirmation.get("return_url"):
        raise invalid("Missing required parameter", "confirmation.return_url")
    if len(body.get("description") or "") > 128:
        raise invalid("Description is too long", "description")
    if "receipt" in body:
        check_receipt(body["receipt"], amount)
    found = new_id()
    return {
        "document": {
            "id": found,
            "status": "pending",
            "amount": rub(amount),
            "description": body.get("description", ""),
            "recipient": {"account_id": shop_id, "gateway_id": "1758831"},
            "created_at": stamp(now),
            "confirmation": {"type": "redirect", "confirmation_url": f"{page}pay/{found}"},
            "test": True,
            "paid": False,
            "refundable": False,
            "metadata": check_metadata(body.get("metadata") or {}),
        },
        "method": method,
        "capture": capture is True,
        "receipt": body.get("receipt"),
        "return_url": confirmation["return_url"],
    }
