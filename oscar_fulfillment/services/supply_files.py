"""Missing goods and supplier's orders as CSV. Spreadsheets read UTF-8 by the mark in front, and run no cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.models import SupplierOrder
from oscar_fulfillment.selectors.missing import SupplierNeed

from .export import safe_cell


def _table(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(heading)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return "\ufeff" + file.getvalue()


def missing_csv(needs: Iterable[SupplierNeed]) -> str:
    """What is missing, a line for each product."""
    heading = [
        _("Supplier"), _("SKU"), _("UPC"), _("Product"), _("Missing"), _("On order"), _("To order"),
        _("Orders that wait"), _("Oldest order"),
    ]  # fmt: skip
    return _table(
        heading,
        (
            (need.name, one.sku, one.upc, one.title, one.missing, one.on_order, one.to_order, one.orders, one.oldest)
            for need in needs
            for one in need.products
        ),
    )


def order_csv(order: SupplierOrder) -> str:
    """What a supplier is to bring."""
    heading = [_("SKU"), _("Product"), _("Quantity")]
    return _table(heading, ((line.sku, line.title, line.quantity) for line in order.lines.all()))
