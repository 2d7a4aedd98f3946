"""Thousands of orders in a second: copies of one that was made through the services."""

from datetime import UTC, datetime, timedelta

from oscar.core.loading import get_model

from oscar_fulfillment.core.text import fold
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.test import factories

START = datetime(2026, 1, 1, tzinfo=UTC)


def copies(order, count, *, prefix="C", start=START, names=(), **fields):
    """``count`` orders with the statuses of this one and a line like its own, a minute apart, oldest first.

    Numbered ``C00000`` on. The history is not copied: their next step is their first row after the placement.
    """
    Order, Line = get_model("order", "Order"), get_model("order", "Line")
    clones = []
    for i in range(count):
        clone = Order._default_manager.get(pk=order.pk) if i == 0 else _copy(clones[0])
        clone.pk, clone.number, clone.date_placed = None, f"{prefix}{i:05d}", start + timedelta(minutes=i)
        clones.append(clone)
    Order._default_manager.bulk_create(clones, batch_size=200)
    made = list(Order._default_manager.filter(number__in=[clone.number for clone in clones]).order_by("number"))
    row = OrderFulfillment.objects.get(pk=order.pk)
    same = {field.attname: getattr(row, field.attname) for field in OrderFulfillment._meta.concrete_fields}
    rows = []
    for i, clone in enumerate(made):
        values = same | {"order_id": clone.pk, "number": clone.number, "placed_at": clone.date_placed} | fields
        if names:
            name = names[i % len(names)]
            first, _space, last = fold(name).rpartition(" ")
            values |= {"customer_name": name, "search_name": fold(name), "search_surname": f"{last} {first}"}
        rows.append(OrderFulfillment(**values))
    OrderFulfillment.objects.bulk_create(rows, batch_size=200)
    line = order.lines.first()
    lines = []
    for clone in made:
        copy = _copy(line)
        copy.pk, copy.order_id = None, clone.pk
        lines.append(copy)
    Line._default_manager.bulk_create(lines, batch_size=200)
    return made


def paid_copies(count, **options):
    """Paid orders that can be released: there are goods for all of them."""
    order = factories.paid_order()
    made = copies(order, count, **options)
    line = order.lines.get()
    records = get_model("partner", "StockRecord")._default_manager.filter(pk=line.stockrecord_id)
    records.update(num_in_stock=10 * count, num_allocated=line.quantity * (count + 1))
    return made


def _copy(row):
    copy = type(row)()
    for field in row._meta.concrete_fields:
        setattr(copy, field.attname, getattr(row, field.attname))
    copy._state.adding = True
    return copy
