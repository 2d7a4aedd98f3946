"""What the orders of a period owe, and why: the same money as the journal's, seen from the orders.

For each order that was placed in the period, or whose money moved in it:

    opening + billed - received + refunded = closing

``billed`` is what the order costs today (without goods that were given up; nothing for an order that is off), in the
period in which it was placed. A closing that is not zero has a reason; those of ``WRONG`` need a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Sum
from oscar.core.loading import get_model

from oscar_fulfillment.models import CreditNote

from . import given_up
from .journal import PAGE, PAYMENT, REFUND, Entry, Scope, chunks, walk
from .journal_money import movements, movements_of, unbooked, whole
from .order_money import is_off
from .scans import among

ZERO = Decimal(0)
WAITING, HELD, LATER, IN_PART, CREDITED = "waiting", "held", "later", "in_part", "credited"
NO_LEDGER, SHORT, TOO_MUCH, OFF, BOOKS = "no_ledger", "short", "too_much", "off", "books"
#: Reasons in the order in which they are told: what is wrong first.
REASONS = (BOOKS, OFF, SHORT, TOO_MUCH, NO_LEDGER, WAITING, HELD, LATER, IN_PART, CREDITED)
WRONG = frozenset({BOOKS, OFF, SHORT, TOO_MUCH, NO_LEDGER})


@dataclass(slots=True)
class Balance:
    """One order in one currency (its own, unless money came in another). ``now`` is what is open today."""

    order_id: int
    number: str
    customer: str
    placed_at: datetime
    currency: str
    opening: Decimal = ZERO
    billed: Decimal = ZERO
    received: Decimal = ZERO
    refunded: Decimal = ZERO
    now: Decimal = ZERO
    reason: str = ""

    @property
    def closing(self) -> Decimal:
        return self.opening + self.billed - self.received + self.refunded

    @property
    def is_wrong(self) -> bool:
        return self.reason in WRONG


def balances(scope: Scope, page: int = PAGE) -> Iterator[Balance]:
    """The orders placed in the period, the oldest first; then others, as their money moves. Each once."""
    orders = get_model("order", "Order")._default_manager.all()
    if scope.flow:
        orders = orders.filter(fulfillment__flow=scope.flow)
    for placed in walk(orders, "date_placed", scope, (), page):
        yield from _chosen(scope, _judged(scope, [row["pk"] for row in placed]))
    for moved in chunks(movements(whole(scope)), page):
        yield from _chosen(scope, _moved(scope, moved))


def _chosen(scope: Scope, found: Iterator[Balance]) -> Iterator[Balance]:
    return (balance for balance in found if scope.currency in ("", balance.currency))


def _moved(scope: Scope, moved: Sequence[Entry]) -> Iterator[Balance]:
    """Orders placed at another time whose first movement in the period is among these."""
    uids = {entry.uid for entry in moved}
    money = _by_order(sorted({entry.order_id for entry in moved}))
    first = {
        pk: min((e for e in found if scope.begin <= e.at < scope.end), key=lambda e: e.key, default=None)
        for pk, found in money.items()
    }
    pks = [pk for pk, entry in first.items() if entry is not None and entry.uid in uids]
    yield from (b for b in _judged(scope, pks, money) if not scope.begin <= b.placed_at < scope.end)


def _by_order(order_ids: Sequence[int]) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = defaultdict(list)
    for entry in movements_of(order_ids):
        found[entry.order_id].append(entry)
    return found


def _judged(scope: Scope, pks: Sequence[int], money: dict[int, list[Entry]] | None = None) -> Iterator[Balance]:
    if not pks:
        return
    entries = money if money is not None else _by_order(pks)
    lost = given_up.values(pks)
    differing = {source["order_id"] for source in unbooked(pks) if source["debited"] < 0 or source["refunded"] < 0}
    notes = CreditNote._default_manager.filter(fulfillment__in=among(pks)).order_by().values_list("fulfillment_id")
    credited = dict(notes.annotate(total=Sum("amount")))
    orders = get_model("order", "Order")._default_manager.filter(pk__in=among(pks)).order_by("date_placed", "pk")
    orders = orders.annotate(
        customer=F("fulfillment__customer_name"),
        payment_status=F("fulfillment__payment_status"),
        shipping_status=F("fulfillment__shipping_status"),
    )
    columns = ("pk", "number", "currency", "date_placed", "total_incl_tax")
    for order in orders.values_list(*columns, "customer", "payment_status", "shipping_status", named=True):
        costs = ZERO if is_off(order) else max(order.total_incl_tax - lost.get(order.pk, ZERO), ZERO)
        by_currency: dict[str, list[Entry]] = {order.currency: []}
        for entry in entries.get(order.pk, ()):
            by_currency.setdefault(entry.currency, []).append(entry)
        for currency, found in by_currency.items():
            balance = _balance(scope, order, currency, costs if currency == order.currency else ZERO, found)
            credit = Decimal(credited.get(order.pk) or 0)
            balance.reason = _reason(balance, order, found, credit, order.pk in differing)
            yield balance


def _balance(scope: Scope, order: Any, currency: str, costs: Decimal, found: Sequence[Entry]) -> Balance:
    balance = Balance(order.pk, order.number, order.customer or "", order.date_placed, currency)
    balance.now = costs
    if order.date_placed < scope.begin:
        balance.opening = costs
    elif order.date_placed < scope.end:
        balance.billed = costs
    for entry in found:
        amount = entry.amount or ZERO
        balance.now -= amount
        if entry.at < scope.begin:
            balance.opening -= amount
        elif entry.at >= scope.end:
            continue
        elif entry.kind == PAYMENT:
            balance.received += amount
        else:
            balance.refunded -= amount
    return balance


def _reason(balance: Balance, order: Any, found: Sequence[Entry], credit: Decimal, differs: bool) -> str:
    """Why something is open at the end of the period; "" where nothing is.

    ============================================  =========
    the ledger and its transactions differ        books
    open then, and nothing today                  later
    more is in, the order is off                  off
    more is in, and kept as credit                credited
    more is in                                    too_much
    missing, the order waits                      waiting
    missing, a provider holds it                  held
    missing, no more than was given back in part  in_part
    missing, paid, nothing was ever booked        no_ledger
    missing, paid                                 short
    ============================================  =========
    """
    if differs:
        return BOOKS
    if not balance.closing:
        return ""
    if not balance.now:
        return LATER
    if balance.now < 0:
        if -balance.now == credit:
            return CREDITED
        return OFF if is_off(order) else TOO_MUCH
    status = order.payment_status
    if status in (None, "awaiting_payment"):
        return WAITING
    if status == "authorized":
        return HELD
    given_back = -sum((e.amount or ZERO for e in found if e.kind == REFUND), ZERO)
    if status == "partially_refunded" and balance.now <= given_back:
        return IN_PART
    return SHORT if found else NO_LEDGER
