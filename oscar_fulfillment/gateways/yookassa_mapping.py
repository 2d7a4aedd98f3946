"""YooKassa's words and documents in ours: codes, and pure functions document -> RemotePayment, RemoteRefund, Hint."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered

from .base import Hint, PaymentRequest, PaymentState, RemotePayment, RemoteRefund, money

logger = logging.getLogger("oscar_fulfillment.gateways")

#: An id of YooKassa.
ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)

#: ``status`` of a payment; "canceled" has its meaning from CANCELLATIONS.
STATES = {
    "pending": PaymentState.PENDING,
    "waiting_for_capture": PaymentState.AUTHORIZED,
    "succeeded": PaymentState.CAPTURED,
}
#: ``cancellation_details.reason`` (guide "Declined payments").
CANCELLATIONS = {
    "3d_secure_failed": PaymentState.REFUSED,
    "call_issuer": PaymentState.REFUSED,
    "canceled_by_merchant": PaymentState.CANCELLED,
    "card_expired": PaymentState.REFUSED,
    "country_forbidden": PaymentState.REFUSED,
    "deal_expired": PaymentState.EXPIRED,
    "expired_on_capture": PaymentState.EXPIRED,
    "expired_on_confirmation": PaymentState.EXPIRED,
    "fraud_suspected": PaymentState.REFUSED_ANTIFRAUD,
    "general_decline": PaymentState.REFUSED,
    "identification_required": PaymentState.REFUSED,
    "insufficient_funds": PaymentState.REFUSED,
    "internal_timeout": PaymentState.REFUSED,
    "invalid_card_number": PaymentState.REFUSED,
    "invalid_csc": PaymentState.REFUSED,
    "issuer_unavailable": PaymentState.REFUSED,
    "loan_application_expired": PaymentState.EXPIRED,
    "loan_declined": PaymentState.REFUSED,
    "loan_declined_by_payer": PaymentState.REFUSED,
    "payment_method_limit_exceeded": PaymentState.REFUSED,
    "payment_method_restricted": PaymentState.REFUSED,
    "permission_revoked": PaymentState.REFUSED,
    "rejected_by_timeout": PaymentState.REFUSED,
    "unsupported_mobile_operator": PaymentState.REFUSED,
}
#: Languages of the payment page.
LOCALES = {"ru": "ru_RU", "en": "en_US"}
#: Events about a payment; those of a refund name its payment. Other products send other events to the same address.
PAYMENT_EVENTS = frozenset({"payment.waiting_for_capture", "payment.succeeded", "payment.canceled"})
REFUND_EVENTS = frozenset({"refund.succeeded"})
#: ``status`` of a refund.
REFUND_STATES = {"pending": "pending", "succeeded": "done", "canceled": "failed"}


def payment_body(request: PaymentRequest, amount: Mapping[str, str], customer: Mapping[str, str]) -> dict[str, Any]:
    """What begins a payment. ``customer`` comes back in ``metadata``: the receipt of a part needs it again."""
    confirmation = {"type": "redirect", "return_url": request.return_url}
    if request.buyer.language:
        confirmation["locale"] = LOCALES.get(request.buyer.language[:2].lower(), "en_US")
    metadata = {"reference": request.reference, "order": request.order_number, **customer}
    if request.hold:
        metadata["hold"] = "1"
    return {
        "amount": dict(amount),
        "capture": not request.hold,
        "payment_method_data": {"type": request.method},
        "confirmation": confirmation,
        "description": request.description[:128],
        "metadata": metadata,
    }


def payment_from(document: Any) -> RemotePayment:
    """A payment object. ``AdapterUnanswered`` for what is none: the call may have been done.

    ``amount`` is the sum asked for, and after a capture the sum captured (``income_amount``, what the shop gets, is
    defined as it less the fees); how much was held before a capture in part is not told.
    """
    try:
        status, found = document["status"], document["id"]
        if not isinstance(status, str) or not isinstance(found, str) or not found:
            raise AdapterUnanswered("YooKassa's answer names no payment")
        amount, refunded = money(document["amount"]["value"]), _sum(document, "refunded_amount")
        currency = str(document["amount"]["currency"])
    except (KeyError, TypeError, AdapterRejected) as error:
        # Also {"type": "processing"}: the work goes on, ask again.
        raise AdapterUnanswered("YooKassa's answer is no payment") from error
    metadata, confirmation = _object(document, "metadata"), _object(document, "confirmation")
    state, reason = _state(status, document)
    held, captured = state == PaymentState.AUTHORIZED, state == PaymentState.CAPTURED
    if captured and refunded >= amount:
        state = PaymentState.REFUNDED
    return RemotePayment(
        external_id=found,
        state=state,
        amount=amount,
        currency=currency,
        reference=str(metadata.get("reference") or ""),
        authorized=amount if held or (captured and metadata.get("hold")) else Decimal(0),
        captured=amount if captured else Decimal(0),
        refunded=refunded,
        method=str(_object(document, "payment_method").get("type") or ""),
        reason=reason,
        raw_status=status,
        redirect_url=_link(confirmation.get("confirmation_url")),
        hold_expires_at=_moment(document, "expires_at") if held else None,
        paid_at=_moment(document, "captured_at"),
    )


def refund_from(document: Any) -> RemoteRefund:
    """A refund object. ``AdapterUnanswered`` for what is none. An unknown status counts as "pending"."""
    try:
        found, status, amount = document["id"], str(document["status"]), money(document["amount"]["value"])
    except (KeyError, TypeError, AdapterRejected) as error:
        raise AdapterUnanswered("YooKassa's answer is no refund") from error
    if status not in REFUND_STATES:
        logger.warning("YooKassa: refund %s has the unknown status %r", found, status)
    return RemoteRefund(
        external_id=str(found),
        amount=amount,
        state=REFUND_STATES.get(status, "pending"),
        reason=_why(document),
        key=str(_object(document, "metadata").get("key") or ""),
    )


def with_refunds(payment: RemotePayment, refunds: Sequence[RemoteRefund]) -> RemotePayment:
    """The payment with the list of its refunds. The total is the larger of both: either may be read a moment early."""
    done = sum((refund.amount for refund in refunds if refund.state == "done"), Decimal(0))
    refunded = max(payment.refunded, done)
    state = PaymentState.REFUNDED if payment.captured and refunded >= payment.captured else payment.state
    return replace(payment, refunds=tuple(refunds), refunded=refunded, state=state)


def hint_from(body: bytes) -> Hint:
    """The payment a notification is about, none for events of other products. ``AdapterRejected``: not readable.

    ``event_id`` stays empty: as nothing is signed, a forged message must not count as the genuine one that follows.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("the notification is not JSON") from error
    event = document.get("event") if isinstance(document, dict) else None
    if not isinstance(event, str) or not isinstance(document.get("object"), dict):
        raise AdapterRejected("the notification has no event or object")
    if event not in PAYMENT_EVENTS | REFUND_EVENTS:
        return Hint(kind=event.encode("ascii", "replace").decode()[:64])
    found = document["object"].get("id" if event in PAYMENT_EVENTS else "payment_id")
    if not isinstance(found, str) or not ID.fullmatch(found):
        raise AdapterRejected("the notification names no payment")
    return Hint(external_id=found, kind=event)


