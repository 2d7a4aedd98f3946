"""Fiscal documents and credit notes in the journal, and what they are over.

=========================================  ============================================================
a note that we issued                      its total
a note that came as a file                 the file's total
the only document of its order             the order's total
one of several, with shipments of its own  its goods; the first one has what is not goods (the shipping)
one of several, taken back since           unknown
=========================================  ============================================================
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q
from oscar.core.loading import get_model

from oscar_fulfillment.models import CreditNote, Invoice, NfeEmission, NfeFile, ShipmentLine
from oscar_fulfillment.models.invoice import NONE

from .journal import CANCELLED, CREDIT, INVOICE, Entry, Scope, walk
from .scans import among

ZERO = Decimal(0)
_CENT = Decimal("0.01")
_PLACES = {INVOICE: 3, CANCELLED: 4, CREDIT: 5}
_COLUMNS = (
    "fulfillment_id", "kind", "number", "series", "access_key", "created_at", "cancelled_at",
    "fulfillment__currency", "fulfillment__order__currency",
)  # fmt: skip


def streams(scope: Scope, page: int) -> list[Iterator[Entry]]:
    """One for each kind of document in the scope."""
    found = []
    if INVOICE in scope.kinds:
        found.append(_invoices(scope, page, INVOICE, "created_at"))
    if CANCELLED in scope.kinds:
        found.append(_invoices(scope, page, CANCELLED, "cancelled_at"))
    if CREDIT in scope.kinds:
        found.append(_credit_notes(scope, page))
    return found


def _invoices(scope: Scope, page: int, kind: str, moment: str) -> Iterator[Entry]:
    # As the conditions of the indexes have it.
    rows = Invoice._default_manager.filter(~Q(kind=NONE))
    if kind == CANCELLED:
        rows = rows.filter(cancelled_at__isnull=False)
    if scope.flow:
        rows = rows.filter(fulfillment__flow=scope.flow)
    if scope.currency:
        rows = rows.filter(fulfillment__order__currency=scope.currency)
    sign, letter = (1, "I") if kind == INVOICE else (-1, "X")
    for found in walk(rows, moment, scope, [c for c in _COLUMNS if c != moment], page):
        amounts = _amounts(found)
        for row in found:
            amount = amounts.get(row["pk"])
            yield Entry(
                at=row[moment], place=(_PLACES[kind], row["pk"]), uid=f"{letter}{row['pk']}", kind=kind,
                order_id=row["fulfillment_id"], currency=row["fulfillment__order__currency"],
                amount=None if amount is None else sign * amount, document=row,
            )  # fmt: skip


def _credit_notes(scope: Scope, page: int) -> Iterator[Entry]:
    rows = CreditNote._default_manager.all()
    if scope.flow:
        rows = rows.filter(fulfillment__flow=scope.flow)
    if scope.currency:
        rows = rows.filter(currency=scope.currency)
    for found in walk(rows, "created_at", scope, ("fulfillment_id", "number", "amount", "currency"), page):
        for row in found:
            yield Entry(
                at=row["created_at"], place=(_PLACES[CREDIT], row["pk"]), uid=f"C{row['pk']}", kind=CREDIT,
                order_id=row["fulfillment_id"], currency=row["currency"], amount=-row["amount"], document=row,
            )  # fmt: skip


def _amounts(page: Sequence[dict[str, Any]]) -> dict[int, Decimal]:
    """What each document is over; those of which nobody knows are left out. A few statements for any number."""
    pks = [row["pk"] for row in page]
    found = dict(NfeEmission._default_manager.filter(invoice__in=among(pks)).values_list("invoice_id", "total"))
    files = NfeFile._default_manager.filter(invoice__in=among(pks), kind=NfeFile.NOTE)
    for pk, facts in files.values_list("invoice_id", "facts"):
        if pk not in found and (total := _total(facts)) is not None:
            found[pk] = total
    left = [row for row in page if row["pk"] not in found]
    return {**found, **_reckoned(left)} if left else found


def _total(facts: Any) -> Decimal | None:
    try:
        return Decimal(facts["total"]).quantize(_CENT)
    except (KeyError, TypeError, InvalidOperation):
        return None


def _reckoned(rows: Sequence[dict[str, Any]]) -> dict[int, Decimal]:
    orders = sorted({row["fulfillment_id"] for row in rows})
    documents: dict[int, list[Any]] = defaultdict(list)
    every = Invoice._default_manager.filter(~Q(kind=NONE), fulfillment__in=among(orders)).order_by("created_at", "pk")
    for document in every.values("pk", "fulfillment_id", "created_at", "cancelled_at"):
        documents[document["fulfillment_id"]].append(document)
    totals = dict(
        get_model("order", "Order")._default_manager.filter(pk__in=among(orders)).values_list("pk", "total_incl_tax")
    )
    lines: dict[int, dict[int, tuple[Decimal, int]]] = defaultdict(dict)
    sold = get_model("order", "Line")._default_manager.filter(order__in=among(orders)).order_by()
    for pk, order_id, price, quantity in sold.values_list("pk", "order_id", "line_price_incl_tax", "quantity"):
        lines[order_id][pk] = (price, quantity)
    units: dict[int, Counter[int]] = defaultdict(Counter)
    shipped = ShipmentLine._default_manager.filter(
        shipment__fulfillment__in=among(orders), shipment__invoice__isnull=False, shipment__replaces=None
    )
    for invoice, line, quantity in shipped.values_list("shipment__invoice_id", "line_id", "quantity"):
        units[invoice][line] += quantity
    found = {}
    for row in rows:
        order_id, pk = row["fulfillment_id"], row["pk"]
        amount = _reckon(pk, documents[order_id], totals[order_id], lines[order_id], units)
        if amount is not None:
            found[pk] = amount
    return found


def _reckon(
    pk: int,
    documents: Sequence[dict[str, Any]],
    total: Decimal,
    lines: dict[int, tuple[Decimal, int]],
    units: dict[int, Counter[int]],
) -> Decimal | None:
    """See the table of the module."""
    own = units.get(pk, Counter())
    others = [d for d in documents if d["pk"] != pk and _together(d, next(x for x in documents if x["pk"] == pk))]
    covers_all = all(own[line] >= quantity for line, (_price, quantity) in lines.items())
    if not others and (covers_all or not own):
        return total
    if not own:
        return None
    goods = sum((lines[n][0] * q / lines[n][1] for n, q in own.items() if n in lines and lines[n][1]), ZERO)
    first = next((d["pk"] for d in documents if d["pk"] in units), pk)
    rest = total - sum((price for price, _quantity in lines.values()), ZERO) if first == pk else ZERO
    return (goods + rest).quantize(_CENT)


def _together(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether both were valid at some moment."""
    early, late = sorted((one, other), key=lambda d: (d["created_at"], d["pk"]))
    return early["cancelled_at"] is None or early["cancelled_at"] > late["created_at"]
