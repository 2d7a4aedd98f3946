"""The journal for the accounts: its columns, its cells, its totals, and the file as CSV, chunk by chunk."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings as django_settings
from django.utils import timezone, translation
from django.utils.formats import get_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from oscar_fulfillment.selectors import journal, journal_facts, reconciliation
from oscar_fulfillment.selectors.journal import Scope, chunks
from oscar_fulfillment.selectors.journal_facts import Row
from oscar_fulfillment.selectors.reconciliation import Balance
from oscar_fulfillment.selectors.tax_rates import RateSum

from .export import LineWriter, safe_cell

ZERO = Decimal(0)
#: How sums are written: with a point, for programs; as the language has it, for people.
MACHINE, LOCALE = "machine", "locale"
#: What a file holds: the journal, or the orders with what they owe.
JOURNAL, ORDERS = "journal", "orders"

KIND_LABELS: dict[str, Any] = {
    journal.PAYMENT: pgettext_lazy("journal", "Payment"),
    journal.REFUND: pgettext_lazy("journal", "Refund"),
    journal.INVOICE: pgettext_lazy("journal", "Invoice"),
    journal.CANCELLED: pgettext_lazy("journal", "Cancelled invoice"),
    journal.CREDIT: pgettext_lazy("journal", "Credit note"),
}
REASON_LABELS: dict[str, Any] = {
    reconciliation.BOOKS: gettext_lazy("The ledger and its transactions differ"),
    reconciliation.OFF: gettext_lazy("Cancelled or refunded, and money is still here"),
    reconciliation.SHORT: gettext_lazy("Marked as paid, and money is missing"),
    reconciliation.TOO_MUCH: gettext_lazy("More came in than is needed"),
    reconciliation.NO_LEDGER: gettext_lazy("Marked as paid before there was a ledger"),
    reconciliation.WAITING: gettext_lazy("Waits for its money"),
    reconciliation.HELD: gettext_lazy("Held by the provider, not taken yet"),
    reconciliation.LATER: gettext_lazy("Settled after the period"),
    reconciliation.IN_PART: gettext_lazy("Given back in part"),
    reconciliation.CREDITED: gettext_lazy("Kept as credit"),
}

Cell = str | Decimal | None


@dataclass
class Total:
    """Entries of one kind, currency, method and provider. ``unknown``: documents that nobody has said the sum of."""

    kind: str
    currency: str
    method: str
    provider: str
    count: int = 0
    unknown: int = 0
    gross: Decimal = ZERO
    fee: Decimal = ZERO

    @property
    def label(self) -> Any:
        return KIND_LABELS[self.kind]


class Totals:
    """Adds up rows as they pass by: what is exported is what is summed."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str, str], Total] = {}

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted."""
        for row in rows:
            entry = row.entry
            key = (entry.kind, entry.currency, row.method, row.provider)
            total = self.found.get(key)
            if total is None:
                total = self.found[key] = Total(*key)
            total.count += 1
            total.unknown += entry.amount is None
            total.gross += entry.amount or ZERO
            total.fee += row.fee or ZERO
            yield row

    def sorted(self) -> list[Total]:
        """By kind, currency, method and provider."""
        return [self.found[key] for key in sorted(self.found, key=lambda k: (journal.KINDS.index(k[0]), *k[1:]))]

    def sums(self) -> dict[tuple[str, str], Decimal]:
        """(kind, currency) -> sum."""
        found: dict[tuple[str, str], Decimal] = {}
        for total in self.found.values():
            key = (total.kind, total.currency)
            found[key] = found.get(key, ZERO) + total.gross
        return found


def rows(scope: Scope) -> Iterator[Row]:
    """The journal of a scope, told in full."""
    return journal_facts.rows(journal.entries(scope))


def journal_header() -> list[str]:
    """The column names of the journal."""
    return [
        _("Entry"), _("Date and time"), _("Kind"), _("Order number"), _("Document number"), _("Series"),
        _("Access key"), _("Customer"), _("Tax number"), _("Country"), _("Payment method"), _("Provider"),
        _("Provider reference"), _("Bank reference"), _("Payout"), _("Currency"), _("Net"), pgettext("sum", "Tax"),
        pgettext("sum", "Gross"), _("Tax by rate"), _("Fee"), _("Flow"),
    ]  # fmt: skip


def journal_cells(row: Row, money: Callable[[Decimal], str]) -> list[Cell]:
    """A row's cells: texts that no spreadsheet runs, and sums as numbers."""
    entry, order = row.entry, row.order
    document = entry.document
    return [
        entry.uid,
        local(entry.at),
        str(KIND_LABELS[entry.kind]),
        safe_cell(order["number"]),
        safe_cell(document.get("number")),
        safe_cell(document.get("series")),
        safe_cell(document.get("access_key")),
        safe_cell(order["fulfillment__customer_name"]),
        safe_cell(order["fulfillment__tax_id"]),
        safe_cell(order["billing_address__country_id"] or order["shipping_address__country_id"]),
        safe_cell(row.method),
        safe_cell(row.provider),
        safe_cell(row.provider_reference),
        safe_cell(row.bank_reference),
        safe_cell(row.payout),
        safe_cell(entry.currency),
        row.net,
        row.tax,
        entry.amount,
        "; ".join(_rate(group, money) for group in row.rates),
        row.fee,
        safe_cell(order["fulfillment__flow"]),
    ]


