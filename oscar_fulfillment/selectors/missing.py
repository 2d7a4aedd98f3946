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

from django.db.models import F, Max, Q, QuerySet, Sum
from oscar.core.loading import get_model

from oscar_fulfillment.models import OrderFulfillment, ShipmentLine, SupplierOrderLine
from oscar_fulfillment.models.shipment import PENDING

from .availability import find_goods, released_lines
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


@dataclass(frozen=True, order=True)
class _Order:
    """A waiting order, sorted as the goods are handed out: those on hold (or without safe money) last, else by age."""

    is_blocked: bool
    placed_at: datetime
    pk: int
    number: str = field(compare=False)
    is_in_part: bool = field(compare=False)


@dataclass(frozen=True)
class _Line:
    """A line of a waiting order whose product may be short. ``asked``: units that are not released yet."""

    order: _Order
    pk: int
    record_id: int
    asked: int
    allocated: int | None


@dataclass
class _Want:
    """A product that is short: how many units lack, and the orders that wait for them."""

    missing: int = 0
    orders: set[_Order] = field(default_factory=set)

    def add(self, order: _Order, missing: int) -> None:
        self.missing += missing
        self.orders.add(order)

    @property
    def oldest(self) -> _Order:
        return min(self.orders, key=attrgetter("placed_at", "pk"))


class Shortage:
    """What waiting orders lack now. Each thing is read when it is asked for, and once."""

    @cached_property
    def missing(self) -> list[SupplierNeed]:
        """What is missing, by supplier."""
        wants, _lacking = self._handed_out
        if not wants:
            return []
        records = get_model("partner", "StockRecord")._default_manager.filter(pk__in=among(wants))
        on_order = _on_order(wants)
        found: dict[int, SupplierNeed] = {}
        for record in records.select_related("partner", "product__parent"):
            partner, product, want = record.partner, record.product, wants[record.pk]
            need = found.setdefault(partner.pk, SupplierNeed(partner.pk, partner.code, partner.display_name))
            need.products.append(
                ProductNeed(
                    record.pk, product.pk, record.partner_sku, product.upc or "", product.get_title(), want.missing,
                    on_order.get(record.pk, 0), len(want.orders), want.oldest.number, want.oldest.placed_at,
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
        arrived = self._arrived
        orders = [
            order
            for order in self._orders.values()
            if not order.is_blocked and (order.is_in_part or order.pk in arrived)
        ]
        if not orders:
            return []
        wanted = _sums(_lines(order.pk for order in orders), "order_id")
        released = _sums(released_lines(among(order.pk for order in orders)), "shipment__fulfillment_id")
        found = []
        for order in sorted(orders):
            asked = wanted.get(order.pk, 0) - released.get(order.pk, 0)
            if (available := asked - lacking.get(order.pk, 0)) > 0:
                found.append(WaitingOrder(order.pk, order.placed_at, asked, available))
        return found

    @cached_property
    def _orders(self) -> dict[int, _Order]:
        """The orders that want goods. Each condition is looked up by an index of its own, so that a million others
        cost nothing."""
        rows = OrderFulfillment._default_manager.order_by()
        ready = [
            Q(hold_count=0) & state & money
            for state in release_states()
            for money in (*(Q(payment_status=status) for status in SAFE), _DEFERRED)
        ]
        columns = ("pk", "number", "placed_at", "has_backorder", "hold_count", "payment_status", "ships_before_payment")
        first, *others = (rows.filter(condition).values_list(*columns) for condition in (_IN_PART, *ready))
        return {
            pk: _Order(bool(holds) or not (payment in SAFE or goes_unpaid), placed, pk, number, in_part)
            for pk, number, placed, in_part, holds, payment, goes_unpaid in first.union(*others)
        }

    @cached_property
    def _promised(self) -> dict[int, int]:
        """Units per stock record that pending shipments will take."""
        rows = ShipmentLine._default_manager.filter(shipment__status=PENDING, line__stockrecord__isnull=False)
        return _sums(rows, "line__stockrecord_id")

    @cached_property
    def _records(self) -> dict[int, tuple[int, int]]:
        """(in stock, allocated) of the stock records that may not have what waiting orders ask of them.

        What was released already counts here as asked: there may be a few too many, but none is forgotten.
        """
        if not self._orders:
            return {}
        columns = ("stockrecord_id", "stockrecord__num_in_stock", "stockrecord__num_allocated")
        rows = _lines(self._orders).filter(_TRACKED).order_by().values_list(*columns)
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
        for line in sorted(self._open_lines(), key=attrgetter("order", "pk")):
            in_stock, all_allocated = self._records[line.record_id]
            before = taken.get(line.record_id, 0)
            missing = find_goods(
                asked=line.asked, allocated=line.allocated, in_stock=in_stock, all_allocated=all_allocated, taken=before
            ).missing
            taken[line.record_id] = before + line.asked - missing
            if missing:
                wants[line.record_id].add(line.order, missing)
                lacking[line.order.pk] += missing
        return wants, lacking

    def _open_lines(self) -> Iterator[_Line]:
        records = among(self._records)
        released = _sums(released_lines(among(self._orders)).filter(line__stockrecord__in=records), "line_id")
        columns = ("pk", "order_id", "stockrecord_id", "quantity", "num_allocated")
        rows = _lines(self._orders).filter(stockrecord__in=records).order_by().values_list(*columns)
        for pk, order_id, record_id, quantity, allocated in rows:
            if (asked := quantity - released.get(pk, 0)) > 0:
                yield _Line(self._orders[order_id], pk, record_id, asked, allocated)

    @cached_property
    def _arrived(self) -> set[int]:
        """Orders that were never released, and for which goods of a supplier came after they were placed."""
        ready = {pk: order.placed_at for pk, order in self._orders.items() if not order.is_in_part}
        if not ready:
            return set()
        rows = SupplierOrderLine._default_manager.filter(received_at__gt=min(ready.values()), stockrecord__isnull=False)
        came = dict(rows.order_by().values_list("stockrecord_id").annotate(last=Max("received_at")))
        if not came:
            return set()
        lines = _lines(ready).filter(stockrecord__in=among(came)).order_by().values_list("order_id", "stockrecord_id")
        return {order for order, record in lines if came[record] > ready[order]}


def _lines(orders: Iterable[int]) -> QuerySet[Any]:
    return get_model("order", "Line")._default_manager.filter(order__in=among(orders))


def _sums(rows: QuerySet[Any], column: str) -> dict[int, int]:
    """Units by what stands in a column."""
    return dict(rows.order_by().values_list(column).annotate(units=Sum("quantity")))


def _on_order(record_ids: Iterable[int]) -> dict[int, int]:
    """Units per stock record that suppliers are still to bring."""
    rows = SupplierOrderLine._default_manager.filter(supplier_order__closed_at=None, stockrecord__in=among(record_ids))
    return dict(rows.order_by().values_list("stockrecord_id").annotate(units=Sum(F("quantity") - F("received"))))
