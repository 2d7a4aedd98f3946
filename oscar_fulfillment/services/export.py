"""Orders as CSV, chunk by chunk: the memory it takes does not depend on how many there are."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.db.models import QuerySet, Sum
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.flows import get_flow
from oscar_fulfillment.models import Invoice, OrderFulfillment, Parcel
from oscar_fulfillment.selectors.scans import ORDER_COLUMNS, among, read_page

CHUNK = 1000
_COLUMNS = (*ORDER_COLUMNS, "payment_method__name")

#: A spreadsheet takes a cell that begins like this for a formula, and runs it.
_FORMULA = frozenset("=+-@\t\r\n")


def safe_cell(value: Any) -> str:
    """Text that no spreadsheet runs: a leading apostrophe makes it text."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in _FORMULA else text


def header() -> list[str]:
    """The column names."""
    return [
        _("Order number"), _("Placed"), _("Customer"), _("E-mail"), _("Payment status"), _("Shipping status"),
        _("Payment method"), _("Total"), _("Currency"), _("Items"), _("Tracking codes"), _("Invoice numbers"),
    ]  # fmt: skip


class LineWriter:
    """A file for the csv module that hands back what was written."""

    def write(self, text: str) -> str:
        return text


def stream_orders(
    queries: Sequence[QuerySet[OrderFulfillment]],
    *,
    language: str,
    newest_first: bool = True,
    distinct: bool = False,
    chunk: int = CHUNK,
) -> Iterator[str]:
    """The lines of the file, with its header, in ``language``. Four statements per ``chunk`` orders, by keyset."""
    writer = csv.writer(LineWriter())
    words = _StatusWords()
    with translation.override(language):
        # The mark makes Excel read UTF-8.
        yield "\ufeff" + writer.writerow(header())
        after = None
        while True:
            page = read_page(
                queries, chunk, after=after, newest_first=newest_first, distinct=distinct, columns=_COLUMNS
            )
            if page.rows:
                yield "".join(writer.writerow(row) for row in _cells(page.rows, words))
            if not page.has_next:
                return
            after = page.cursor(-1)


class _StatusWords(dict[tuple[str, str, str], str]):
    """(flow, machine, state) -> the cell, in the active language: translated once, not for each row."""

    def __missing__(self, key: tuple[str, str, str]) -> str:
        flow, machine, state = key
        self[key] = safe_cell(get_flow(flow).machines[machine].label(state))
        return self[key]


def _cells(rows: Sequence[dict[str, Any]], words: _StatusWords) -> Iterator[list[str]]:
    ids = among([row["order_id"] for row in rows])
    items = _items(ids)
    parcels = Parcel._default_manager.filter(shipment__fulfillment__in=ids).exclude(tracking_code="")
    tracking = _joined(parcels, "tracking_code", "shipment__fulfillment_id")
    invoices = _invoices(ids)
    zone = timezone.get_current_timezone() if django_settings.USE_TZ else None
    for row in rows:
        pk, flow = row["order_id"], row["flow"]
        placed = row["placed_at"].astimezone(zone) if zone else row["placed_at"]
        yield [
            safe_cell(row["number"]),
            placed.replace(tzinfo=None).isoformat(" ", "minutes"),
            safe_cell(row["customer_name"]),
            safe_cell(row["email"]),
            words[flow, "payment", row["payment_status"]],
            words[flow, "shipping", row["shipping_status"]],
            safe_cell(row["payment_method__name"]),
            str(row["order__total_incl_tax"]),
            safe_cell(row["order__currency"]),
            str(items.get(pk, 0)),
            safe_cell(tracking.get(pk)),
            safe_cell(invoices.get(pk)),
        ]


def _items(ids: Any) -> dict[int, int]:
    lines = get_model("order", "Line")._default_manager.filter(order__in=ids).order_by()
    return dict(lines.values_list("order_id").annotate(Sum("quantity")))


def _joined(rows: QuerySet[Any], column: str, order: str) -> dict[int, str]:
    found: dict[int, list[str]] = defaultdict(list)
    for pk, text in rows.order_by("pk").values_list(order, column):
        found[pk].append(text)
    return {pk: " ".join(texts) for pk, texts in found.items()}


def _invoices(ids: Any) -> dict[int, str]:
    found: dict[int, list[str]] = defaultdict(list)
    valid = Invoice._default_manager.filter(fulfillment__in=ids, cancelled_at=None).exclude(kind="none").order_by("pk")
    for pk, number, series in valid.values_list("fulfillment_id", "number", "series"):
        found[pk].append(f"{number}/{series}" if series else number)
    return {pk: " ".join(texts) for pk, texts in found.items()}


def filename() -> str:
    """``orders-20261122-0715.csv``"""
    return f"orders-{timezone.localtime():%Y%m%d-%H%M}.csv"
