"""Pagar.me's charges: the codes, what came in and went back, how one charge stands. Pure functions.

A charge's status alone says too little: ``canceled`` is a hold given back as well as a whole refund, and ``pending`` a
card that is held as well as a boleto that nobody has paid. The rest is in its newest ``last_transaction``.

Sources: docs.pagar.me (v5 reference), the models of Pagar.me's SDKs. Not documented, and so read either way: whether
the part of a hold that was not captured counts into ``canceled_amount``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from .base import PaymentState, RemoteRefund, from_minor

logger = logging.getLogger("oscar_fulfillment.gateways.pagarme")

CURRENCY = "BRL"
#: Their methods in our words.
METHODS = {"credit_card": "card", "debit_card": "card", "pix": "pix", "boleto": "boleto"}

#: A charge's status that says enough. ``canceled``, ``failed``, ``pending`` and ``processing`` do not.
CHARGES = {
    "paid": PaymentState.CAPTURED,
    "overpaid": PaymentState.CAPTURED,
    "underpaid": PaymentState.CAPTURED,
    "partial_canceled": PaymentState.CAPTURED,
    "partial_refunded": PaymentState.CAPTURED,
    "refunded": PaymentState.REFUNDED,
    "chargedback": PaymentState.CHARGED_BACK,
    "chargeback": PaymentState.CHARGED_BACK,
}
#: The last transaction of a charge that is ``pending`` or ``processing``.
TRANSACTIONS = {
    "authorized_pending_capture": PaymentState.AUTHORIZED,
    "waiting_capture": PaymentState.AUTHORIZED,
    "waiting_payment": PaymentState.PENDING,
    "generated": PaymentState.PENDING,
    "viewed": PaymentState.PENDING,
    "processing": PaymentState.PENDING,
    "pending": PaymentState.PENDING,
    "waiting_cancellation": PaymentState.PENDING,
    "with_error": PaymentState.PENDING,  # they try again by themselves, or the charge fails
    "analyzing": PaymentState.IN_REVIEW,
    "pending_review": PaymentState.IN_REVIEW,
    "expired": PaymentState.EXPIRED,
    "chargedback": PaymentState.CHARGED_BACK,
}
#: The antifraud's answers that mean it is not decided.
UNDECIDED = frozenset({"pending", "manual"})
#: A last transaction that gave money back, and how far it is.
REFUNDS = {
    "refunded": "done",
    "partial_refunded": "done",
    "voided": "done",
    "partial_void": "done",
    "pending_refund": "pending",
    "waiting_cancellation": "pending",
    "error_on_refunding": "failed",
    "error_on_voiding": "failed",
}
#: A last transaction that did not come about.
FAILED = frozenset({"not_authorized", "with_error", "failed", "error_on_voiding", "error_on_refunding"})
#: Older words for the same.
_SPELLINGS = {"notAuthorized": "not_authorized", "withError": "with_error"}

#: Brasília; no summer time since 2019.
BRASILIA = timezone(timedelta(hours=-3))


@dataclass(frozen=True)
class Clocks:
    """What Pagar.me does not say: how long banks take to tell of a paid boleto, and how long a hold lasts."""

    now: datetime
    boleto_clearing: timedelta = timedelta(days=3)
    hold: timedelta = timedelta(days=5)


def moment(value: Any) -> datetime | None:
    """A time of theirs; without a zone it is UTC. None for none, and for what is no time."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def link(value: Any) -> str:
    """An address that may be shown to buyers, "" for anything else."""
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else ""


def transaction_of(charge: Mapping[str, Any]) -> Mapping[str, Any]:
    found = charge.get("last_transaction")
    return found if isinstance(found, Mapping) else {}


def status_of(document: Mapping[str, Any]) -> str:
    """The status word of an order, a charge or a transaction, in one spelling."""
    word = str(document.get("status") or "")
    return _SPELLINGS.get(word, word)


def reason_of(charge: Mapping[str, Any]) -> str:
    """Why a transaction failed, in their words."""
    transaction = transaction_of(charge)
    response, antifraud = transaction.get("gateway_response"), transaction.get("antifraud_response")
    errors = response.get("errors") if isinstance(response, Mapping) else None
    said = [
        transaction.get("acquirer_message"),
        *(error.get("message") for error in errors or () if isinstance(error, Mapping)),
        antifraud.get("return_message") if isinstance(antifraud, Mapping) else None,
    ]
    return "; ".join(str(text) for text in said if text)[:300]


def antifraud_of(charge: Mapping[str, Any]) -> str:
    found = transaction_of(charge).get("antifraud_response")
    return str(found.get("status") or "") if isinstance(found, Mapping) else ""


