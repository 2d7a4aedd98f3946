"""The documents that the Mercado Pago simulator keeps and answers with, after the recorded answers of the real one."""

from __future__ import annotations

import binascii
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

COLLECTOR = 823549964
#: Mercado Pago writes its moments in this offset.
ZONE = timezone(timedelta(hours=-4))
#: How long a buyer has who was given no date: three days for a boleto, one for a Pix.
DEFAULT_TIME = {"bolbradesco": timedelta(days=3), "pix": timedelta(days=1)}


def written(moment: datetime) -> str:
    return moment.astimezone(ZONE).isoformat(timespec="milliseconds")


def public(document: dict[str, Any]) -> dict[str, Any]:
    """A document without the simulator's own notes."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


def preference(number: int, body: dict[str, Any], now: datetime, root: str) -> dict[str, Any]:
    found = f"{COLLECTOR}-{number:08x}-1c8b-4333-b075-3ae52a0371c8"
    return {
        "id": found,
        "client_id": "6245132082630004",
        "collector_id": COLLECTOR,
        "date_created": written(now),
        "last_updated": None,
        "items": body["items"],
        "payer": body.get("payer") or {},
        "back_urls": body.get("back_urls") or {"success": "", "pending": "", "failure": ""},
        "auto_return": body.get("auto_return") or "",
        "payment_methods": body.get("payment_methods") or {},
        "external_reference": body.get("external_reference") or "",
        "notification_url": body.get("notification_url"),
        "statement_descriptor": body.get("statement_descriptor"),
        "metadata": body.get("metadata") or {},
        "expires": bool(body.get("expires")),
        "expiration_date_from": body.get("expiration_date_from"),
        "expiration_date_to": body.get("expiration_date_to"),
        "date_of_expiration": None,
        "init_point": f"{root}checkout/v1/redirect?pref_id={found}",
        "sandbox_init_point": f"{root}checkout/v1/redirect?pref_id={found}",
        "binary_mode": bool(body.get("binary_mode")),
        "marketplace": "NONE",
        "operation_type": "regular_payment",
        "site_id": "MLB",
        "total_amount": None,
    }


#: What a search tells of a preference.
SUMMARY = ("id", "client_id", "collector_id", "date_created", "expires", "expiration_date_from", "expiration_date_to",
           "external_reference", "last_updated", "marketplace", "operation_type", "site_id")  # fmt: skip


def total(preference: dict[str, Any]) -> Decimal:
    return sum((Decimal(str(one["unit_price"])) * one["quantity"] for one in preference["items"]), Decimal(0))


def payment(number: int, body: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A payment without a state and without what belongs to its method."""
    return {
        "id": 1_311_000_000 + number,
        "date_created": written(now),
        "date_approved": None,
        "date_last_updated": written(now),
        "date_of_expiration": None,
        "money_release_date": None,
        "operation_type": "regular_payment",
        "status": "pending",
        "status_detail": "",
        "currency_id": "BRL",
        "description": body.get("description"),
        "live_mode": False,
        "collector_id": COLLECTOR,
        "payer": {"id": "128185910", **(body.get("payer") or {})},
        "metadata": body.get("metadata") or {},
        "additional_info": body.get("additional_info") or {},
        "order": {},
        "external_reference": body.get("external_reference"),
        "transaction_amount": body["transaction_amount"],
        "transaction_amount_refunded": 0,
        "coupon_amount": 0,
        "shipping_amount": 0,
        "installments": 1,
        "transaction_details": {
            "net_received_amount": 0,
            "total_paid_amount": body["transaction_amount"],
            "overpaid_amount": 0,
            "external_resource_url": None,
            "installment_amount": 0,
            "financial_institution": None,
            "payment_method_reference_id": None,
        },
        "fee_details": [],
        "captured": True,
        "binary_mode": False,
        "card": {},
        "notification_url": body.get("notification_url"),
        "refunds": [],
        "processing_mode": "aggregator",
        "point_of_interaction": {"type": "UNSPECIFIED"},
    }


