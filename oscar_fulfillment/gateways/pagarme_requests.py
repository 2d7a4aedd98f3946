"""The order that is sent to Pagar.me to begin a payment. Pure functions.

They want each piece's price in whole centavos, and of buyers in Brazil the document and the telephone in its parts.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from .base import Buyer, Item, PaymentRequest, to_minor
from .pagarme_charges import BRASILIA

#: How long the buyer may take where the shop does not say.
PATIENCE = {"card": timedelta(hours=2), "pix": timedelta(hours=1), "boleto": timedelta(days=3)}


def order_to_make(
    request: PaymentRequest, now: datetime, *, installments: int = 1, statement_descriptor: str = ""
) -> dict[str, Any]:
    """The order that asks for a payment. No card data: cards are typed on Pagar.me's page."""
    cents = to_minor(request.amount, request.currency)
    until = request.expires_at or now + PATIENCE[request.method]
    seconds = max(int((until - now).total_seconds()), 60)
    payment: dict[str, Any] = {"amount": cents}
    if request.method == "card":
        card = {
            "capture": not request.hold,
            "installments": [{"number": number, "total": cents} for number in range(1, installments + 1)],
            **({"statement_descriptor": statement_descriptor} if statement_descriptor else {}),
        }
        payment |= {
            "payment_method": "checkout",
            "checkout": {
                "expires_in": -(-seconds // 60),  # minutes
                "accepted_payment_methods": ["credit_card"],
                "success_url": request.return_url,
                "skip_checkout_success_page": True,
                "customer_editable": True,
                "billing_address_editable": True,
                "credit_card": card,
            },
        }
    elif request.method == "pix":
        payment |= {"payment_method": "pix", "pix": {"expires_in": seconds}}
    else:
        # A boleto is due on a day. At this hour it is the same day in UTC and in Brasília, however they read it.
        due = until.astimezone(BRASILIA).strftime("%Y-%m-%dT23:59:59Z")
        instructions = (request.description or request.order_number)[:256]
        payment |= {"payment_method": "boleto", "boleto": {"due_at": due, "instructions": instructions}}
    return {
        "code": request.reference,
        "items": _items(request, cents),
        "customer": _customer(request.buyer),
        "payments": [payment],
        "metadata": {"order_number": request.order_number, "hold": "true" if request.hold else "false"},
    }


def _items(request: PaymentRequest, cents: int) -> list[dict[str, Any]]:
    """The lines if they add up to the sum (a discount or the shipping may stand beside them), else one for all."""
    lines = [item for item in request.items if item.total]
    if not lines or any(item.total < 0 or item.quantity < 1 for item in lines):
        return [_whole(request, cents)]
    totals = [to_minor(item.total, request.currency) for item in lines]
    if sum(totals) != cents:
        return [_whole(request, cents)]
    return [_line(item, total) for item, total in zip(lines, totals, strict=True)]


def _whole(request: PaymentRequest, cents: int) -> dict[str, Any]:
    text = request.description or request.order_number
    return {"code": request.order_number[:52], "description": text[:256], "quantity": 1, "amount": cents}


def _line(item: Item, total: int) -> dict[str, Any]:
    quantity, title = item.quantity, item.title
    if total % quantity:  # their amount is per piece, in whole centavos
        quantity, title = 1, f"{item.quantity} x {item.title}"
    return {"code": item.sku[:52], "description": title[:256], "quantity": quantity, "amount": total // quantity}


def _customer(buyer: Buyer) -> dict[str, Any]:
    document = re.sub(r"[^0-9A-Za-z]", "", buyer.tax_id)
    kind = buyer.tax_id_kind.lower()
    found: dict[str, Any] = {"name": buyer.name[:64], "email": buyer.email[:64]}
    if document and kind in ("cpf", "cnpj"):
        found |= {
            "document": document,
            "document_type": kind.upper(),
            "type": "individual" if kind == "cpf" else "company",
        }
    if phone := _phone(buyer.phone):
        found["phones"] = {"mobile_phone": phone}
    if buyer.line1 and buyer.city and buyer.state and buyer.postcode:
        found["address"] = {
            "line_1": buyer.line1[:256],
            "zip_code": re.sub(r"[^0-9A-Za-z]", "", buyer.postcode)[:16],
            "city": buyer.city[:64],
            "state": buyer.state[:2],
            "country": buyer.country or "BR",
        }
    return {name: value for name, value in found.items() if value}


def _phone(typed: str) -> dict[str, str]:
    """A Brazilian number in its parts; {} for another one, whose parts nobody can tell."""
    digits = re.sub(r"[^0-9]", "", typed).lstrip("0")
    if len(digits) in (12, 13) and digits.startswith("55"):
        digits = digits[2:]
    elif typed.strip().startswith("+"):
        return {}
    if len(digits) not in (10, 11):
        return {}
    return {"country_code": "55", "area_code": digits[:2], "number": digits[2:]}
