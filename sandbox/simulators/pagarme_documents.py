"""Pagar.me's documents as its API gives them out: orders, charges, transactions, hooks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

Document = dict[str, Any]


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}"


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def aged(document: Any, by: timedelta) -> Any:
    """The same document, so much older: as if that time had passed for this payment only."""
    if isinstance(document, list):
        return [aged(entry, by) for entry in document]
    if isinstance(document, Mapping):
        return {
            name: at(when(value) - by) if name.endswith("_at") and isinstance(value, str) else aged(value, by)
            for name, value in document.items()
        }
    return document


def order_of(body: Mapping[str, Any], amount: int, now: datetime, pay_page: str) -> Document:
    """A new order. ``pay_page`` is the address of the buyers' pages."""
    order_id = new_id("or")
    code = body.get("code") or secrets.token_hex(5).upper()
    payment = body["payments"][0]
    order: Document = {
        "id": order_id,
        "code": code,
        "amount": amount,
        "currency": "BRL",
        "closed": payment["payment_method"] != "checkout",
        "items": [
            {"id": new_id("oi"), "type": "product", "status": "active", "created_at": at(now), **item}
            for item in body["items"]
        ],
        "customer": {"id": new_id("cus"), "delinquent": False, "created_at": at(now), **body["customer"]},
        "status": "pending",
        "created_at": at(now),
        "updated_at": at(now),
        "metadata": body.get("metadata") or {},
    }
    if payment["payment_method"] == "checkout":
        order["checkouts"] = [_checkout(payment, amount, now, f"{pay_page}/{order_id}")]
    else:
        order["charges"] = [charge_of(order, payment["payment_method"], now, payment)]
    return order


def _checkout(payment: Mapping[str, Any], amount: int, now: datetime, url: str) -> Document:
    asked = payment["checkout"]
    return {
        "id": new_id("chk"),
        "amount": amount,
        "currency": "BRL",
        "status": "open",
        "payment_url": url,
        "created_at": at(now),
        "updated_at": at(now),
        "expires_at": at(now + timedelta(minutes=int(asked.get("expires_in") or 1440))),
        **{name: value for name, value in asked.items() if name != "expires_in"},
    }


def charge_of(order: Document, method: str, now: datetime, payment: Mapping[str, Any] | None = None) -> Document:
    """A new charge, pending, with the transaction that belongs to its method."""
    transaction: Document = {
        "id": new_id("tran"),
        "transaction_type": method,
        "gateway_id": secrets.token_hex(8),
        "amount": order["amount"],
        "status": {"pix": "waiting_payment", "boleto": "generated"}.get(method, "pending"),
        "success": True,
        "created_at": at(now),
        "updated_at": at(now),
        "gateway_response": {"code": "200", "errors": []},
        "antifraud_response": {},
        "metadata": {},
    }
    api = f"https://api.pagar.me/core/v5/transactions/{transaction['id']}"
    asked = (payment or {}).get(method) or {}
    if method == "pix":
        transaction |= {
            "qr_code": f"00020101021226820014br.gov.bcb.pix2560pix.stone.com.br/pix/v2/{secrets.token_hex(16)}"
            f"5204000053039865802BR5909Simulator6009SAO PAULO62070503***6304ABCD",
            "qr_code_url": f"{api}/qrcode?payment_method=pix",
            "expires_at": asked.get("expires_at") or at(now + timedelta(seconds=int(asked.get("expires_in") or 86400))),
            "additional_information": asked.get("additional_information") or [],
        }
    elif method == "boleto":
        number = f"{secrets.randbelow(10**11):011d}"
        transaction |= {
            "url": api,
            "pdf": f"{api}/pdf",
            "barcode": f"{api}/barcode",
            "qr_code": f"{api}/qrcode",
            "line": f"23793381286000{number}00006330{number[:4]}{order['amount']:014d}",
            "nosso_numero": number,
            "bank": "237",
            "instructions": asked.get("instructions") or "",
            "due_at": asked.get("due_at") or at(now + timedelta(days=3)),
        }
    else:
        card: Document = (order["checkouts"][-1].get("credit_card") or {}) if order.get("checkouts") else {}
        transaction |= {
            "operation_type": "auth_and_capture" if card.get("capture", True) else "auth_only",
            "installments": 1,
            "acquirer_name": "simulator",
            "acquirer_message": "Transação aprovada com sucesso",
            "acquirer_return_code": "0000",
            "acquirer_nsu": str(secrets.randbelow(10**8)),
            "acquirer_auth_code": str(secrets.randbelow(10**6)),
            "card": {
                "brand": "Visa",
                "first_six_digits": "400000",
                "last_four_digits": "0010",
                "holder_name": "TONY STARK",
            },
            "antifraud_response": {"status": "pending", "provider_name": "pagarme"},
        }
    return {
        "id": new_id("ch"),
        "code": order["code"],
        "gateway_id": secrets.token_hex(8),
        "amount": order["amount"],
        "status": "pending",
        "currency": "BRL",
        "payment_method": method,
        "created_at": at(now),
        "updated_at": at(now),
        "last_transaction": transaction,
        "metadata": {},
    }


def next_transaction(charge: Document, now: datetime, **changes: Any) -> Document:
    """Give a charge a new newest transaction, like the last one but for these fields."""
    charge["last_transaction"] = {
        **charge["last_transaction"],
        "id": new_id("tran"),
        "success": True,
        "created_at": at(now),
        "updated_at": at(now),
        **changes,
    }
    charge["updated_at"] = at(now)
    return charge["last_transaction"]


def with_order(charge: Document, order: Document) -> Document:
    """A charge as it is given out alone: with its order (less the charges) and the customer."""
    inner = {name: value for name, value in order.items() if name not in ("charges", "items", "checkouts", "customer")}
    return {**charge, "order": inner, "customer": order["customer"]}


def hook_of(kind: str, data: Document, now: datetime) -> Document:
    return {
        "id": new_id("hook"),
        "account": {"id": "acc_simulated0000000", "name": "Simulated shop"},
        "type": kind,
        "created_at": at(now),
        "data": data,
    }