def by_card(document: dict[str, Any], preference_id: str) -> None:
    """A payment made at a hosted checkout."""
    document["payment_method_id"], document["payment_type_id"] = "master", "credit_card"
    document["order"] = {"id": str(document["id"] + 3_000_000_000), "type": "mercadopago"}
    document["card"] = {"first_six_digits": "503143", "last_four_digits": "6351", "cardholder": {"name": "APRO"}}
    document["point_of_interaction"] = {"type": "CHECKOUT"}
    document["_preference"] = preference_id


def by_boleto(document: dict[str, Any], due: datetime, root: str) -> None:
    document["payment_method_id"], document["payment_type_id"] = "bolbradesco", "ticket"
    document["status_detail"] = "pending_waiting_payment"
    document["date_of_expiration"] = written(due)
    document["barcode"] = {"content": bars(document["id"], due, Decimal(str(document["transaction_amount"])))}
    link = f"{root}payments/{document['id']}/ticket?caller_id=128185910&payment_method_id=bolbradesco"
    document["transaction_details"] |= {
        "external_resource_url": link,
        "financial_institution": "bradesco",
        "payment_method_reference_id": str(document["id"])[-10:],
    }


def by_pix(document: dict[str, Any], due: datetime, root: str) -> None:
    document["payment_method_id"], document["payment_type_id"] = "pix", "bank_transfer"
    document["status_detail"] = "pending_waiting_transfer"
    document["date_of_expiration"] = written(due)
    document["point_of_interaction"] = {
        "type": "OPENPLATFORM",
        "transaction_data": {
            "qr_code": brcode(f"mpqrinter{document['id']}", Decimal(str(document["transaction_amount"]))),
            "qr_code_base64": "",
            "ticket_url": f"{root}payments/{document['id']}/ticket?caller_id=128185910",
        },
    }


def refund(number: int, payment: dict[str, Any], amount: Any, status: str, now: datetime) -> dict[str, Any]:
    return {
        "id": 1_245_000_000 + number,
        "payment_id": payment["id"],
        "amount": amount,
        "metadata": {},
        "source": {"id": str(COLLECTOR), "name": "Test Seller", "type": "collector"},
        "date_created": written(now),
        "unique_sequence_number": None,
        "refund_mode": "standard",
        "adjustment_amount": 0,
        "status": status,
        "reason": None,
        "labels": [],
        "partition_details": [],
    }


def bars(number: int, due: datetime, amount: Decimal) -> str:
    """The 44 digits of a boleto of Bradesco (237): due factor, sum and free field, with the check digit modulo 11."""
    days = (due.astimezone(ZONE).date() - datetime(1997, 10, 7, tzinfo=ZONE).date()).days
    factor = (days - 1000) % 9000 + 1000  # it began again at 1000 on 22 February 2025
    rest = f"2379{factor:04d}{int(amount * 100):010d}{3380:04d}{26:02d}{number:011d}{6333:07d}0"
    weights = [2 + position % 8 for position in range(43)]
    remainder = 11 - sum(int(digit) * weight for digit, weight in zip(reversed(rest), weights, strict=True)) % 11
    return rest[:4] + str(remainder if 1 < remainder < 10 else 1) + rest[4:]


def brcode(name: str, amount: Decimal) -> str:
    """A static Pix code (EMV, CRC-16/CCITT-FALSE at its end)."""

    def field(tag: str, value: str) -> str:
        return f"{tag}{len(value):02d}{value}"

    account = field("00", "br.gov.bcb.pix") + field("01", "d58a7469-afb3-48dd-b279-5576754cd5f7")
    code = "".join(
        (field("00", "01"), field("26", account), field("52", "0000"), field("53", "986"), field("54", f"{amount:.2f}"),
         field("58", "BR"), field("59", "Simulated Shop"), field("60", "Sao Paulo"), field("62", field("05", name)), "6304")
    )  # fmt: skip
    return f"{code}{binascii.crc_hqx(code.encode(), 0xFFFF):04X}"
