"""Mercado Pago's words and documents, read: pure functions from its JSON to ours.

Sources: the reference of the Payments and Preferences APIs, "Payment status" and "Refunds" of the developers' site,
the OpenAPI description and the SDKs' recorded answers at github.com/mercadopago.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.gateways.base import PaymentState, RemotePayment, RemoteRefund, money

logger = logging.getLogger("oscar_fulfillment.gateways.mercadopago")

Document = Mapping[str, Any]

#: ``status`` of a payment. It alone says whether money moved; ``status_detail`` only makes it finer.
STATES = {
    "pending": PaymentState.PENDING,
    "in_process": PaymentState.IN_REVIEW,
    "authorized": PaymentState.AUTHORIZED,
    "approved": PaymentState.CAPTURED,
    # The buyer complains and Mercado Pago mediates: the money came in, and nothing has been given back yet.
    "in_mediation": PaymentState.CAPTURED,
    "rejected": PaymentState.REFUSED,
    "cancelled": PaymentState.CANCELLED,
    "canceled": PaymentState.CANCELLED,  # so in some of its pages
    "refunded": PaymentState.REFUNDED,
    "charged_back": PaymentState.CHARGED_BACK,
}

#: ``(status, status_detail)`` where the detail changes the meaning.
FINER = {
    ("pending", "pending_contingency"): PaymentState.IN_REVIEW,
    ("pending", "pending_review_manual"): PaymentState.IN_REVIEW,
    ("rejected", "cc_rejected_high_risk"): PaymentState.REFUSED_ANTIFRAUD,
    ("rejected", "rejected_high_risk"): PaymentState.REFUSED_ANTIFRAUD,
    ("rejected", "cc_rejected_blacklist"): PaymentState.REFUSED_ANTIFRAUD,
    ("rejected", "cc_rejected_fraud"): PaymentState.REFUSED_ANTIFRAUD,
    ("cancelled", "expired"): PaymentState.EXPIRED,
    ("canceled", "expired"): PaymentState.EXPIRED,
    ("charged_back", "reimbursed"): PaymentState.CAPTURED,  # decided for the shop: it has its money again
}

#: The details we know, by status. Another one is logged; the status still counts.
DETAILS = {
    "pending": {"pending_waiting_payment", "pending_waiting_transfer", "pending_challenge", "pending_contingency",
                "pending_review_manual", "pending"},
    "in_process": {"offline_process", "pending_contingency", "pending_review_manual", "deferred_retry", "in_process",
                   "pending_challenge"},
    "authorized": {"pending_capture", "authorized"},
    "approved": {"accredited", "partially_refunded"},
    "in_mediation": {"pending", "in_mediation"},
    "rejected": {
        "bank_error", "cc_amount_rate_limit_exceeded", "cc_rejected_3ds_challenge", "cc_rejected_3ds_mandatory",
        "cc_rejected_bad_filled_card_number", "cc_rejected_bad_filled_date", "cc_rejected_bad_filled_other",
        "cc_rejected_bad_filled_security_code", "cc_rejected_blacklist", "cc_rejected_call_for_authorize",
        "cc_rejected_card_disabled", "cc_rejected_card_error", "cc_rejected_card_type_not_allowed",
        "cc_rejected_duplicated_payment", "cc_rejected_fraud", "cc_rejected_high_risk",
        "cc_rejected_insufficient_amount", "cc_rejected_invalid_installments", "cc_rejected_max_attempts",
        "cc_rejected_other_reason", "cc_rejected_time_out", "insufficient_amount", "rejected_by_bank",
        "rejected_by_biz_rule", "rejected_by_regulations", "rejected_high_risk", "rejected_insufficient_data",
        "rejected_other_reason", "cc_rejected_plugin_pm", "invalid_esc",
    },
    "cancelled": {"expired", "by_collector", "by_payer"},
    "canceled": {"expired", "by_collector", "by_payer"},
    "refunded": {"refunded", "by_admin"},
    "charged_back": {"in_process", "settled", "reimbursed"},
}  # fmt: skip

#: ``payment_type_id`` -> our method. A hosted checkout also takes Mercado Pago's own wallet: the buyer chose "card".
METHODS = {
    "credit_card": "card",
    "debit_card": "card",
    "prepaid_card": "card",
    "account_money": "card",
    "digital_wallet": "card",
    "digital_currency": "card",
    "ticket": "boleto",
    "bank_transfer": "pix",
    "pix": "pix",
}

#: ``status`` of a refund.
REFUNDS = {
    "approved": "done",
    "in_process": "pending",
    "pending": "pending",
    "rejected": "failed",
    "cancelled": "failed",
}

#: Of several attempts at one checkout the first of these that some attempt has is where the whole stands; refused
#: attempts count only when there is nothing else, and then the newest.
_DECISIVE = (
    PaymentState.CAPTURED,
    PaymentState.AUTHORIZED,
    PaymentState.CHARGED_BACK,
    PaymentState.REFUNDED,
    PaymentState.IN_REVIEW,
    PaymentState.UNKNOWN,
    PaymentState.PENDING,
)
_HAD_MONEY = frozenset({PaymentState.CAPTURED, PaymentState.REFUNDED, PaymentState.CHARGED_BACK})
_REFUSED = frozenset({PaymentState.REFUSED, PaymentState.REFUSED_ANTIFRAUD})


def state_of(status: str, detail: str) -> PaymentState:
    """What Mercado Pago's two words mean; words that nobody wrote down are logged."""
    if status not in STATES:
        logger.warning("unknown status %r (%r)", status, detail)
        return PaymentState.UNKNOWN
    if detail and detail not in DETAILS[status]:
        logger.warning("unknown detail %r of status %r", detail, status)
    return FINER.get((status, detail), STATES[status])