def _rate(group: RateSum, money: Callable[[Decimal], str]) -> str:
    """``19.0%: 100.00 / 19.00``: what is sold at this rate without tax, and its tax."""
    return f"{group.rate}%: {money(group.net)} / {money(group.tax)}"


def orders_header() -> list[str]:
    """The column names of the orders with what they owe."""
    return [
        _("Order number"), _("Placed"), _("Customer"), _("Currency"), _("Open at the beginning"), _("Billed"),
        _("Received"), _("Refunded"), _("Open at the end"), _("Open today"), _("Why it is open"),
    ]  # fmt: skip


def order_cells(balance: Balance) -> list[Cell]:
    """An order's cells."""
    return [
        safe_cell(balance.number),
        local(balance.placed_at),
        safe_cell(balance.customer),
        safe_cell(balance.currency),
        balance.opening,
        balance.billed,
        balance.received,
        balance.refunded,
        balance.closing,
        balance.now,
        str(REASON_LABELS[balance.reason]) if balance.reason else "",
    ]


def local(moment: datetime) -> str:
    """In the shop's time zone, whoever looks, with its offset: ``2026-11-30T23:59:59-03:00``."""
    if django_settings.USE_TZ:
        moment = moment.astimezone(timezone.get_default_timezone())
    return moment.isoformat("T", "seconds")


def writer_of(decimals: str) -> Callable[[Decimal], str]:
    """Writes sums with a point, or with the sign of the active language; never with marks between thousands."""
    sign = get_format("DECIMAL_SEPARATOR") if decimals == LOCALE else "."

    def write(amount: Decimal) -> str:
        return f"{amount:.2f}".replace(".", sign)

    return write


def stream_csv(scope: Scope, *, what: str = JOURNAL, decimals: str = MACHINE, language: str) -> Iterator[str]:
    """The lines of a file, with its header, in ``language``. Columns are parted by a comma, by a semicolon where sums
    have commas."""
    with translation.override(language):
        money = writer_of(decimals)
        comma = decimals == LOCALE and get_format("DECIMAL_SEPARATOR") == ","
        writer = csv.writer(LineWriter(), delimiter=";" if comma else ",")
        header = journal_header() if what == JOURNAL else orders_header()
    # The mark makes Excel read UTF-8.
    yield "\ufeff" + writer.writerow(header)
    found = _cells(scope, what, money)
    while True:
        # Between two chunks others may use the thread, with their own language.
        with translation.override(language):
            chunk = next(found, None)
        if chunk is None:
            return
        yield "".join(
            writer.writerow([money(cell) if isinstance(cell, Decimal) else cell for cell in cells]) for cells in chunk
        )


def _cells(scope: Scope, what: str, money: Callable[[Decimal], str]) -> Iterator[Sequence[list[Cell]]]:
    if what == JOURNAL:
        for page in chunks(rows(scope)):
            yield [journal_cells(row, money) for row in page]
    else:
        for balances in chunks(reconciliation.balances(scope)):
            yield [order_cells(balance) for balance in balances]


def filename(scope: Scope, what: str, extension: str) -> str:
    """``journal-20261101-20261130.csv``"""
    first, end = (
        moment.astimezone(timezone.get_default_timezone()) if django_settings.USE_TZ else moment
        for moment in (scope.begin, scope.end)
    )
    return f"{what}-{first:%Y%m%d}-{end - timedelta(days=1):%Y%m%d}.{extension}"
