"""What the page shows before anything is downloaded: totals, and whether they tie with the orders.

Both stop after so many rows: what takes longer than a page should is for the files and the command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from oscar_fulfillment.selectors import journal, reconciliation
from oscar_fulfillment.selectors.journal import PAYMENT, REFUND, Scope
from oscar_fulfillment.selectors.journal_money import movements, whole
from oscar_fulfillment.selectors.reconciliation import Balance

from .accounts import REASON_LABELS, Total, Totals, rows

ZERO = Decimal(0)
#: Entries and orders that a page reads.
MOST = 5000
#: Orders named for one reason.
NAMED = 25


@dataclass
class Sums:
    """The orders of one currency. ``in_journal``: (received, refunded) as the journal has them."""

    currency: str
    orders: int = 0
    opening: Decimal = ZERO
    billed: Decimal = ZERO
    received: Decimal = ZERO
    refunded: Decimal = ZERO
    in_journal: tuple[Decimal, Decimal] = (ZERO, ZERO)

    @property
    def closing(self) -> Decimal:
        return self.opening + self.billed - self.received + self.refunded

    def add(self, balance: Balance) -> None:
        """Count an order in."""
        self.orders += 1
        self.opening += balance.opening
        self.billed += balance.billed
        self.received += balance.received
        self.refunded += balance.refunded

    @property
    def ties(self) -> bool:
        """Whether journal and orders say the same."""
        return self.in_journal == (self.received, self.refunded)


@dataclass
class Open:
    """The orders that are open for one reason, in one currency; the first of them by name."""

    reason: str
    currency: str
    count: int = 0
    sum: Decimal = ZERO
    named: list[Balance] = field(default_factory=list)

    def add(self, balance: Balance) -> None:
        """Count an order in."""
        self.count += 1
        self.sum += balance.closing
        if len(self.named) < NAMED:
            self.named.append(balance)

    @property
    def label(self) -> Any:
        return REASON_LABELS[self.reason]

    @property
    def is_wrong(self) -> bool:
        return self.reason in reconciliation.WRONG

    @property
    def more(self) -> int:
        return self.count - len(self.named)


@dataclass
class Preview:
    """``totals`` and ``sums`` are None where there is more than a page reads."""

    totals: list[Total] | None
    sums: list[Sums] | None
    open: list[Open] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """Orders that need a person."""
        return sum(each.count for each in self.open if each.is_wrong)

    @property
    def ties(self) -> bool:
        return all(each.ties for each in self.sums or ())

    @property
    def is_empty(self) -> bool:
        return self.totals == [] and self.sums == []


def preview(scope: Scope, most: int | None = MOST) -> Preview:
    """Totals and balances of a scope; ``most`` None: however many there are. Balances are of all kinds of entries,
    whichever are chosen."""
    counted = Totals()
    # The bare entries say first whether there are too many: they cost a tenth.
    few = most is None or sum(1 for _entry in islice(journal.entries(scope), most + 1)) <= most
    if few:
        for _row in counted.watch(rows(scope)):
            pass
    totals = counted.sorted() if few else None
    sums: dict[str, Sums] = {}
    reasons: dict[tuple[str, str], Open] = {}
    for number, balance in enumerate(reconciliation.balances(scope), start=1):
        if most is not None and number > most:
            return Preview(totals, None)
        sums.setdefault(balance.currency, Sums(balance.currency)).add(balance)
        if balance.reason:
            key = (balance.reason, balance.currency)
            reasons.setdefault(key, Open(*key)).add(balance)
    for currency, amounts in _in_journal(scope).items():
        sums.setdefault(currency, Sums(currency)).in_journal = amounts
    found = sorted(reasons.values(), key=lambda each: (reconciliation.REASONS.index(each.reason), each.currency))
    return Preview(totals, [sums[currency] for currency in sorted(sums)], found)


def _in_journal(scope: Scope) -> dict[str, tuple[Decimal, Decimal]]:
    sums: dict[tuple[str, str], Decimal] = {}
    for entry in _money(scope):
        key = (entry.currency, entry.kind)
        sums[key] = sums.get(key, ZERO) + (entry.amount or ZERO)
    return {
        currency: (sums.get((currency, PAYMENT), ZERO), -sums.get((currency, REFUND), ZERO))
        for currency in {currency for currency, _kind in sums}
    }


def _money(scope: Scope) -> Iterator[journal.Entry]:
    return (entry for entry in movements(whole(scope)) if scope.currency in ("", entry.currency))
