"""How the lines of a payout stand to our payments, and which orders still wait for theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _
from oscar.templatetags.currency_filters import currency as in_currency

from oscar_fulfillment.models import OrderFulfillment, Payout, PayoutLine
from oscar_fulfillment.statements.payout_file import PAYMENT, REFUND

#: What a line comes to.
READY, SETTLED, IN_ALREADY, DIFFERS, PART, UNKNOWN, TAKEN_BACK = (
    "ready", "settled", "in_already", "differs", "part", "unknown", "taken_back",
)  # fmt: skip
#: Those that a person may confirm; the second only by choosing the line.
CONFIRMABLE = (READY, DIFFERS, PART)


@dataclass(frozen=True)
class Verdict:
    """What a line comes to, and why in words."""

    line: PayoutLine
    code: str
    words: str
    order: OrderFulfillment | None = None


def judge(lines: Iterable[PayoutLine]) -> list[Verdict]:
    """What each of these lines comes to. Two statements for any number; read them with :func:`lines_of`."""
    listed = list(lines)
    payments = sorted({line.payment_id for line in listed if line.payment_id})
    rows = (
        PayoutLine._default_manager.filter(payment__in=payments, kind=PAYMENT)
        .order_by()
        .values_list("payment")
        .annotate(paid=Sum("gross"))
    )
    # One payment may be paid out in parts (instalments), over several files.
    paid = {pk: Decimal(total).quantize(Decimal("0.01")) for pk, total in rows} if payments else {}
    return [_judge(line, paid.get(line.payment_id, Decimal(0))) for line in listed]


def _judge(line: PayoutLine, paid: Decimal) -> Verdict:
    payment = line.payment
    if payment is None:
        return Verdict(line, UNKNOWN, _("No payment of ours has this number."))
    order = payment.fulfillment
    if line.kind != PAYMENT:
        words = _("A refund: it lowers the payout.") if line.kind == REFUND else _("Charged back by the buyer’s bank.")
        return Verdict(line, TAKEN_BACK, words, order)
    if line.settled_at:
        return Verdict(line, SETTLED, _("Confirmed by %(who)s.") % {"who": line.settled_by_label}, order)
    told = {"paid": in_currency(paid, line.currency), "captured": in_currency(payment.captured, payment.currency)}
    if line.currency and line.currency != payment.currency:
        words = _("Another currency: %(captured)s was charged.")
        return Verdict(line, DIFFERS, words % told, order)
    if paid > payment.captured:
        return Verdict(line, DIFFERS, _("Paid out %(paid)s, but %(captured)s was charged.") % told, order)
    if not order.awaits_payout:
        words = (
            _("Refunded since.") if payment.refunded >= payment.captured > 0 else _("The order waits for no payout.")
        )
        return Verdict(line, IN_ALREADY, words, order)
    if paid < payment.captured:
        return Verdict(line, PART, _("Paid out %(paid)s of %(captured)s so far.") % told, order)
    if payment.refunded:
        refunded = in_currency(payment.refunded, payment.currency)
        return Verdict(line, READY, _("%(sum)s of it was refunded.") % {"sum": refunded}, order)
    return Verdict(line, READY, "", order)


def lines_of(payout: Payout) -> QuerySet[PayoutLine]:
    """The lines of a payout with all that :func:`judge` looks at."""
    return payout.lines.select_related("payment__fulfillment__order").order_by("pk")


@dataclass(frozen=True)
class Waiting:
    """An order whose payout is awaited, since when, at whom, and how much."""

    order: OrderFulfillment
    since: datetime
    providers: str
    amount: Decimal


def awaiting_payout() -> QuerySet[OrderFulfillment]:
    """Orders that wait for their payout, longest first (partial index)."""
    return OrderFulfillment._default_manager.filter(awaits_payout=True).order_by("placed_at", "order")


def with_since(rows: Sequence[OrderFulfillment]) -> list[Waiting]:
    """These orders with when they were begun to be paid and at whom. One statement more."""
    from django.db.models import prefetch_related_objects

    prefetch_related_objects(list(rows), "provider_payments")
    return [_waiting(row) for row in rows]


def _waiting(row: Any) -> Waiting:
    paid = [payment for payment in row.provider_payments.all() if payment.captured]
    since = min((payment.created_at for payment in paid), default=row.placed_at)
    providers = ", ".join(sorted({payment.provider for payment in paid}))
    amount = sum((payment.captured - payment.refunded for payment in paid), Decimal(0))
    return Waiting(row, since, providers, amount)
