"""The payment status as a function of the money: what the ledger holds decides, not who told us."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from oscar_fulfillment.core.transitions import Move

from .ledger import Totals

AUTHORIZE = Move("payment", "authorize_payment")
APPROVE = Move("payment", "approve_payment")
CAPTURE = Move("payment", "capture_payment")
REFUND = Move("payment", "refund_payment")
REOPEN = Move("payment", "reopen_payment")


@dataclass(frozen=True)
class NextMove:
    """One step of the payment machine towards what the ledger says."""

    move: Move
    target: str


def resolve(status: str, total: Decimal, money: Totals) -> str:
    """What the payment status should be, never less than it is.

    ==================  ==========================================  ======================
    status now          the ledger says                             becomes
    ==================  ==========================================  ======================
    awaiting, auth.     net >= total (and something came in)        paid
    awaiting            held + net >= total (and something held)    authorized
    awaiting, auth.     came in, and all of it went back            paid, then refunded
    paid, part. ref.    came in, net <= 0                           refunded
    paid, part. ref.    something went back, net < total            partially_refunded
    part. refunded      net >= total (an overpayment went back)     paid
    cancelled, refunded anything                                    as it is (late money is a follow-up)
    any                 otherwise                                   as it is
    ==================  ==========================================  ======================
    """
    if status in ("cancelled", "refunded"):
        return status
    if money.refunded and money.debited and money.net <= 0:
        return "refunded"
    if status in ("paid", "partially_refunded"):
        if money.refunded and money.net < total:
            return "partially_refunded"
        return "paid" if money.debited and money.net >= total else status
    if money.debited and money.net >= total:
        return "paid"
    if status == "awaiting_payment" and money.held and money.held + money.net >= total:
        return "authorized"
    return status


def next_move(status: str, total: Decimal, money: Totals) -> NextMove | None:
    """The step from here towards :func:`resolve`, one at a time; None when there is nothing to do."""
    target = resolve(status, total, money)
    if target == status:
        return None
    if target == "authorized":
        return NextMove(AUTHORIZE, "authorized")
    if status == "awaiting_payment":
        return NextMove(APPROVE, "paid")
    if status == "authorized":
        return NextMove(CAPTURE, "paid")
    return NextMove(REFUND, target)
