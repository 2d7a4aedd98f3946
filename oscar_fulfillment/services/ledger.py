"""Oscar's ``Source`` and ``Transaction`` as the ledger of an order's money: locked, bounded, never backwards.

A source is one payment (at a provider, or seen on a bank account), with totals and one transaction per change.
``amount_allocated`` is what is held or was taken, ``amount_debited`` what came in, ``amount_refunded`` what went back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from oscar.core.loading import get_model

from oscar_fulfillment.core import rows
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.rows import Row
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.selectors import given_up

from . import oscar_events

#: ``Transaction.txn_type``: Oscar's own, and the one it lacks.
AUTHORISE, DEBIT, REFUND, VOID = "Authorise", "Debit", "Refund", "Void"


class LedgerRefused(FulfillmentError):
    """What is to be booked contradicts what is booked: less than before, or more back than came in."""


@dataclass(frozen=True)
class Totals:
    """The money of one order over all its sources."""

    allocated: Decimal = Decimal(0)
    debited: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        """What the shop has."""
        return self.debited - self.refunded

    @property
    def held(self) -> Decimal:
        """What a provider holds and nobody took yet."""
        return max(self.allocated - self.debited, Decimal(0))


def totals(order_id: int) -> Totals:
    """The sums over all sources of an order. One query."""
    found = get_model("payment", "Source")._default_manager.filter(order=order_id).aggregate(
        Sum("amount_allocated"), Sum("amount_debited"), Sum("amount_refunded")
    )  # fmt: skip
    return Totals(*(_sum(found[f"amount_{name}__sum"]) for name in ("allocated", "debited", "refunded")))


def totals_of(order_ids: Collection[int]) -> dict[int, Totals]:
    """The sums of many orders; one query. Orders without a source have zeros."""
    names = ("allocated", "debited", "refunded")
    rows = get_model("payment", "Source")._default_manager.filter(order__in=order_ids).order_by()
    sums = rows.values_list("order").annotate(*(Sum(f"amount_{name}") for name in names))
    found = {order_id: Totals(*(_sum(value) for value in values)) for order_id, *values in sums}
    return {order_id: found.get(order_id) or Totals(*[_sum(0)] * 3) for order_id in order_ids}


def _sum(value: Any) -> Decimal:
    """A sum as the columns have it: SQLite adds up with more decimals."""
    return Decimal(value or 0).quantize(Decimal("0.01"))


def open_source(
    order: Any, type_name: str, reference: str, label: str, *, held: Decimal, captured: Decimal, refunded: Decimal
) -> tuple[int, Totals]:
    """A new source of an order with what it begins with; its key and what was booked. Bounds as in :func:`bring_to`."""
    more = Totals(held + captured, captured, refunded)
    _check_bounds(more, held)
    source = get_model("payment", "Source")._default_manager.create(
        order=order,
        source_type_id=oscar_events.type_id("payment", "SourceType", type_name[:128]),
        currency=order.currency,
        reference=reference[:255],
        label=label[:128],
        amount_allocated=more.allocated,
        amount_debited=more.debited,
        amount_refunded=more.refunded,
    )
    _book(source, more, reference, "")
    return source.pk, more


def _check_bounds(more: Totals, held: Decimal) -> None:
    if more.debited < 0 or more.refunded < 0 or held < 0:
        raise LedgerRefused("less than is booked already")


def _book(source: Any, more: Totals, reference: str, status: str) -> None:
    """The transactions of a change, with its source's totals written by the caller."""
    if source.amount_refunded > source.amount_debited:
        raise LedgerRefused("more would be given back than came in")
    booked = [
        (AUTHORISE, max(more.allocated, Decimal(0))),
        (DEBIT, more.debited),
        (VOID, max(-more.allocated, Decimal(0))),
        (REFUND, more.refunded),
    ]
    Transaction = get_model("payment", "Transaction")
    rows.insert(
        [
            Row(
                Transaction,
                {
                    "source_id": source.pk, "txn_type": kind, "amount": amount, "reference": reference[:128],
                    "status": status[:128],
                },
            )
            for kind, amount in booked
            if amount
        ]
    )  # fmt: skip


