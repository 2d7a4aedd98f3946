"""Pagar.me's orders: one of theirs is one payment of ours. Pure functions.

An order holds a ``checkout`` (their page for cards) and ``charges``; on the page a charge appears only when the buyer
pays. Not documented, and so read either way: what becomes of a checkout that nobody pays on in time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered

from .base import Hint, PaymentState, RemotePayment, from_minor
from .pagarme_charges import (
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
    if (
        not isinstance(order, Mapping)
        or not isinstance(order.get("id"), str)
        or not isinstance(order.get("amount"), int)
    ):
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


# A notification

#: The largest that is read, in bytes.
MAX_NOTIFICATION = 1_000_000


def hint_of(body: bytes) -> Hint:
    """What a hook is about. It holds an order, a charge (with its order inside) or a checkout."""
    if len(body) > MAX_NOTIFICATION:
        raise AdapterRejected("the notification is too large")
    try:
        document = json.loads(body, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("the notification is no JSON") from error
    kind = _word(document.get("type"), r"(?a)\w+\.\w+") if isinstance(document, Mapping) else ""
    if not kind:
        raise AdapterRejected("the notification names no event")
    event_id, data = _word(document.get("id"), r"(?a)[\w-]+"), document.get("data")
    if not isinstance(data, Mapping) or kind.partition(".")[0] not in ("order", "charge", "checkout"):
        return Hint(event_id=event_id, kind=kind)
    inner = data.get("order")
    order = inner if isinstance(inner, Mapping) else {}
    ids = (order.get("id"), data.get("order_id"), data.get("id"))
    external_id = next(filter(None, (_word(value, r"(?a)or_\w+") for value in ids)), "")
    reference = _word(order.get("code"), r"[^\x00-\x1f]+") or _word(data.get("code"), r"[^\x00-\x1f]+")
    return Hint(event_id=event_id, external_id=external_id, reference=reference, kind=kind)


def _word(value: Any, pattern: str) -> str:
    """A short word of this form, "" for anything else."""
    if not isinstance(value, str) or len(value) > 120 or not re.fullmatch(pattern, value):
        return ""
    return value if value.encode("utf-8", "ignore").decode() == value else ""  # half a character cannot be stored
