"""Stock, each unit exactly once: allocated when the order is placed, consumed at dispatch, freed at cancel.

Oscar's own methods check first and write later, line by line. Here the rows are locked (lines, then stock records,
by pk, the order every caller uses), re-read, checked and written in a constant number of statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, F, PositiveIntegerField, Value, When
from django.db.models.functions import Coalesce, Greatest
from oscar.core.loading import get_model

from oscar_fulfillment.core.commit import after_commit
from oscar_fulfillment.core.locks import lock_rows


@dataclass
class LockedStock:
    """Lines and stock records under lock. ``lines`` by pk, ``records`` by pk."""

    lines: dict[int, Any]
    records: dict[int, Any]

    def tracks(self, line: Any) -> bool:
        """Whether the stock of this line is counted at all."""
        return is_tracked(self.records.get(line.stockrecord_id))

    def lines_of(self, order_id: int) -> list[Any]:
        return [line for line in self.lines.values() if line.order_id == order_id]


def is_tracked(record: Any) -> bool:
    """Whether the stock of this record is counted; never where there is none."""
    return record is not None and record.product.get_product_class().track_stock


def lock_stock(order_ids: Iterable[int]) -> LockedStock:
    """Lock the lines of these orders and their stock records; call inside a transaction."""
    Line = get_model("order", "Line")
    by_pk = {line.pk: line for line in lock_rows(Line._default_manager.filter(order__in=list(order_ids)))}
    wanted = {line.stockrecord_id for line in by_pk.values() if line.stockrecord_id}
    return LockedStock(by_pk, lock_records(wanted))


def lock_records(record_ids: Iterable[int]) -> dict[int, Any]:
    """Lock these stock records, by pk; call inside a transaction."""
    rows = get_model("partner", "StockRecord")._default_manager.filter(pk__in=list(record_ids))
    rows = rows.select_related("product__product_class", "product__parent__product_class")
    return {record.pk: record for record in lock_rows(rows)}


def consume(stock: LockedStock, quantities: Mapping[int, int]) -> None:
    """Goods leave: per line pk, take units out of the stock and out of its allocations."""
    _write(stock, quantities, taken=True)


def free(stock: LockedStock, quantities: Mapping[int, int]) -> None:
    """Goods stay: per line pk, give allocated units back to whoever buys next."""
    _write(stock, quantities, taken=False)


def put_back(stock: LockedStock, quantities: Mapping[int, int]) -> None:
    """Goods came back: per line pk, count units into the stock again."""
    count_in(stock.records, _per_record(stock, quantities))


def count_in(records: Mapping[int, Any], quantities: Mapping[int, int]) -> dict[int, int]:
    """Goods come in: per stock record pk, count units into the stock. What is not counted is left out; returns the
    units that were.
    """
    counted = {pk: qty for pk, qty in quantities.items() if qty and is_tracked(records.get(pk))}
    if counted:
        _update_records(counted, {"num_in_stock": lambda qty: Coalesce(F("num_in_stock"), 0) + qty})
    return counted


def set_in_stock(numbers: Mapping[int, int]) -> None:
    """How many are there, per pk of locked stock records, whatever was there before."""
    if numbers:
        _update_records(numbers, {"num_in_stock": lambda number: Value(number)})


def _write(stock: LockedStock, quantities: Mapping[int, int], *, taken: bool) -> None:
    # A line never gives up more than it still has allocated: that is what makes it "exactly once".
    capped = {
        pk: min(qty, stock.lines[pk].num_allocated or 0)
        for pk, qty in quantities.items()
        if stock.tracks(stock.lines[pk])
    }
    per_record = _per_record(stock, capped)
    if not per_record:
        return
    _update_lines({pk: qty for pk, qty in capped.items() if qty})
    if not taken:
        _mark_cancelled([pk for pk, qty in capped.items() if qty == stock.lines[pk].num_allocated])
    columns = {"num_allocated": lambda qty: Greatest(Coalesce(F("num_allocated"), 0) - qty, 0)}
    if taken:
        columns["num_in_stock"] = lambda qty: Greatest(Coalesce(F("num_in_stock"), 0) - qty, 0)
    _update_records(per_record, columns)


def _per_record(stock: LockedStock, quantities: Mapping[int, int]) -> dict[int, int]:
    per_record: dict[int, int] = defaultdict(int)
    for pk, quantity in quantities.items():
        line = stock.lines[pk]
        if quantity and stock.tracks(line):
            per_record[line.stockrecord_id] += quantity
    return per_record


def _case(amounts: Mapping[int, Any]) -> Case:
    return Case(*(When(pk=pk, then=value) for pk, value in amounts.items()), output_field=PositiveIntegerField())


def _update_lines(quantities: Mapping[int, int]) -> None:
    Line = get_model("order", "Line")
    amounts = {pk: Coalesce(F("num_allocated"), 0) - qty for pk, qty in quantities.items()}
    Line._default_manager.filter(pk__in=quantities).update(num_allocated=_case(amounts))


def _mark_cancelled(line_ids: Iterable[int]) -> None:
    """Oscar's flag on a line whose whole allocation was given back."""
    get_model("order", "Line")._default_manager.filter(pk__in=list(line_ids)).update(allocation_cancelled=True)


def _update_records(per_record: Mapping[int, int], columns: Mapping[str, Any]) -> None:
    StockRecord = get_model("partner", "StockRecord")
    values = {
        name: _case({pk: expression(qty) for pk, qty in per_record.items()}) for name, expression in columns.items()
    }
    StockRecord._default_manager.filter(pk__in=per_record).update(**values)
    # Oscar's low-stock alerts and other plugins listen to the record's save signals; they run after the commit,
    # so that a receiver neither holds our locks nor undoes the step.
    for pk in per_record:
        after_commit(_tell_oscar, pk)


def _tell_oscar(pk: int) -> None:
    StockRecord = get_model("partner", "StockRecord")
    record = StockRecord._default_manager.filter(pk=pk).first()
    if record is not None:
        record.post_save_signal()


def missing(stock: LockedStock, quantities: Mapping[int, int]) -> list[tuple[Any, int]]:
    """Which lines cannot be allocated in full, with the units that lack. What is not counted never lacks."""
    short = []
    left = {pk: (record.num_in_stock or 0) - (record.num_allocated or 0) for pk, record in stock.records.items()}
    for pk, quantity in quantities.items():
        line = stock.lines[pk]
        if not stock.tracks(line):
            continue
        lacking = quantity - max(left[line.stockrecord_id], 0)
        left[line.stockrecord_id] -= quantity
        if lacking > 0:
            short.append((line, min(lacking, quantity)))
    return short


def allocate(stock: LockedStock, quantities: Mapping[int, int]) -> None:
    """Reserve units for lines: per line pk. The caller has asked :func:`missing` under the same lock."""
    tracked = {pk: qty for pk, qty in quantities.items() if qty and stock.tracks(stock.lines[pk])}
    per_record = _per_record(stock, tracked)
    if not per_record:
        return
    Line = get_model("order", "Line")
    amounts = {pk: Coalesce(F("num_allocated"), 0) + qty for pk, qty in tracked.items()}
    Line._default_manager.filter(pk__in=tracked).update(num_allocated=_case(amounts), allocation_cancelled=False)
    _update_records(per_record, {"num_allocated": lambda qty: Coalesce(F("num_allocated"), 0) + qty})