def bring_to(
    source_id: int, *, held: Decimal, captured: Decimal, refunded: Decimal, reference: str = "", status: str = ""
) -> Totals:
    """Book what is new in a source, so that its totals become these; the differences are returned.

    ``held`` is what is held beyond what was captured. The same totals again book nothing. :class:`LedgerRefused` for
    totals below what is booked (captured, refunded), or more given back than came in. Call it inside a transaction.
    """
    (source,) = lock_rows(get_model("payment", "Source")._default_manager.filter(pk=source_id))
    more = Totals(
        held + captured - source.amount_allocated,
        captured - source.amount_debited,
        refunded - source.amount_refunded,
    )
    _check_bounds(more, held)
    if not any((more.allocated, more.debited, more.refunded)):
        return more
    source.amount_allocated += more.allocated
    source.amount_debited, source.amount_refunded = captured, refunded
    source.save(update_fields=["amount_allocated", "amount_debited", "amount_refunded"])
    _book(source, more, reference, status)
    return more


def mark(order_ids: Sequence[int]) -> None:
    """Note that something is booked, so that an approval by hand need not look where nothing can be."""
    OrderFulfillment._default_manager.filter(pk__in=order_ids, has_money=False).update(has_money=True)


def receive(orders: Sequence[Any], amounts: dict[int, Decimal], type_name: str, reference: str = "") -> None:
    """Book money that came in outside any provider (cash, bank transfer): a source with its debit per order.

    The same few statements for any number of orders.
    """
    Source, Transaction = get_model("payment", "Source"), get_model("payment", "Transaction")
    paying = [order for order in orders if amounts[order.pk]]
    if not paying:
        return
    mark([order.pk for order in paying])
    kind = oscar_events.type_id("payment", "SourceType", type_name[:128])
    sources = Source._default_manager.bulk_create(
        Source(
            order=order, source_type_id=kind, currency=order.currency, reference=reference[:255],
            amount_allocated=amounts[order.pk], amount_debited=amounts[order.pk],
        )
        for order in paying
    )  # fmt: skip
    Transaction._default_manager.bulk_create(
        Transaction(source=source, txn_type=DEBIT, amount=source.amount_debited, reference=reference[:128], status="ok")
        for source in sources
    )


def pay_out(order: Any, amount: Decimal, type_name: str, reference: str = "") -> None:
    """Book money that went back by another way than it came: a source that was only paid out of."""
    source = get_model("payment", "Source")._default_manager.create(
        order=order,
        source_type_id=oscar_events.type_id("payment", "SourceType", type_name[:128]),
        currency=order.currency,
        reference=reference[:255],
        amount_refunded=amount,
    )
    source.transactions.create(txn_type=REFUND, amount=amount, reference=reference[:128], status="by hand")


def receive_rest(steps: Sequence[Step], reference: str = "", type_name: str = oscar_events.BY_HAND) -> set[int]:
    """Book what each order still lacks, on a person's word that the money is in; returns who had some money already.

    A source without transactions, written with the step: one row says the sum, its reference and, as its label, the
    moment, which is also that of Oscar's payment event of the step (see ``selectors.journal_money``).
    """
    partly = [step.subject.pk for step in steps if step.subject.has_money]
    found = nets(partly) if partly else {}
    shipped = [step.subject.pk for step in steps if given_up.may_have(step.subject)]
    less = given_up.values(shipped) if shipped else {}
    Source = get_model("payment", "Source")
    kind = oscar_events.type_id("payment", "SourceType", type_name[:128])
    for step in steps:
        order = step.subject.order
        rest = order.total_incl_tax - less.get(order.pk, Decimal(0)) - found.get(order.pk, Decimal(0))
        if rest > 0:
            values = {
                "order_id": order.pk, "source_type_id": kind, "currency": order.currency, "reference": reference[:255],
                "amount_allocated": rest, "amount_debited": rest, "label": step.now.isoformat(),
            }  # fmt: skip
            step.rows.append(Row(Source, values))
    return set(found)


def nets(order_ids: Sequence[int]) -> dict[int, Decimal]:
    """What the shop has of each order's money; orders without any source are left out. One query."""
    sums = (
        get_model("payment", "Source")
        ._default_manager.filter(order__in=order_ids)
        .values("order")
        .annotate(debited=Sum("amount_debited"), refunded=Sum("amount_refunded"))
        .values_list("order", "debited", "refunded")
    )
    return {pk: _sum(debited) - _sum(refunded) for pk, debited, refunded in sums}
