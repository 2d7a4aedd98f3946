"""Pagar.me's orders: one of theirs is one payment of ours. Pure functions, both ways.

An order holds a ``checkout`` (their page for cards) and ``charges``; on the page a charge appears only when the buyer
pays. Not documented, and so read either way: what becomes of a checkout that nobody pays on in time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered

from .base import Buyer, Item, PaymentRequest, PaymentState, RemotePayment, from_minor, to_minor
from .pagarme_charges import (
    BRASILIA,
    CURRENCY,
    METHODS,
    TRANSACTIONS,
    Clocks,
    came_in,
    charge_state,
    hold_until,
    link,
    logger,
    moment,
    pays_until,
    reason_of,
    refund_of,
    status_of,
    transaction_of,
    went_back,
)

#: Which of several charges says how the payment stands: the first of these.
_RANK = (
    PaymentState.CAPTURED,
    PaymentState.AUTHORIZED,
    PaymentState.IN_REVIEW,
    PaymentState.CHARGED_BACK,
    PaymentState.REFUNDED,
    PaymentState.UNKNOWN,
    PaymentState.PENDING,
    PaymentState.REFUSED_ANTIFRAUD,
    PaymentState.REFUSED,
    PaymentState.CANCELLED,
    PaymentState.EXPIRED,
)
_DEAD = frozenset({PaymentState.REFUSED, PaymentState.REFUSED_ANTIFRAUD, PaymentState.CANCELLED, PaymentState.EXPIRED})


def is_hold(order: Mapping[str, Any]) -> bool:
    """Whether the order was begun as a hold; it says so in the metadata that we gave it."""
    metadata = order.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("hold") == "true"


def charges_of(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _documents(order.get("charges"))


def checkout_of(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """The newest checkout of an order, {} for one without."""
    found = _documents(order.get("checkouts"))
    return found[-1] if found else {}


def _documents(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, Sequence) else []


def _page_state(order: Mapping[str, Any], clocks: Clocks) -> PaymentState:
    """How an order stands that has no charge: by its page."""
    checkout, status = checkout_of(order), status_of(order)
    until, ended = moment(checkout.get("expires_at")), moment(checkout.get("canceled_at"))
    if status in ("canceled", "failed"):
        ended = ended or moment(order.get("updated_at"))  # it ended then, however late it is now
    if status_of(checkout) == "expired" or (until and (ended or clocks.now) >= until):
        return PaymentState.EXPIRED
    if status == "canceled" or status_of(checkout) == "canceled":
        return PaymentState.CANCELLED
    if status == "failed":
        return PaymentState.REFUSED
    if status in ("pending", "processing", "paid"):
        return PaymentState.PENDING  # "paid" without a charge: no money that anybody could see
    logger.warning("Pagar.me: unknown status %.50r of an order", status)
    return PaymentState.UNKNOWN


def order_state(order: Mapping[str, Any], clocks: Clocks) -> tuple[PaymentState, Mapping[str, Any]]:
    """How an order stands, and the charge that says so ({} for none)."""
    known = [(charge_state(charge, clocks), charge) for charge in reversed(charges_of(order))]
    if not known:
        return _page_state(order, clocks), {}
    state, charge = min(known, key=lambda pair: _RANK.index(pair[0]))
    if state in _DEAD and status_of(order) == "pending" and status_of(checkout_of(order)) == "open":
        return _page_state(order, clocks), charge  # the buyer may try another card on the same page
    return state, charge


# The whole


def payment_of(order: Any, clocks: Clocks) -> RemotePayment:
    """An order of theirs as a payment of ours. :class:`AdapterUnanswered` for what is no order."""
    if not isinstance(order, Mapping) or not isinstance(order.get("id"), str):
        raise AdapterUnanswered("Pagar.me answered something that is no order")
    try:
        return _payment_of(order, clocks)
    except (TypeError, ValueError, ArithmeticError, AdapterRejected) as error:
        raise AdapterUnanswered("Pagar.me answered an order that cannot be read") from error


def _payment_of(order: Mapping[str, Any], clocks: Clocks) -> RemotePayment:
    state, charge = order_state(order, clocks)
    transaction, checkout, charges = transaction_of(charge), checkout_of(order), charges_of(order)
    currency, held = str(order.get("currency") or CURRENCY), is_hold(order)
    captured = sum(came_in(each) for each in charges)
    holds = [each for each in charges if charge_state(each, clocks) == PaymentState.AUTHORIZED]
    holds += [each for each in charges if _in_review(each, clocks) and not came_in(each)]
    authorized = sum(int(each.get("amount") or 0) for each in holds) + (captured if held else 0)
    refunded = sum(went_back(each, held=held) for each in charges)
    if state == PaymentState.CAPTURED and 0 < captured <= refunded:
        state = PaymentState.REFUNDED
    accepted = checkout.get("accepted_payment_methods")
    word = charge.get("payment_method") or (accepted[0] if isinstance(accepted, list) and accepted else "")
    last, _over = pays_until(charge, clocks) if charge else (moment(checkout.get("expires_at")), None)
    waiting = state == PaymentState.PENDING
    return RemotePayment(
        external_id=order["id"],
        state=state,
        amount=from_minor(order.get("amount"), currency),
        currency=currency,
        reference=str(order.get("code") or ""),
        authorized=from_minor(authorized, currency),
        captured=from_minor(captured, currency),
        refunded=from_minor(refunded, currency),
        method=METHODS.get(str(word), ""),
        reason=reason_of(charge) if state not in (PaymentState.CAPTURED, PaymentState.AUTHORIZED) else "",
        raw_status="/".join(filter(None, map(status_of, (order, charge or checkout, transaction)))),
        redirect_url=link(checkout.get("payment_url")) if waiting else "",
        instructions=_instructions(transaction) if waiting else {},
        expires_at=last if waiting else None,
        hold_expires_at=hold_until(charge, clocks) if state == PaymentState.AUTHORIZED else None,
        paid_at=next((moment(each["paid_at"]) for each in charges if each.get("paid_at")), None),
        refunds=[refund for each in charges if came_in(each) and (refund := refund_of(each, currency))],
    )


def _in_review(charge: Mapping[str, Any], clocks: Clocks) -> bool:
    held = TRANSACTIONS.get(status_of(transaction_of(charge))) == PaymentState.AUTHORIZED
    return held and charge_state(charge, clocks) == PaymentState.IN_REVIEW


def _instructions(transaction: Mapping[str, Any]) -> dict[str, str]:
    pix = transaction.get("transaction_type") == "pix"
    found = {
        "pix_code": transaction.get("qr_code") if pix else "",
        "pix_qr_url": link(transaction.get("qr_code_url")) if pix else "",
        "boleto_line": transaction.get("line"),
        "boleto_url": link(transaction.get("pdf")) or link(transaction.get("url")),
    }
    return {name: str(value) for name, value in found.items() if value}


# An order to make

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
