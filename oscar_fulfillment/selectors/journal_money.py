"""What came in and went back, out of Oscar's ledger.

A transaction says when its money moved. An approval by hand books a source alone, with its moment as the label: it is
dated by the payment event that was written with it. What other apps book without transactions they book when the order
is placed, and it is dated so. Thus the journal of all times adds up to the totals of the sources, whatever wrote them,
and what was exported once keeps its date.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from heapq import merge
from typing import Any

from django.conf import settings
from django.db.models import Sum
from oscar.core.loading import get_model

from .journal import MONEY, PAGE, PAYMENT, REFUND, Entry, Scope, walk
from .scans import among

#: Oscar's words for the two kinds of transactions that move money.
TYPES = {PAYMENT: "Debit", REFUND: "Refund"}
_KINDS = {name: kind for kind, name in TYPES.items()}
_SIGNS = {PAYMENT: 1, REFUND: -1}
_CENT = Decimal("0.01")
#: What happened at the same moment: transactions first, then sources by their event, then those by their order.
_BY_TRANSACTION, _BY_EVENT, _BY_ORDER = 0, 1, 2
_COLUMNS = ("txn_type", "amount", "reference", "source_id", "source__currency", "source__order_id")


def movements(scope: Scope, page: int = PAGE) -> Iterator[Entry]:
    """The payments and refunds of a scope, the oldest first."""
    found = merge(
        _transactions(scope, page), _approvals(scope, page), _placed_with_money(scope, page),
        key=lambda entry: entry.key,
    )  # fmt: skip
    return (e for e in found if e.kind in scope.kinds and scope.currency in ("", e.currency))


def movements_of(order_ids: Sequence[int]) -> list[Entry]:
    """All payments and refunds of some orders, of all times. Four statements, two where each has its transactions."""
    rows = _transaction_rows().filter(source__order__in=among(order_ids))
    found = [_of_transaction(row) for row in rows.order_by().values(*_COLUMNS, "date_created", "pk")]
    return found + _rests(order_ids)


def whole(scope: Scope) -> Scope:
    """The same period and flow, with all money in it."""
    return replace(scope, kinds=MONEY, currency="")


def _transaction_rows() -> Any:
    return get_model("payment", "Transaction")._default_manager.filter(txn_type__in=TYPES.values())


def _transactions(scope: Scope, page: int) -> Iterator[Entry]:
    rows = _transaction_rows().filter(txn_type__in=[TYPES[kind] for kind in scope.kinds & MONEY])
    if scope.flow:
        rows = rows.filter(source__order__fulfillment__flow=scope.flow)
    if scope.currency:
        rows = rows.filter(source__currency=scope.currency)
    for found in walk(rows, "date_created", scope, _COLUMNS, page):
        yield from map(_of_transaction, found)


def _of_transaction(row: dict[str, Any]) -> Entry:
    kind = _KINDS[row["txn_type"]]
    return Entry(
        at=row["date_created"], place=(_BY_TRANSACTION, row["pk"]), uid=f"T{row['pk']}", kind=kind,
        order_id=row["source__order_id"], currency=row["source__currency"], amount=_SIGNS[kind] * row["amount"],
        reference=row["reference"], source_id=row["source_id"], transaction_id=row["pk"],
    )  # fmt: skip


def _approvals(scope: Scope, page: int) -> Iterator[Entry]:
    """Sources dated by a payment event, along the events."""
    events = get_model("order", "PaymentEvent")._default_manager.all()
    if scope.flow:
        events = events.filter(order__fulfillment__flow=scope.flow)
    for found in walk(events, "date_created", scope, ("order_id",), page):
        here = {row["pk"] for row in found}
        rests = _rests(sorted({row["order_id"] for row in found}))
        yield from _sorted(e for e in rests if e.place[0] == _BY_EVENT and e.place[1] in here)


def _placed_with_money(scope: Scope, page: int) -> Iterator[Entry]:
    """Sources without any event, along the orders."""
    orders = get_model("order", "Order")._default_manager.all()
    if scope.flow:
        orders = orders.filter(fulfillment__flow=scope.flow)
    for found in walk(orders, "date_placed", scope, (), page):
        yield from _sorted(e for e in _rests([row["pk"] for row in found]) if e.place[0] == _BY_ORDER)


def _sorted(found: Iterable[Entry]) -> list[Entry]:
    return sorted(found, key=lambda entry: entry.key)


def _rests(order_ids: Sequence[int]) -> list[Entry]:
    """What the sources of these orders hold beyond their transactions, each with its moment."""
    without = [source for source in unbooked(order_ids) if source["debited"] > 0 or source["refunded"] > 0]
    approved = {source["pk"]: moment for source in without if (moment := _moment(source["label"]))}
    events = _events(sorted({source["order_id"] for source in without if source["pk"] in approved}))
    found: list[Entry] = []
    for source in without:
        event = None
        if moment := approved.get(source["pk"]):
            event = min(events[source["order_id"]], key=lambda e: abs(e["date_created"] - moment), default=None)
        found += _of_source(source, event)
    return found


def _moment(label: str) -> datetime | None:
    """When an approval by hand has booked a source; None for those of others."""
    try:
        moment = datetime.fromisoformat(label)
    except ValueError:
        return None
    # A label of someone else's may be a date, too.
    return moment if (moment.tzinfo is not None) is settings.USE_TZ else None


def unbooked(order_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The sources of these orders whose totals are not those of their transactions, with the differences ``debited``
    and ``refunded``: below zero where the transactions say more. In the order they were made."""
    Source = get_model("payment", "Source")
    booked: dict[tuple[int, str], Decimal] = {}
    sums = _transaction_rows().filter(source__order__in=among(order_ids)).order_by().values("source_id", "txn_type")
    for row in sums.annotate(total=Sum("amount")):
        booked[row["source_id"], row["txn_type"]] = Decimal(row["total"]).quantize(_CENT)
    found = []
    rows = Source._default_manager.filter(order__in=among(order_ids)).order_by("pk")
    for row in rows.values(
        "pk", "order_id", "currency", "reference", "label", "amount_debited", "amount_refunded", "order__date_placed"
    ):
        row["debited"] = row["amount_debited"] - booked.get((row["pk"], TYPES[PAYMENT]), 0)
        row["refunded"] = row["amount_refunded"] - booked.get((row["pk"], TYPES[REFUND]), 0)
        if row["debited"] or row["refunded"]:
            found.append(row)
    return found


def _events(order_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The payment events by order."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    if order_ids:
        rows = get_model("order", "PaymentEvent")._default_manager.filter(order__in=among(order_ids)).order_by("pk")
        for row in rows.values("pk", "order_id", "date_created"):
            found[row["order_id"]].append(row)
    return found


def _of_source(source: dict[str, Any], event: dict[str, Any] | None) -> Iterator[Entry]:
    if event is None:
        at, place = source["order__date_placed"], (_BY_ORDER, source["order_id"], source["pk"])
    else:
        at, place = event["date_created"], (_BY_EVENT, event["pk"], source["pk"])
    for kind, amount, tail in ((PAYMENT, source["debited"], ""), (REFUND, source["refunded"], "R")):
        if amount > 0:
            yield Entry(
                at=at, place=(*place, int(kind == REFUND)), uid=f"S{source['pk']}{tail}", kind=kind,
                order_id=source["order_id"], currency=source["currency"], amount=_SIGNS[kind] * amount,
                reference=source["reference"], source_id=source["pk"],
            )  # fmt: skip
