"""Orders from suppliers: what is on its way, what came; and the waiting orders as a list shows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db.models import Count, F, QuerySet, Sum
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.models import OrderFulfillment, SupplierOrder

from .missing import ProductNeed, WaitingOrder
from .scans import among

OPEN, CLOSED = "open", "closed"


def supplier_orders(state: str) -> QuerySet[SupplierOrder]:
    """The orders of a tab with their sums: those that are expected first, of the closed ones the newest."""
    rows = SupplierOrder._default_manager.annotate(
        line_count=Count("lines"), ordered=Sum("lines__quantity"), came=Sum("lines__received")
    )
    if state == CLOSED:
        return rows.filter(closed_at__isnull=False).order_by("-closed_at", "-pk")
    return rows.filter(closed_at__isnull=True).order_by(F("expected_on").asc(nulls_last=True), "pk")


def count_open() -> int:
    return SupplierOrder._default_manager.filter(closed_at__isnull=True).count()


def is_late(order: SupplierOrder, today: date | None = None) -> bool:
    """Whether its day is over and not everything came."""
    return order.is_open and order.expected_on is not None and order.expected_on < (today or timezone.localdate())


def newest_order(partner: Any) -> int:
    """The id of the supplier's newest order; 0 for none. See ``services.supply.order_from_supplier``."""
    newest = SupplierOrder._default_manager.filter(partner=partner).values_list("pk", flat=True).first()
    return newest or 0


def not_missing(partner: Any, record_ids: Iterable[int]) -> list[ProductNeed]:
    """Products of a supplier of which nothing is missing."""
    rows = get_model("partner", "StockRecord")._default_manager.filter(pk__in=among(record_ids), partner=partner)
    return [
        ProductNeed(
            record.pk, record.product_id, record.partner_sku, record.product.upc or "", record.product.get_title(),
            missing=0, on_order=0, orders=0, oldest="", oldest_at=None,
        )
        for record in rows.select_related("product__parent").order_by("partner_sku", "pk")
    ]  # fmt: skip


def rows_of(waiting: list[WaitingOrder]) -> list[tuple[WaitingOrder, OrderFulfillment]]:
    """These orders with what a list shows of them."""
    rows = OrderFulfillment._default_manager.filter(pk__in=among([one.order_id for one in waiting]))
    found = rows.in_bulk()
    return [(one, found[one.order_id]) for one in waiting if one.order_id in found]
