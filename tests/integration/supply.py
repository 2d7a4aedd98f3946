"""Orders that wait for goods, made through the services."""

from datetime import timedelta

from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.selectors.missing import Shortage
from oscar_fulfillment.services import release, supply
from oscar_fulfillment.test import factories

TEAM = factories.TEAM


def set_stock(product, units):
    product.stockrecords.update(num_in_stock=units)


def record_of(product):
    return product.stockrecords.get()


def paid(*lines, age=0, **options):
    """A paid order, ``age`` days old."""
    order = factories.paid_order(lines=list(lines), **options)
    when = timezone.now() - timedelta(days=age)
    OrderFulfillment.objects.filter(pk=order.pk).update(placed_at=when)
    get_model("order", "Order").objects.filter(pk=order.pk).update(date_placed=when)
    return order


def waiting(product, units, *, has=0, age=0, **options):
    """An order released in part: of the ``units`` of this product only ``has`` were there, and another product went."""
    other = factories.product("Filler")
    order = paid((product, units), (other, 1), age=age, **options)
    set_stock(product, has)
    release.release_order(order=order, actor=TEAM, in_part=True)
    return order


def needs():
    """{sku: (missing, on order, orders)} of what is missing now."""
    return {one.sku: (one.missing, one.on_order, one.orders) for need in Shortage().missing for one in need.products}


def offered():
    """[(number, available, asked)] of what can be released now."""
    rows = Shortage().releasable
    numbers = dict(OrderFulfillment.objects.values_list("pk", "number"))
    return [(numbers[row.order_id], row.available, row.asked) for row in rows]


def buy(product, units, **options):
    """An order from the product's supplier, without a mail."""
    record = record_of(product)
    given = {"send_mail": False, "key": new_key(), **options}
    return supply.order_from_supplier(partner=record.partner, lines={record.pk: units}, actor=TEAM, **given)


def receive(order, *units, add_to_stock=True, key=None, actor=TEAM):
    """Units of each of its lines came."""
    quantities = dict(zip(order.lines.values_list("pk", flat=True), units, strict=True))
    return supply.receive_goods(
        supplier_order=order, quantities=quantities, add_to_stock=add_to_stock, actor=actor, key=key or new_key()
    )