# Sums, in centavos


def came_in(charge: Mapping[str, Any]) -> int:
    """What the buyer paid for a charge, whatever was given back since. Boletos may be paid short or twice."""
    paid = charge.get("paid_amount")
    if paid is None and status_of(charge) in ("paid", "overpaid", "underpaid"):
        paid = transaction_of(charge).get("paid_amount")
        if paid is None and status_of(charge) != "underpaid":
            paid = charge.get("amount")
    return int(paid or 0)


def went_back(charge: Mapping[str, Any], *, held: bool) -> int:
    """What was given back of it. After a part of a hold was captured, ``canceled_amount`` begins with the rest."""
    paid, cancelled = came_in(charge), int(charge.get("canceled_amount") or 0)
    if status_of(charge) in ("canceled", "refunded"):
        return paid
    rest = max(int(charge.get("amount") or 0) - paid, 0) if held else 0
    return min(paid, cancelled - rest if cancelled >= rest else cancelled)


# States


def pays_until(charge: Mapping[str, Any], clocks: Clocks) -> tuple[datetime | None, datetime | None]:
    """Until when a charge may be paid, and from when on it has certainly not been paid in time."""
    transaction = transaction_of(charge)
    if charge.get("payment_method") == "boleto":
        due = moment(transaction.get("due_at") or charge.get("due_at"))
        if due is None:
            return None, None
        last = datetime(due.year, due.month, due.day, 23, 59, 59, tzinfo=BRASILIA)  # the date counts, not the hour
        return last, last + clocks.boleto_clearing
    last_moment = moment(transaction.get("expires_at"))
    return last_moment, last_moment


def charge_state(charge: Mapping[str, Any], clocks: Clocks) -> PaymentState:
    """How one charge stands."""
    status, antifraud = status_of(charge), antifraud_of(charge)
    _last, over = pays_until(charge, clocks)
    if status in CHARGES:
        state = CHARGES[status]
        if state == PaymentState.CAPTURED and antifraud in UNDECIDED:
            return PaymentState.IN_REVIEW
        return state
    if status in ("canceled", "failed"):
        if came_in(charge):
            return PaymentState.REFUNDED
        if antifraud == "reproved":
            return PaymentState.REFUSED_ANTIFRAUD
        ended = moment(charge.get("canceled_at") or charge.get("updated_at"))
        if status_of(transaction_of(charge)) == "expired" or (over and ended and ended >= over):
            return PaymentState.EXPIRED
        return PaymentState.CANCELLED if status == "canceled" else PaymentState.REFUSED
    if status not in ("pending", "processing"):
        logger.warning("Pagar.me: unknown status %.50r of a charge", status)
        return PaymentState.UNKNOWN
    return _open_charge(charge, over, clocks)


def _open_charge(charge: Mapping[str, Any], over: datetime | None, clocks: Clocks) -> PaymentState:
    transaction = transaction_of(charge)
    word = status_of(transaction)
    state = TRANSACTIONS.get(word) if word else PaymentState.PENDING
    if state is None:
        logger.warning("Pagar.me: unknown status %.50r of a transaction", word)
        return PaymentState.UNKNOWN
    if state == PaymentState.AUTHORIZED:
        if antifraud_of(charge) in UNDECIDED:
            return PaymentState.IN_REVIEW
        until = hold_until(charge, clocks)
        # Their status stays "authorized" when the issuer has long let the hold go.
        return PaymentState.EXPIRED if until and until <= clocks.now else state
    if state == PaymentState.PENDING and over and over <= clocks.now:
        return PaymentState.EXPIRED
    return state


def hold_until(charge: Mapping[str, Any], clocks: Clocks) -> datetime | None:
    """Until when a held sum can be captured: reckoned, as they do not say."""
    begun = moment(transaction_of(charge).get("created_at") or charge.get("created_at"))
    return begun + clocks.hold if begun else None


def refund_of(charge: Mapping[str, Any], currency: str, *, amount: int | None = None) -> RemoteRefund | None:
    """The refund that a charge's last transaction is, None if it is none. ``amount`` in centavos, if it is known."""
    transaction = transaction_of(charge)
    state = REFUNDS.get(status_of(transaction))
    if state is None:
        return None
    if charge.get("pending_cancellation") is True and state == "done":
        state = "pending"
    cents = amount if amount is not None else int(transaction.get("amount") or 0)
    reason = reason_of(charge) if state == "failed" else ""
    return RemoteRefund(str(transaction.get("id") or ""), from_minor(cents, currency), state, reason)
