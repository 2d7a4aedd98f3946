"""What Datatrans says (JSON API v1), in our words: its codes, and its transaction documents as :class:`RemotePayment`.

Pure functions. Words and fields are those of Datatrans' OpenAPI description, https://api-reference.datatrans.ch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered

from .base import PaymentState, RemotePayment, from_minor

logger = logging.getLogger("oscar_fulfillment.gateways")

#: The transaction's ``status``. "canceled" and "failed" are looked at more closely (:func:`state_of`).
STATES = {
    "initialized": PaymentState.PENDING,
    "challenge_required": PaymentState.PENDING,
    "challenge_ongoing": PaymentState.PENDING,
    "authenticated": PaymentState.PENDING,
    "authorized": PaymentState.AUTHORIZED,
    "settled": PaymentState.CAPTURED,
    "transmitted": PaymentState.CAPTURED,
    "compensated": PaymentState.CAPTURED,  # reported as paid out by the reconciliation service
    "canceled": PaymentState.CANCELLED,
    "failed": PaymentState.REFUSED,
}

#: Failures that are not the issuer's; every other ``detail.fail.reason`` is.
FAILURES = {"BLOCKED_BY_VELOCITY_CHECKER": PaymentState.REFUSED_ANTIFRAUD}

#: ``paymentMethod`` -> our method. Brands of cards that the account has besides are cards, too.
METHODS = {
    "TWI": "twint",
    **dict.fromkeys(("VIS", "ECA", "AMX", "CBL", "CUP", "DIN", "DIS", "DNK", "HPC", "JCB", "MAU"), "card"),
    **dict.fromkeys(("PFC", "PEF"), "postfinance"),
}

#: ``error.code`` -> what to tell the merchant. The provider's own words follow in brackets.
ERRORS: dict[str, Any] = {
    "UNAUTHORIZED": _("Datatrans does not accept the merchant id and password."),
    "INVALID_SIGN": _("Datatrans does not accept the merchant id and password."),
    "INVALID_SETUP": _("The Datatrans account is not set up for this."),
    "INVALID_PROPERTY": _("Datatrans refuses a value."),
    "UNRECOGNIZED_PROPERTY": _("Datatrans refuses a value."),
    "INVALID_JSON_PAYLOAD": _("Datatrans refuses a value."),
    "INVALID_TRANSACTION_STATUS": _("The payment's state at Datatrans does not allow this."),
    "TRANSACTION_NOT_FOUND": _("Datatrans has no such payment."),
    "DUPLICATE_REFNO": _("Datatrans already has a payment with this reference."),
    "DUPLICATED_REFNO": _("Datatrans already has a payment with this reference."),
    "DECLINED": _("The buyer's bank or its acquirer declined."),
    "SOFT_DECLINED": _("The buyer's bank or its acquirer declined."),
    "REFERRAL": _("The buyer's bank or its acquirer declined."),
    "EXPIRED_CARD": _("The card has expired."),
    "INVALID_CARD": _("The card is not valid."),
    "INVALID_CVV": _("The card's security code is wrong."),
    "BLOCKED_CARD": _("The card is blocked."),
    "UNSUPPORTED_CARD": _("The account does not take this card."),
    "BLOCKED_BY_VELOCITY_CHECKER": _("Datatrans' risk check refused."),
}
#: With these nobody can tell whether it was done.
UNCERTAIN = frozenset({"UNKNOWN_ERROR", "SERVER_ERROR", "THIRD_PARTY_ERROR"})

#: Outcome of 3-D Secure 2 (``authenticationResponse`` after a challenge, else ``directoryResponse``).
AUTHENTICATION = {
    "Y": _("authenticated"),
    "A": _("attempted"),
    "N": _("failed"),
    "R": _("rejected"),
    "U": _("not available"),
    "C": _("not completed"),
    "D": _("card not enrolled"),
}

#: An id of a transaction, always 18 digits.
ID = re.compile(r"[0-9]{18}", re.ASCII)


def remote_payment(document: Any, *, pay_url: str = "", hold_days: Mapping[str, int] | None = None) -> RemotePayment:
    """A transaction of type "payment". ``hold_days``: how long a hold lasts, by method; Datatrans does not tell.

    :class:`AdapterUnanswered` for a document that is no transaction.
    """
    external_id, currency = word(document, "transactionId"), word(document, "currency")
    if not external_id or not currency:
        raise AdapterUnanswered("Datatrans' answer is no transaction")
    detail, history = _object(document.get("detail")), actions(document)

    def part(name: str) -> Decimal:
        return _sum(_object(detail.get(name)), currency)

    def total(action: str) -> Decimal:
        return sum((_sum(act, currency) for act in history if _done(act, action)), Decimal(0))

    state, method = state_of(document), METHODS.get(word(document, "paymentMethod"), "")
    authorization = next((act for act in history if _done(act, "authorize")), {})
    settlement = next((act for act in history if _done(act, "settle")), authorization)
    begun = next((act for act in history if act.get("amount")), {})
    held = part("authorize") or total("authorize")
    captured = authorized = refunded = Decimal(0)
    hold_ends = None
    if state == PaymentState.CAPTURED:
        captured = part("settle") or total("settle") or held
        authorized = Decimal(0) if authorization.get("autoSettle") is True else captured
        refunded = total("credit")
        if refunded and refunded >= captured:
            state = PaymentState.REFUNDED
    elif state == PaymentState.AUTHORIZED:
        authorized = held
        days, since = (hold_days or {}).get(method), moment(authorization.get("date"))
        hold_ends = since + timedelta(days=days) if days and since else None
    pending = state == PaymentState.PENDING
    return RemotePayment(
        external_id=external_id,
        state=state,
        amount=held or _sum(begun, currency),
        currency=currency,
        reference=word(document, "refno"),
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        method=method or word(document, "paymentMethod").lower(),
        reason=reason_of(document),
        raw_status=word(document, "status"),
        redirect_url=f"{pay_url}/v1/start/{external_id}" if pending and pay_url else "",
        expires_at=moment(_object(detail.get("init")).get("expires")) if pending else None,
        hold_expires_at=hold_ends,
        paid_at=moment(settlement.get("date")) if captured else None,
    )


def state_of(document: Mapping[str, Any]) -> PaymentState:
    """The state. A form that timed out is "canceled" (or "failed") by the system, without an attempt to authorize."""
    status, history = word(document, "status"), actions(document)
    state = STATES.get(status)
    if state is None:
        logger.warning("Datatrans: unknown status %.40r of %s", status, word(document, "transactionId"))
        return PaymentState.UNKNOWN
    if state == PaymentState.CANCELLED:
        by_system = any(_done(act, "cancel") and act.get("source") == "system" for act in history)
        return PaymentState.EXPIRED if by_system else state
    if state == PaymentState.REFUSED:
        fail = word(_object(_object(document.get("detail")).get("fail")), "reason")
        tried = any(act.get("action") in ("authorize", "authenticate") for act in history)
        return FAILURES.get(fail, state) if fail or tried else PaymentState.EXPIRED
    return state


def reason_of(document: Mapping[str, Any]) -> str:
    """Why it failed, in the provider's words, with the outcome of 3-D Secure where it is known."""
    if word(document, "status") != "failed":
        return ""
    fail = _object(_object(document.get("detail")).get("fail"))
    said = [word(fail, "reason"), word(fail, "message")]
    if outcome := three_d_secure(document):
        said.append(f"3-D Secure: {outcome}")
    return "; ".join(text for text in said if text)[:500]


