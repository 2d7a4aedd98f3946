"""Missing goods: what waiting orders lack, by supplier, and which of them could be released now.

An order waits when it was released in part, or when its release is the next step and its money allows it. The goods in
the house go to the waiting orders by their age, as a release of all of them, oldest first, would find them (the same
formula); what is left over is missing. Orders on hold come last: the goods do not lie idle for them.

The number of queries does not depend on how many orders wait. Only the products that may be short are looked at order
by order: an aggregate finds them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from oscar.core.loading import get_model

from oscar_fulfillment.models import OrderFulfillment, ShipmentLine, SupplierOrderLine
from oscar_fulfillment.models.shipment import CANCELLED, PENDING

from .availability import find_goods
from .queues import SAFE, release_states
from .scans import among

#: The goods may leave before the money is in (see ``guards.money_is_safe``).
_DEFERRED = Q(payment_status="awaiting_payment", ships_before_payment=True)
#: Released in part, and neither given up nor paid back since.
_IN_PART = Q(has_backorder=True, payment_status__in=[*SAFE, "awaiting_payment"]) & ~Q(
    shipping_status__in=["cancelled", "returned"]
)
_TRACKED = Q(stockrecord__product__product_class__track_stock=True) | Q(
    stockrecord__product__parent__product_class__track_stock=True
)


@dataclass(frozen=True)
class ProductNeed:
    """What waiting orders lack of one product of a supplier. All figures but ``orders`` are units.

    ``on_order``: ordered from the supplier and not here yet. ``orders`` wait for it, the oldest since ``oldest_at``.
    """

    record_id: int
    product_id: int
    sku: str
    upc: str
    title: str
    missing: int
    on_order: int
    orders: int
    oldest: str
    oldest_at: datetime | None

    @property
    def to_order(self) -> int:
        """What is not on its way yet."""
        return max(self.missing - self.on_order, 0)


@dataclass(frozen=True)
class SupplierNeed:
    """What is missing of one supplier's goods: what is to be ordered first, then by title."""

    pk: int
    code: str
    name: str
    products: list[ProductNeed] = field(default_factory=list)

    @property
    def to_order(self) -> int:
        return sum(product.to_order for product in self.products)

    @property
    def missing(self) -> int:
        return sum(product.missing for product in self.products)

    @property
    def open_products(self) -> list[ProductNeed]:
        """Those of which something is to be ordered."""
        return [product for product in self.products if product.to_order]


@dataclass(frozen=True)
class WaitingOrder:
    """An order that could be released now: ``available`` of the ``asked`` units that are not released yet."""

    order_id: int
    placed_at: datetime
    asked: int
    available: int

    @property
    def is_full(self) -> bool:
        return self.available == self.asked


@dataclass
class _Want:
    """A product that is short: how many units lack, and the orders that wait for them."""

    missing: int = 0
    orders: set[int] = field(default_factory=set)
    oldest: tuple[datetime, str] | None = None

    def add(self, line: _Line, missing: int) -> None:
        self.missing += missing
        self.orders.add(line.order_id)
        self.oldest = min(self.oldest or (line.placed_at, line.number), (line.placed_at, line.number))


@dataclass(frozen=True)
class _Line:
    """A line of a waiting order whose product may be short. ``asked``: units that are not released yet."""

    is_blocked: bool
    placed_at: datetime
    order_id: int
    pk: int
    number: str
    record_id: int
    asked: int
    allocated: int | None


def waiting_orders() -> QuerySet[Any]:
    """The orders that want goods: their ids, found by one index each, so that a million others cost nothing."""
    rows = OrderFulfillment._default_manager.order_by()
    ready = [
        Q(hold_count=0) & state & money
        for state in release_states()
        for money in (*(Q(payment_status=status) for status in SAFE), _DEFERRED)
    ]
    first, *others = (rows.filter(condition).values("pk") for condition in (_IN_PART, *ready))
    return first.union(*others)


