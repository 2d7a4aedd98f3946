"""What can go back for a return, and by which ways."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from oscar.core.loading import get_model

from oscar_fulfillment.models import CreditNote, PaymentOperation, ProviderPayment, Return, StatusChange

from .order_money import OrderMoney

ZERO = Decimal(0)
#: Ways beside the providers' payments: paid back by a person, or kept as a credit note for the next order.
HAND, CREDIT = "hand", "credit"


def most_to_grant(order: Any) -> Decimal:
    """What the shop has of the order's money, without what it gave back, promised to give back, or put on a credit
    note. Never below zero."""
    rows = get_model("payment", "Source")._default_manager.filter(order=order.pk)
    found = rows.aggregate(come=Sum("amount_debited"), back=Sum("amount_refunded"))
    if found["come"] is None:
        # Approved before there was a ledger: what was approved is what came in.
        paid = order.fulfillment.payment_status in ("paid", "partially_refunded")
        net = order.total_incl_tax if paid else ZERO
    else:
        net = found["come"] - found["back"]
    notes = CreditNote._default_manager.filter(fulfillment=order.pk).aggregate(sum=Sum("amount"))["sum"] or ZERO
    asked = PaymentOperation._default_manager.filter(
        payment__fulfillment=order.pk, kind=PaymentOperation.REFUND, status=PaymentOperation.REQUESTED
    ).aggregate(sum=Sum("amount"))["sum"]
    return max((net - notes - (asked or ZERO)).quantize(Decimal("0.01")), ZERO)


def shipping_left(order: Any, *, without: Return | None = None) -> Decimal:
    """What of the shipping costs no return has given back yet."""
    rows = StatusChange._default_manager.filter(fulfillment=order.pk, action="settle_return")
    given = ZERO
    for data in rows.values_list("data", flat=True):
        if without is None or data.get("return") != without.pk:
            given += Decimal(str(data.get("shipping") or 0))
    return max(order.shipping_incl_tax - given, ZERO)


@dataclass(frozen=True)
class Way:
    """One way for money to go back: ``code`` is a payment's id, ``hand`` or ``credit``; ``most`` goes this way."""

    code: str
    most: Decimal
    payment: ProviderPayment | None = None


def refund_ways(money: OrderMoney) -> list[Way]:
    """By which ways money of an order can go back, best first."""
    most = most_to_grant(money.order)
    if not most:
        return []
    ways = [Way(str(p.pk), min(p.refundable, most), p) for p in money.refundable_payments]
    if money.refundable_by_hand:
        ways.append(Way(HAND, min(money.refundable_by_hand, most)))
    return [*ways, Way(CREDIT, most)]


def credit_note_of(ret: Return) -> str:
    """The number of the credit note that a return led to, "" where it led to none."""
    rows = StatusChange._default_manager.filter(
        fulfillment=ret.fulfillment_id, action="keep_credit", data__return=ret.pk
    ).order_by("-sequence")
    return str(rows.values_list("data__number", flat=True).first() or "")
