"""Whether all books agree: payments at providers, Oscar's ledger, statuses, stock. Reads only; see ``audit_payments``.

What is compared:

* each payment at a provider with its source in the ledger, and that source's totals with its transactions;
* each order's payment status with what the ledger says it should be, and money that nobody needs with what a person
  was told of it;
* what a provider was asked to do and did not answer for longer than an hour;
* what order lines and stock records have allocated with where the orders are;
* if wished, each payment with what its provider holds.

The shop may be working meanwhile: a difference counts only if it is still there under the lock of its order (or its
stock record), which every writer holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Model, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import ConfigurationError, FulfillmentError
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.models import CreditNote, FollowUp, OrderFulfillment, PaymentOperation, ProviderPayment
from oscar_fulfillment.models.shipment import DELIVERED, DISPATCHED, PENDING, RETURNED, ShipmentLine
from oscar_fulfillment.selectors import given_up

from . import followups, ledger
from .payment_status import resolve
from .provider_payments import ask, gateway_of

#: Rows per page: a page costs the same few statements whatever its size.
PAGE = 500
#: For so long a provider may be working on what it was asked.
PATIENCE = timedelta(hours=1)
#: Follow-ups by which somebody knows of money that an order does not need.
_KNOWN_MONEY = {followups.LATE_MONEY, followups.OVERPAID, followups.CHARGE_BACK}
_SENT = (DISPATCHED, DELIVERED, RETURNED)
_GONE = ("dispatched", "delivered", "returned", "cancelled")


@dataclass(frozen=True)
class Difference:
    """Two books that do not agree. ``where`` names the order, payment or stock record, ``what`` says it in words."""

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class _Books:
    """What is written about a page of orders, read in a constant number of statements."""

    payments: dict[int, list[ProviderPayment]] = field(default_factory=lambda: defaultdict(list))
    sources: dict[int, Any] = field(default_factory=dict)
    totals: dict[int, ledger.Totals] = field(default_factory=dict)
    booked: dict[tuple[int, str], Decimal] = field(default_factory=dict)
    credited: dict[int, Decimal] = field(default_factory=dict)
    told: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    lines: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[int, int] = field(default_factory=dict)
    given_up: dict[int, Decimal] = field(default_factory=dict)
    replacing: dict[int, int] = field(default_factory=dict)


def audit_payments(*, ask_providers: bool = False, patience: timedelta = PATIENCE) -> Iterator[Difference]:
    """Everything that does not agree, as it is found. ``ask_providers`` costs a call per payment, and may not answer:

    a provider that cannot be reached is a difference too, as nobody knows.
    """
    yield from _pages(OrderFulfillment, ("order", "payment_method"), _orders)
    yield from _pages(get_model("partner", "StockRecord"), ("product__product_class", "product__parent"), _records)
    yield from _stuck(patience)
    if ask_providers:
        yield from _asked()


def _pages(
    model: type[Model], related: Sequence[str], compare: Callable[[Sequence[Any]], list[tuple[int, Difference]]]
) -> Iterator[Difference]:
    """Compare page by page, and what differs once more under lock."""
    rows: QuerySet[Any] = model._default_manager.select_related(*related).order_by("pk")
    last = None
    while page := list((rows if last is None else rows.filter(pk__gt=last))[:PAGE]):
        last = page[-1].pk
        for pk in sorted({pk for pk, _difference in compare(page)}):
            with transaction.atomic():
                confirmed = compare(lock_rows(rows.filter(pk=pk)))
            yield from (difference for _pk, difference in confirmed)


# Orders


def _orders(page: Sequence[Any]) -> list[tuple[int, Difference]]:
    books = _read([row.pk for row in page])
    return [
        (row.pk, Difference(kind, _("Order %(number)s") % {"number": row.number}, what))
        for row in page
        for kind, what in (*_ledger(row, books), *_status(row, books), *_allocated(row, books))
    ]


def _read(pks: Sequence[int]) -> _Books:
    books = _Books()
    for payment in ProviderPayment._default_manager.filter(fulfillment__in=pks):
        books.payments[payment.fulfillment_id].append(payment)
    for source in get_model("payment", "Source")._default_manager.filter(order__in=pks):
        books.sources[source.pk] = source
        before = books.totals.get(source.order_id, ledger.Totals())
        books.totals[source.order_id] = ledger.Totals(
            before.allocated + source.amount_allocated,
            before.debited + source.amount_debited,
            before.refunded + source.amount_refunded,
        )
    own = [payment.source_id for payments in books.payments.values() for payment in payments if payment.source_id]
    sums = get_model("payment", "Transaction")._default_manager.filter(source__in=own).values("source", "txn_type")
    for found in sums.annotate(total=Sum("amount")):
        books.booked[found["source"], found["txn_type"]] = found["total"]
    for note in CreditNote._default_manager.filter(fulfillment__in=pks):
        books.credited[note.fulfillment_id] = books.credited.get(note.fulfillment_id, Decimal(0)) + note.amount
    for pk, kind in FollowUp._default_manager.filter(fulfillment__in=pks).values_list("fulfillment_id", "kind"):
        books.told[pk].add(kind)
    tracked = get_model("order", "Line")._default_manager.filter(order__in=pks, stockrecord__isnull=False)
    for line in tracked.select_related(
        "stockrecord__product__product_class", "stockrecord__product__parent__product_class"
    ):
        if line.stockrecord.product.get_product_class().track_stock:
            books.lines[line.order_id].append(line)
    counting = Q(shipment__status__in=[PENDING, *_SENT]) | Q(shipment__is_dropped=True)
    shipped = ShipmentLine._default_manager.filter(counting, line__order__in=pks).order_by()
    by_line = shipped.values_list("line", "shipment__replaces", "shipment__status", "shipment__is_dropped")
    for pk, replaces, status, is_dropped, units in by_line.annotate(total=Sum("quantity")):
        # What is sent again for goods that came back is allocated anew, and is no part of what was ordered.
        if replaces is None and (status in _SENT or is_dropped):
            books.sent[pk] = books.sent.get(pk, 0) + units
        elif replaces is not None and status == PENDING:
            books.replacing[pk] = books.replacing.get(pk, 0) + units
    books.given_up = given_up.values(pks)
    return books


def _ledger(row: OrderFulfillment, books: _Books) -> Iterator[tuple[str, str]]:
    """Each payment against its source, and the source against its transactions."""
    for payment in books.payments.get(row.pk, ()):
        wanted = ledger.Totals(payment.held + payment.captured, payment.captured, payment.refunded)
        source = books.sources.get(payment.source_id or 0)
        found = ledger.Totals()
        if source is not None:
            found = ledger.Totals(source.amount_allocated, source.amount_debited, source.amount_refunded)
            booked = ledger.Totals(
                _booked(books, source, ledger.AUTHORISE) - _booked(books, source, ledger.VOID),
                _booked(books, source, ledger.DEBIT),
                _booked(books, source, ledger.REFUND),
            )
            if booked != found:
                yield "transactions", _("payment %(payment)s: the source says %(source)s, its transactions %(sum)s") % {
                    "payment": payment.reference, "source": _words(found), "sum": _words(booked),
                }  # fmt: skip
        if found != wanted:
            yield "ledger", _("payment %(payment)s: the ledger says %(ledger)s, the payment %(wanted)s") % {
                "payment": payment.reference, "ledger": _words(found), "wanted": _words(wanted),
            }  # fmt: skip


def _booked(books: _Books, source: Any, kind: str) -> Decimal:
    return books.booked.get((source.pk, kind), Decimal(0))


def _words(money: ledger.Totals) -> str:
    return _("held or taken %(held)s, in %(come)s, back %(back)s") % {
        "held": money.allocated, "come": money.debited, "back": money.refunded,
    }  # fmt: skip


def _status(row: OrderFulfillment, books: _Books) -> Iterator[tuple[str, str]]:
    """The status against the ledger. An order without any money in it was approved before there was a ledger."""
    money, status = books.totals.get(row.pk), row.payment_status
    if money is None:
        return
    needed = row.order.total_incl_tax - books.given_up.get(row.pk, Decimal(0))
    # What was paid before a part was given up is paid back in part, and shown so.
    total = row.order.total_incl_tax if status == "partially_refunded" else needed
    wanted = resolve(status, total, money)
    lost = status == "authorized" and not money.allocated and followups.PAYMENT_LOST not in books.told[row.pk]
    if lost or (status == "paid" and money.net < total):
        wanted = "awaiting_payment"
    if wanted != status:
        yield "status", _("the status is “%(status)s”, by the ledger it should be “%(wanted)s” (%(money)s)") % {
            "status": status, "wanted": wanted, "money": _words(money),
        }  # fmt: skip
    is_off = "cancelled" in (status, row.shipping_status) or status == "refunded"
    left = money.net - books.credited.get(row.pk, Decimal(0)) - (Decimal(0) if is_off else needed)
    if left > 0 and not row.problem and not books.told[row.pk] & _KNOWN_MONEY:
        yield "unseen", _("%(sum)s %(currency)s is more than the order needs, and nobody was told") % {
            "sum": left, "currency": row.currency,
        }  # fmt: skip


def _allocated(row: OrderFulfillment, books: _Books) -> Iterator[tuple[str, str]]:
    for line in books.lines.get(row.pk, ()):
        wanted = 0 if row.shipping_status in _GONE else line.quantity - books.sent.get(line.pk, 0)
        wanted += books.replacing.get(line.pk, 0)
        if (line.num_allocated or 0) != wanted:
            yield "stock", _("line %(line)s has %(found)d units allocated instead of %(wanted)d") % {
                "line": line.title, "found": line.num_allocated or 0, "wanted": wanted,
            }  # fmt: skip


# Stock records


def _records(page: Sequence[Any]) -> list[tuple[int, Difference]]:
    lines = get_model("order", "Line")._default_manager.filter(stockrecord__in=[record.pk for record in page])
    sums = dict(lines.order_by().values_list("stockrecord").annotate(total=Sum("num_allocated")))
    found = []
    for record in page:
        wanted = sums.get(record.pk) or 0
        if record.product.get_product_class().track_stock and (record.num_allocated or 0) != wanted:
            words = _("%(found)d units are allocated, by the order lines %(wanted)d")
            where = _("Stock of %(sku)s") % {"sku": record.partner_sku}
            given = {"found": record.num_allocated or 0, "wanted": wanted}
            found.append((record.pk, Difference("stock", where, words % given)))
    return found


# Operations and providers


def _stuck(patience: timedelta) -> Iterator[Difference]:
    rows = PaymentOperation._default_manager.filter(
        status=PaymentOperation.REQUESTED, requested_at__lt=timezone.now() - patience
    )
    for kind, number, since, error in rows.values_list(
        "kind", F("payment__fulfillment__number"), "requested_at", "error"
    ):
        words = _("a provider was asked for a %(kind)s and has not answered since %(since)s %(error)s")
        told = {"kind": kind, "since": timezone.localtime(since).strftime("%Y-%m-%d %H:%M"), "error": error}
        yield Difference("operation", _("Order %(number)s") % {"number": number}, (words % told).strip())


def _asked() -> Iterator[Difference]:
    """Each payment as its provider has it. Between two questions the network is used, and no transaction is open."""
    rows = ProviderPayment._default_manager.select_related("fulfillment").order_by("pk")
    last = 0
    while page := list(rows.filter(pk__gt=last)[:PAGE]):
        last = page[-1].pk
        for payment in page:
            what = _at_provider(payment)
            if what and (what := _at_provider(rows.get(pk=payment.pk))):  # it may just have been settled
                yield Difference("provider", _("Order %(number)s") % {"number": payment.fulfillment.number}, what)


def _at_provider(payment: ProviderPayment) -> str:
    """How the provider's view differs from ours; "" when it does not."""
    name = {"payment": payment.reference, "provider": payment.provider}
    try:
        remote = ask(gateway_of(payment), payment)
    except (FulfillmentError, ConfigurationError) as error:
        return _("payment %(payment)s: %(provider)s does not say how it stands: %(error)s") % {**name, "error": error}
    if remote is None:
        return ""  # begun by us, never there
    theirs = (str(remote.state), remote.captured, remote.refunded)
    ours = (payment.state, payment.captured, payment.refunded)
    if theirs == ours and (remote.external_id == payment.external_id or not payment.external_id):
        return ""
    words = _("payment %(payment)s: %(provider)s says %(theirs)s, we have %(ours)s")
    return words % {**name, "theirs": " ".join(map(str, theirs)), "ours": " ".join(map(str, ours))}