def payment(document: Document) -> RemotePayment:
    """One payment of /v1/payments. :class:`AdapterRejected` for one without a readable sum."""
    status, detail = _text(document, "status"), _text(document, "status_detail")
    state = state_of(status, detail)
    amount = money(document.get("transaction_amount"))
    refunded = money(document.get("transaction_amount_refunded") or 0)
    if state is PaymentState.REFUNDED and not refunded:
        refunded = amount
    return RemotePayment(
        external_id=_id(document),
        state=state,
        amount=amount,
        currency=_text(document, "currency_id"),
        reference=_text(document, "external_reference"),
        authorized=amount if state is PaymentState.AUTHORIZED else Decimal(0),
        captured=amount if state in _HAD_MONEY else Decimal(0),
        refunded=refunded,
        method=METHODS.get(_text(document, "payment_type_id"), ""),
        reason=_reason(status, detail, state),
        raw_status=f"{status}/{detail}" if detail else status,
        instructions=_instructions(document) if state is PaymentState.PENDING else {},
        expires_at=moment(document.get("date_of_expiration")) if state is PaymentState.PENDING else None,
        paid_at=moment(document.get("date_approved")),
        refunds=tuple(refund(found) for found in _dicts(document.get("refunds"))),
    )


def _reason(status: str, detail: str, state: PaymentState) -> str:
    if status in ("approved", "authorized") or state is PaymentState.PENDING:
        return ""
    return status if status == "in_mediation" else detail


def refund(document: Document) -> RemoteRefund:
    """One refund; a state we do not know counts as pending, so that somebody looks at it again."""
    status = _text(document, "status")
    if status not in REFUNDS:
        logger.warning("unknown refund status %r", status)
    state = REFUNDS.get(status, "pending")
    reason = _text(document, "reason") or ("" if state == "done" else status)
    return RemoteRefund(_id(document), money(document.get("amount")), state, reason=reason)


def preference(document: Document, now: datetime) -> RemotePayment:
    """A hosted checkout at which nobody has tried to pay. Mercado Pago gives it no status; its end gives it one."""
    items = _dicts(document.get("items"))
    amount = sum((money(item.get("unit_price")) * money(item.get("quantity") or 1) for item in items), Decimal(0))
    expires_at = moment(document.get("expiration_date_to")) if document.get("expires") is True else None
    over = expires_at is not None and expires_at <= now
    closed = over and _dict(document.get("metadata")).get("closed_by_shop") is True
    link = _text(document, "init_point")
    return RemotePayment(
        external_id=_id(document),
        state=PaymentState.CANCELLED if closed else PaymentState.EXPIRED if over else PaymentState.PENDING,
        amount=amount,
        currency=next((_text(item, "currency_id") for item in items), ""),
        reference=_text(document, "external_reference"),
        method="card",
        raw_status="closed" if closed else "expired" if over else "open",
        redirect_url=link if urlsplit(link).scheme in ("http", "https") and not over else "",
        expires_at=None if over else expires_at,
    )


