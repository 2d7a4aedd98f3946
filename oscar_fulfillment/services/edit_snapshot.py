"""The rows of an order that an edit changes, kept as they were, and put back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core import serializers
from oscar.core.loading import get_model

from oscar_fulfillment.core.statemachine import Reason

from . import edit_stock, edit_usage

#: Columns of the order itself.
COLUMNS = (
    "total_incl_tax", "total_excl_tax", "shipping_incl_tax", "shipping_excl_tax", "shipping_tax_code",
    "shipping_method", "shipping_code",
)  # fmt: skip
#: Rows by name: (model, how they belong to the order).
ROWS = {
    "lines": ("Line", "order"),
    "attributes": ("LineAttribute", "line__order"),
    "prices": ("LinePrice", "order"),
    "discounts": ("OrderDiscount", "order"),
    "line_discounts": ("OrderLineDiscount", "line__order"),
    "surcharges": ("Surcharge", "order"),
}
#: Columns of a line about which others have the say: they are kept, but neither compared nor put back.
LIVE = ("num_allocated", "allocation_cancelled", "status")

Snapshot = dict[str, Any]


def take(order_id: int) -> Snapshot:
    """The order's rows now, as JSON. Seven queries."""
    Order = get_model("order", "Order")
    order = json.loads(serializers.serialize("json", [Order._default_manager.get(pk=order_id)], fields=COLUMNS))
    return {"order": order[0]["fields"], **{name: _rows(name, order_id) for name in ROWS}}


def _rows(name: str, order_id: int) -> list[dict[str, Any]]:
    model, path = ROWS[name]
    rows = get_model("order", model)._default_manager.filter(**{path: order_id}).order_by("pk")
    return json.loads(serializers.serialize("json", rows))


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots say the same of money and goods."""
    return _said(one) == _said(other)


def _said(snapshot: Snapshot) -> Snapshot:
    lines = [
        {**row, "fields": {name: value for name, value in row["fields"].items() if name not in LIVE}}
        for row in snapshot["lines"]
    ]
    return {**snapshot, "lines": lines}


def put_back(order: Any, snapshot: Snapshot) -> Reason | None:
    """Make the order's rows what they were, with the stock that takes. Why not, when the stock lacks something: then
    undo the transaction."""
    now = {row["pk"]: row["fields"]["quantity"] for row in _rows("lines", order.pk)}
    _put_back_discounts(order, snapshot)
    lines = _objects(snapshot["lines"])
    _put_back_lines(lines, now)
    _put_back_details(order, snapshot, now)
    wanted = {line.pk: line.quantity for line in lines}
    changes = {pk: wanted.get(pk, 0) - now.get(pk, 0) for pk in {*wanted, *now}}
    if reason := edit_stock.move(order, {pk: units for pk, units in changes.items() if units}):
        return reason
    get_model("order", "Line")._default_manager.filter(order=order).exclude(pk__in=wanted).delete()
    for row in _objects(snapshot["surcharges"]):
        type(row)._default_manager.filter(pk=row.pk).update(incl_tax=row.incl_tax, excl_tax=row.excl_tax)
    values = {name: _column(name, value) for name, value in snapshot["order"].items()}
    get_model("order", "Order")._default_manager.filter(pk=order.pk).update(**values)
    for name, value in values.items():
        setattr(order, name, value)
    return None


def _column(name: str, value: Any) -> Any:
    return get_model("order", "Order")._meta.get_field(name).to_python(value)


def _objects(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """The rows as instances. What they point to and is gone since is let go, as the database would have done."""
    found = [item.object for item in serializers.deserialize("python", rows, ignorenonexistent=True)]
    if not found:
        return []
    field: Any
    for field in type(found[0])._meta.concrete_fields:
        if not field.is_relation or not field.null:
            continue
        pointed = {getattr(row, field.attname) for row in found} - {None}
        alive = set(field.related_model._default_manager.filter(pk__in=pointed).values_list("pk", flat=True))
        for row in found:
            if getattr(row, field.attname) not in alive:
                setattr(row, field.attname, None)
    return found


def _put_back_discounts(order: Any, snapshot: Snapshot) -> None:
    rows = get_model("order", "OrderDiscount")._default_manager.filter(order=order)
    before, after = list(rows), _objects(snapshot["discounts"])
    rows.delete()
    rows.model._default_manager.bulk_create(after)
    edit_usage.recount(before, after)


def _put_back_lines(lines: Sequence[Any], now: dict[int, int]) -> None:
    Line = get_model("order", "Line")
    kept = [field for field in Line._meta.concrete_fields if not field.primary_key and field.name not in LIVE]
    for line in lines:
        if line.pk in now:
            values = {field.attname: getattr(line, field.attname) for field in kept}
            Line._default_manager.filter(pk=line.pk).update(**values)
        else:
            line.num_allocated, line.allocation_cancelled = 0, False
    Line._default_manager.bulk_create(line for line in lines if line.pk not in now)


def _put_back_details(order: Any, snapshot: Snapshot, now: dict[int, int]) -> None:
    """What belongs to lines: attributes of those that come back, prices and discounts of all."""
    attributes = [row for row in _objects(snapshot["attributes"]) if row.line_id not in now]
    get_model("order", "LineAttribute")._default_manager.bulk_create(attributes)
    prices = get_model("order", "LinePrice")._default_manager
    prices.filter(order=order).delete()
    prices.bulk_create(_objects(snapshot["prices"]))
    get_model("order", "OrderLineDiscount")._default_manager.bulk_create(_objects(snapshot["line_discounts"]))
