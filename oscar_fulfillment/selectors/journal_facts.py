"""What there is to say of the journal's entries: order, customer, payment, provider, tax, fees. A page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Min, Sum
from oscar.core.loading import get_model

from oscar_fulfillment.models import PaymentMethod, PayoutLine, ProviderPayment

from .journal import CREDIT, MONEY, PAGE, PAYMENT, REFUND, Entry, chunks
from .journal_money import TYPES
from .scans import among
from .tax_rates import RateSum, by_rate

ZERO = Decimal(0)
_CENT = Decimal("0.01")
_ORDER = (
    "pk", "number", "currency", "total_incl_tax", "total_excl_tax", "shipping_incl_tax", "shipping_excl_tax",
    "fulfillment__customer_name", "fulfillment__tax_id", "fulfillment__payment_method", "fulfillment__flow",
    "billing_address__country_id", "shipping_address__country_id",
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """An entry with all that the accounts want to know of it. Texts are "" where nothing is known."""

    entry: Entry
    order: dict[str, Any]
    method: str = ""
    provider: str = ""
    provider_reference: str = ""
    bank_reference: str = ""
    payout: str = ""
    #: None: unknown, or nothing is paid out for it.
    fee: Decimal | None = None
    net: Decimal | None = None
    tax: Decimal | None = None
    rates: list[RateSum] = field(default_factory=list)


def rows(entries: Iterable[Entry], page: int = PAGE) -> Iterator[Row]:
    """The entries, told in full: about ten statements a page."""
    methods: dict[int, str] = {}
    for chunk in chunks(entries, page):
        yield from _told(chunk, methods)


def _told(chunk: Sequence[Entry], methods: dict[int, str]) -> list[Row]:
    pks = sorted({entry.order_id for entry in chunk})
    orders = get_model("order", "Order")._default_manager.filter(pk__in=among(pks)).order_by()
    about = {row["pk"]: row for row in orders.values(*_ORDER)}
    found = [Row(entry, about[entry.order_id]) for entry in chunk if entry.order_id in about]
    _methods(found, methods)
    _sources([row for row in found if row.entry.kind in MONEY])
    _taxes(found)
    return found


def _methods(found: Sequence[Row], names: dict[int, str]) -> None:
    wanted = {pk for row in found if (pk := row.order["fulfillment__payment_method"])}
    if missing := wanted - names.keys():
        names.update({m.pk: m.label for m in PaymentMethod._default_manager.filter(pk__in=missing)})
    for row in found:
        row.method = names.get(row.order["fulfillment__payment_method"] or 0, "")


def _sources(found: Sequence[Row]) -> None:
    """Where the money came through: a provider's own payment, or the source's type and reference."""
    pks = sorted({row.entry.source_id for row in found if row.entry.source_id})
    if not pks:
        return
    Source = get_model("payment", "Source")
    sources = {row["pk"]: row for row in Source._default_manager.filter(pk__in=among(pks)).order_by().values(
        "pk", "source_type__name", "reference"
    )}  # fmt: skip
    payments: dict[int | None, Any] = {}
    for paid in ProviderPayment._default_manager.filter(source__in=among(pks)).order_by("-pk").values(
        "source_id", "provider", "external_id", "reference", "payment_method__name"
    ):  # fmt: skip
        payments[paid["source_id"]] = paid
    fees = _fees(pks) if payments else {}
    for row in found:
        payment, source = payments.get(row.entry.source_id), sources[row.entry.source_id]
        if payment is not None:
            row.provider = payment["provider"]
            row.provider_reference = payment["external_id"] or payment["reference"]
            row.fee, row.payout = fees.get(row.entry.transaction_id, (None, ""))
        else:
            row.bank_reference = row.entry.reference or source["reference"]
        row.method = row.method or source["source_type__name"]


def _fees(sources: Sequence[int]) -> dict[int | None, tuple[Decimal, str]]:
    """Fee and payout by transaction: what was kept of a payment stands with its first transaction, of a refund with
    the first one of that kind, so that each is there once."""
    sums: dict[tuple[int, str], tuple[Decimal, set[str]]] = {}
    lines = PayoutLine._default_manager.filter(payment__source__in=among(sources)).order_by()
    for row in lines.values("payment__source_id", "kind", "payout__reference").annotate(total=Sum("fee")):
        key = (row["payment__source_id"], PAYMENT if row["kind"] == PAYMENT else REFUND)
        fee, payouts = sums.get(key, (ZERO, set()))
        sums[key] = (fee + Decimal(row["total"]).quantize(_CENT), payouts | {row["payout__reference"]} - {""})
    if not sums:
        return {}
    Transaction = get_model("payment", "Transaction")
    first = Transaction._default_manager.filter(
        source__in=among(sorted({source for source, _kind in sums})), txn_type__in=TYPES.values()
    )
    found: dict[int | None, tuple[Decimal, str]] = {}
    for source, name, pk in first.order_by().values_list("source_id", "txn_type").annotate(Min("pk")):
        kind = PAYMENT if name == TYPES[PAYMENT] else REFUND
        if (source, kind) in sums:
            fee, payouts = sums[source, kind]
            found[pk] = (fee, " ".join(sorted(payouts)))
    return found


def _taxes(found: Sequence[Row]) -> None:
    """Net and tax where the entry is over the whole order: of a part nobody knows which goods it is for."""
    whole = [row for row in found if _is_whole(row)]
    orders = sorted({row.entry.order_id for row in whole})
    if not orders:
        return
    prices: dict[int, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    lines = get_model("order", "Line")._default_manager.filter(order__in=among(orders)).order_by()
    for order_id, net, gross in lines.values_list("order_id", "line_price_excl_tax", "line_price_incl_tax"):
        prices[order_id].append((net, gross))
    surcharges = get_model("order", "Surcharge")._default_manager.filter(order__in=among(orders)).order_by()
    for order_id, net, gross in surcharges.values_list("order_id", "excl_tax", "incl_tax"):
        prices[order_id].append((net, gross))
    for row in whole:
        order = row.order
        sign = -1 if (row.entry.amount or ZERO) < 0 else 1
        row.net = sign * order["total_excl_tax"]
        row.tax = sign * (order["total_incl_tax"] - order["total_excl_tax"])
        shipping = (order["shipping_excl_tax"], order["shipping_incl_tax"])
        groups = by_rate([*prices[row.entry.order_id], shipping])
        # Vouchers and the like may lower the total without a line: then the rates are not known.
        if sum((g.gross for g in groups), ZERO) == order["total_incl_tax"]:
            row.rates = [RateSum(g.rate, sign * g.net, sign * g.gross) for g in groups]


def _is_whole(row: Row) -> bool:
    entry, order = row.entry, row.order
    same = entry.amount is not None and abs(entry.amount) == order["total_incl_tax"]
    return same and entry.kind != CREDIT and entry.currency == order["currency"]