def together(whole: RemotePayment, attempts: Sequence[RemotePayment]) -> RemotePayment:
    """A checkout with all attempts to pay at it, oldest first, as one payment under the checkout's id.

    Paid twice shows as the sum. What one of two payments lost to a chargeback then counts as given back, as the other
    one is still there; a chargeback of the only payment is a state.
    """
    decisive = decide(attempts)
    if decisive is None or (decisive.state in _REFUSED and whole.state is PaymentState.CANCELLED):
        return whole  # nobody holds or awaits money: the checkout itself says where it stands
    taken_back = Decimal(0)
    if decisive.state is PaymentState.CAPTURED:
        lost = (one for one in attempts if one.state is PaymentState.CHARGED_BACK)
        taken_back = sum((one.captured - one.refunded for one in lost), Decimal(0))
    paid = sorted(one.paid_at for one in attempts if one.paid_at and one.state in _HAD_MONEY)
    return replace(
        whole,
        state=decisive.state,
        authorized=sum((one.authorized for one in attempts), Decimal(0)),
        captured=sum((one.captured for one in attempts), Decimal(0)),
        refunded=sum((one.refunded for one in attempts), Decimal(0)) + taken_back,
        method=decisive.method or whole.method,
        reason=decisive.reason,
        raw_status=decisive.raw_status,
        # A refused buyer may try again at the same place.
        redirect_url=whole.redirect_url if decisive.state in _REFUSED | {PaymentState.PENDING} else "",
        instructions=decisive.instructions,
        expires_at=whole.expires_at or decisive.expires_at,
        paid_at=paid[0] if paid else None,
        refunds=tuple(found for one in attempts for found in one.refunds),
    )


def decide(attempts: Sequence[RemotePayment]) -> RemotePayment | None:
    """Of these attempts, oldest first, the one that says where all stand; None if all were abandoned."""
    for state in _DECISIVE:
        for one in attempts:
            if one.state is state:
                return one
    return next((one for one in reversed(attempts) if one.state in _REFUSED), None)


def _instructions(document: Document) -> dict[str, str]:
    code = _text(_dict(_dict(document.get("point_of_interaction")).get("transaction_data")), "qr_code")
    if code:
        return {"pix_code": code}
    details = _dict(document.get("transaction_details"))
    bars = _dict(document.get("barcode")) or _dict(details.get("barcode"))
    line = _text(details, "digitable_line") or boleto_line(_text(bars, "content"))
    link = _text(details, "external_resource_url")
    if urlsplit(link).scheme not in ("http", "https"):
        link = ""
    return {name: value for name, value in (("boleto_line", line), ("boleto_url", link)) if value}


def boleto_line(bars: str) -> str:
    """The 47 digits that a person types, from the 44 of a boleto's bar code (FEBRABAN); other lengths as they are.

    Mercado Pago only gives the bars. The line holds bank, currency and free field in three parts, each with a check
    digit modulo 10, then the bar code's own check digit, due factor and sum.
    """
    if len(bars) != 44 or not bars.isascii() or not bars.isdigit():
        return bars
    free = bars[19:]
    parts = (bars[:4] + free[:5], free[5:15], free[15:])
    return "".join(part + _modulo10(part) for part in parts) + bars[4] + bars[5:19]


def _modulo10(digits: str) -> str:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        product = int(digit) * (2 if position % 2 == 0 else 1)
        total += product - 9 if product > 9 else product
    return str(-total % 10)


def moment(value: Any) -> datetime | None:
    """An ISO 8601 moment; None for what is none. Without an offset it is UTC."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        logger.warning("unreadable moment %r", value[:40])
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(document: Document, name: str) -> str:
    """A word or number of a document as text that a database takes; anything else counts as missing."""
    value = document.get(name)
    if isinstance(value, str):
        return "".join(letter for letter in value if letter.isprintable())
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _id(document: Document) -> str:
    found = _text(document, "id")
    if not found:
        raise AdapterRejected("the document has no id")
    return found


def _dict(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[Document]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