class Shortage:
    """What waiting orders lack now. Each thing is read when it is asked for, and once."""

    @cached_property
    def missing(self) -> list[SupplierNeed]:
        """What is missing, by supplier."""
        wants, _lacking = self._handed_out
        if not wants:
            return []
        records = get_model("partner", "StockRecord")._default_manager.filter(pk__in=among(list(wants)))
        on_order = _on_order(wants)
        found: dict[int, SupplierNeed] = {}
        for record in records.select_related("partner", "product__parent"):
            partner, product, want = record.partner, record.product, wants[record.pk]
            need = found.setdefault(partner.pk, SupplierNeed(partner.pk, partner.code, partner.display_name))
            oldest_at, oldest = want.oldest or (None, "")
            need.products.append(
                ProductNeed(
                    record.pk, product.pk, record.partner_sku, product.upc or "", product.get_title(), want.missing,
                    on_order.get(record.pk, 0), len(want.orders), oldest, oldest_at,
                )
            )  # fmt: skip
        for need in found.values():
            need.products.sort(key=lambda product: (not product.to_order, product.title.casefold(), product.sku))
        return sorted(found.values(), key=lambda need: (not need.to_order, need.name.casefold(), need.pk))

    @cached_property
    def releasable(self) -> list[WaitingOrder]:
        """Orders that waited for goods and could be released now, at least in part, oldest first: those released in
        part before, and those for which goods of a supplier came after they were placed."""
        _wants, lacking = self._handed_out
        orders = OrderFulfillment._default_manager.filter(pk__in=_candidates()).order_by("placed_at", "pk")
        placed = dict(orders.values_list("pk", "placed_at"))
        if not placed:
            return []
        lines = get_model("order", "Line")._default_manager.filter(order__in=_candidates()).order_by()
        wanted = dict(lines.values_list("order_id").annotate(Sum("quantity")))
        shipped = _in_shipments(_candidates()).values_list("shipment__fulfillment_id").annotate(Sum("quantity"))
        released = dict(shipped)
        found = []
        for pk, moment in placed.items():
            asked = wanted.get(pk, 0) - released.get(pk, 0)
            if (available := asked - lacking.get(pk, 0)) > 0:
                found.append(WaitingOrder(pk, moment, asked, available))
        return found

    @cached_property
    def _promised(self) -> dict[int, int]:
        """Units per stock record that pending shipments will take."""
        rows = ShipmentLine._default_manager.filter(shipment__status=PENDING, line__stockrecord__isnull=False)
        return dict(rows.order_by().values_list("line__stockrecord_id").annotate(Sum("quantity")))

    @cached_property
    def _records(self) -> dict[int, tuple[int, int]]:
        """(in stock, allocated) of the stock records that may not have what waiting orders ask of them.

        What was released already counts here as asked: there may be a few too many, but none is forgotten.
        """
        columns = ("stockrecord_id", "stockrecord__num_in_stock", "stockrecord__num_allocated")
        rows = _lines().filter(_TRACKED).order_by().values_list(*columns)
        found = {}
        for pk, in_stock, allocated, wanted, reserved in rows.annotate(Sum("quantity"), Sum("num_allocated")):
            in_stock, allocated = in_stock or 0, allocated or 0
            if wanted > in_stock - self._promised.get(pk, 0) or wanted - (reserved or 0) > in_stock - allocated:
                found[pk] = (in_stock, allocated)
        return found

    @cached_property
    def _handed_out(self) -> tuple[dict[int, _Want], dict[int, int]]:
        """What lacks by stock record, and units that lack by order, when the goods go to the oldest order first."""
        wants: dict[int, _Want] = defaultdict(_Want)
        lacking: dict[int, int] = defaultdict(int)
        if not self._records:
            return wants, lacking
        taken = dict(self._promised)
        for line in sorted(_open_lines(self._records), key=attrgetter("is_blocked", "placed_at", "order_id", "pk")):
            in_stock, all_allocated = self._records[line.record_id]
            before = taken.get(line.record_id, 0)
            missing = find_goods(
                asked=line.asked, allocated=line.allocated, in_stock=in_stock, all_allocated=all_allocated, taken=before
            ).missing
            taken[line.record_id] = before + line.asked - missing
            if missing:
                wants[line.record_id].add(line, missing)
                lacking[line.order_id] += missing
        return wants, lacking


def _lines() -> QuerySet[Any]:
    return get_model("order", "Line")._default_manager.filter(order__in=waiting_orders())


def _in_shipments(orders: QuerySet[Any]) -> QuerySet[Any]:
    """What is released already of these orders."""
    rows = ShipmentLine._default_manager.filter(shipment__fulfillment__in=orders)
    return rows.exclude(shipment__status=CANCELLED).order_by()


def _open_lines(record_ids: Iterable[int]) -> Iterator[_Line]:
    records = among(list(record_ids))
    shipped = _in_shipments(waiting_orders()).filter(line__stockrecord__in=records)
    released = dict(shipped.values_list("line_id").annotate(Sum("quantity")))
    order = "order__fulfillment__"
    rows = _lines().filter(stockrecord__in=records).order_by().values_list(
        "pk", "order_id", "stockrecord_id", "quantity", "num_allocated", f"{order}number", f"{order}placed_at",
        f"{order}hold_count", f"{order}payment_status", f"{order}ships_before_payment",
    )  # fmt: skip
    for pk, order_id, record, quantity, allocated, number, placed, holds, payment, goes_unpaid in rows:
        is_blocked = bool(holds) or not (payment in SAFE or goes_unpaid)
        if (asked := quantity - released.get(pk, 0)) > 0:
            yield _Line(is_blocked, placed, order_id, pk, number, record, asked, allocated)


def _on_order(record_ids: Iterable[int]) -> dict[int, int]:
    """Units per stock record that suppliers are still to bring."""
    rows = SupplierOrderLine._default_manager.filter(
        supplier_order__closed_at=None, stockrecord__in=among(list(record_ids))
    )
    sums = rows.order_by().values_list("stockrecord_id").annotate(units=Sum(F("quantity") - F("received")))
    return dict(sums)


def _candidates() -> QuerySet[Any]:
    """The orders that are offered once there are goods for them: ids only."""
    rows = OrderFulfillment._default_manager.order_by()
    in_part = rows.filter(_IN_PART, Q(payment_status__in=SAFE) | _DEFERRED, hold_count=0)
    came = SupplierOrderLine._default_manager.filter(received_at__gt=OuterRef(OuterRef("placed_at")))
    lines = get_model("order", "Line")._default_manager.filter(
        order=OuterRef("pk"), stockrecord__in=came.values("stockrecord")
    )
    arrived = rows.filter(Exists(lines), pk__in=waiting_orders(), has_backorder=False)
    return in_part.values("pk").union(arrived.values("pk"))