def explained(error: AdapterRejected) -> AdapterRejected:
    """The same refusal with YooKassa's reason (description, parameter) as its message."""
    if error.status in (401, 403):
        message = gettext("YooKassa does not accept the shop id and the secret key, or they may not do this.")
    elif error.status == 404:
        message = gettext("YooKassa has no such payment.")
    else:
        try:
            document = json.loads(error.body)
        except (ValueError, RecursionError):
            document = {}
        document = document if isinstance(document, dict) else {}
        said = [str(document[name])[:300] for name in ("description", "parameter") if document.get(name)]
        message = gettext("YooKassa refused: {reason}").format(reason=" / ".join(said) or error.status)
    return AdapterRejected(message, status=error.status, body=error.body)


def _state(status: str, document: Mapping[str, Any]) -> tuple[PaymentState, str]:
    if status != "canceled":
        if status not in STATES:
            logger.warning("YooKassa: payment %s has the unknown status %r", document["id"], status)
        return STATES.get(status, PaymentState.UNKNOWN), ""
    reason, party = (str(_object(document, "cancellation_details").get(name) or "") for name in ("reason", "party"))
    if reason not in CANCELLATIONS:
        # No money is held or taken, that much is sure; only who ended it is asked of ``party``.
        logger.warning("YooKassa: payment %s was cancelled for the unknown reason %r", document["id"], reason)
    ended = PaymentState.REFUSED if party in ("payment_network", "yoo_money") else PaymentState.CANCELLED
    return CANCELLATIONS.get(reason, ended), _why(document)


def _why(document: Mapping[str, Any]) -> str:
    details = _object(document, "cancellation_details")
    reason, party = str(details.get("reason") or ""), str(details.get("party") or "")
    return f"{reason} ({party})" if reason and party else reason or party


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _sum(document: Mapping[str, Any], name: str) -> Decimal:
    return money(_object(document, name).get("value", 0))


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(document[name])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def _link(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else ""