def three_d_secure(document: Mapping[str, Any]) -> str:
    """How the cardholder's authentication ended, "" when there was none."""
    data = _object(_object(document.get("card")).get("3D"))
    code = word(data, "authenticationResponse") or word(data, "directoryResponse")
    return str(AUTHENTICATION.get(code, code))


def credits_of(document: Mapping[str, Any]) -> list[tuple[datetime | None, Decimal]]:
    """When and how much was given back, oldest first."""
    currency = word(document, "currency")
    return [(moment(act.get("date")), _sum(act, currency)) for act in actions(document) if _done(act, "credit")]


def actions(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The transaction's history, oldest first."""
    history = document.get("history")
    found = [act for act in history if isinstance(act, dict)] if isinstance(history, list) else []
    return sorted(found, key=lambda act: moment(act.get("date")) or datetime.max.replace(tzinfo=UTC))


def word(document: Any, name: str) -> str:
    """A text of a document, "" for everything that is none."""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


def moment(value: Any) -> datetime | None:
    """A date of Datatrans (ISO 8601), None for what is none. Without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sum(part: Mapping[str, Any], currency: str) -> Decimal:
    try:
        return from_minor(part.get("amount"), currency)
    except AdapterRejected as error:
        # It is an answer that nobody can use, not a refusal.
        raise AdapterUnanswered("Datatrans' answer holds something else instead of a sum") from error


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _done(act: Mapping[str, Any], action: str) -> bool:
    return act.get("action") == action and act.get("success") is True
