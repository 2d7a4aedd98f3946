"""Products that can be added to an order: by SKU, bar code or title, with today's price and what is free in stock."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Case, IntegerField, Q, Value, When
from oscar.core.loading import get_class, get_model

#: Rows that one search shows.
ROWS = 12


@dataclass(frozen=True)
class Addable:
    """One stock record. ``price`` with tax, None where the shop has none; ``free`` None: its stock is not counted."""

    record: int
    title: str
    sku: str
    partner: str
    price: Decimal | None
    free: int | None


def find_addable(order: Any, query: str) -> list[Addable]:
    """The best matches among what has a price in the order's currency: exact numbers first, then titles."""
    query = " ".join(query.replace("\x00", " ").split())[:100]
    if not query:
        return []
    StockRecord = get_model("partner", "StockRecord")
    titles = Q()
    for word in query.split(" ")[:6]:
        titles &= Q(product__title__icontains=word) | Q(product__parent__title__icontains=word)
    exact = Q(partner_sku__iexact=query) | Q(product__upc__iexact=query)
    rows = (
        StockRecord._default_manager.filter(exact | Q(partner_sku__istartswith=query) | titles)
        .filter(price_currency=order.currency, price__isnull=False)
        .exclude(product__structure="parent")
        .select_related("partner", "product__product_class", "product__parent__product_class")
        .annotate(rank=Case(When(exact, then=Value(0)), default=Value(1), output_field=IntegerField()))
        .order_by("rank", "product__title", "pk")
    )
    strategy = get_class("partner.strategy", "Selector")().strategy(user=order.user)
    return [_addable(record, strategy) for record in rows[:ROWS]]


def _addable(record: Any, strategy: Any) -> Addable:
    product = record.product
    price = strategy.fetch_for_product(product, record).price
    counted = product.get_product_class().track_stock
    free = max((record.num_in_stock or 0) - (record.num_allocated or 0), 0)
    return Addable(
        record.pk, product.get_title(), record.partner_sku, record.partner.name,
        price.incl_tax if price.exists and price.is_tax_known else None, free if counted else None,
    )  # fmt: skip
