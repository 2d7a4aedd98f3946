"""What the tests of editing share: orders with offers and taxes, and what an order says in figures."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from oscar_fulfillment.services import editing
from oscar_fulfillment.services.edit_wanted import Shipping, Wanted
from oscar_fulfillment.test import factories

TEAM = factories.TEAM


def place(lines, *, user=None, vouchers=(), method=None, charge=None, number=None, **fulfillment) -> Any:
    """An order as the checkout places it, with its offers and vouchers applied."""
    Basket = get_model("basket", "Basket")
    basket = Basket.objects.create(owner=user)
    basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=user)
    for product, quantity in lines:
        basket.add_product(product, quantity)
    basket.vouchers.set(vouchers)
    basket.reset_offer_applications()
    get_class("offer.applicator", "Applicator")().apply(basket, user or AnonymousUser())
    methods = get_class("shipping.methods", "Free"), get_class("shipping.methods", "FixedPrice")
    shipping = methods[1](charge, charge) if charge is not None else methods[0]()
    found = [shipping]
    if basket.has_shipping_discounts:
        found = get_class("shipping.repository", "Repository")().apply_shipping_offers(basket, found)
    price = found[0].calculate(basket)
    total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, price)
    order = get_class("order.utils", "OrderCreator")().place_order(
        basket=basket, total=total, shipping_method=found[0], shipping_charge=price, user=user or AnonymousUser(),
        shipping_address=factories.address(), order_number=number or f"E{basket.pk:06d}",
        guest_email="" if user else "ana@example.com",
        fulfillment={"payment_method": method or factories.manual_method(), "language": "en", **fulfillment},
    )  # fmt: skip
    basket.submit()
    return fresh(order)


def fresh(order) -> Any:
    return get_model("order", "Order").objects.get(pk=order.pk)


def line_of(order, product) -> Any:
    return order.lines.get(product=product)


def wants(order, quantities=(), added=(), shipping=None) -> Wanted:
    """The draft with so many units per product, in place of what the order has; ``added`` as (product, units)."""
    return Wanted(
        {line_of(order, product).pk: units for product, units in quantities},
        {product.stockrecords.get().pk: units for product, units in added},
        shipping or Shipping(),
    )


def edit(order, quantities=(), added=(), shipping=None, **options) -> Any:
    return editing.apply_edit(order=order, actor=TEAM, wanted=wants(order, quantities, added, shipping), **options)


def figures(order) -> dict[str, Any]:
    """Everything of an order that money and goods hang on, without primary keys."""
    order = fresh(order)
    lines = [
        (
            line.partner_sku, line.title, line.quantity, line.num_allocated, line.allocation_cancelled,
            line.line_price_incl_tax, line.line_price_excl_tax, line.line_price_before_discounts_incl_tax,
            line.line_price_before_discounts_excl_tax, line.unit_price_incl_tax, line.unit_price_excl_tax,
            line.tax_code, line.status,
            sorted(line.prices.values_list("quantity", "price_incl_tax", "price_excl_tax", "tax_code")),
            sorted(line.discounts.values_list("order_discount__offer_id", "is_incl_tax", "amount")),
            sorted(line.attributes.values_list("type", "value")),
        )
        for line in order.lines.all()
    ]  # fmt: skip
    discounts = order.discounts.values_list(
        "category", "offer_id", "offer_name", "voucher_id", "voucher_code", "frequency", "amount", "message"
    )
    return {
        "lines": sorted(lines),
        "discounts": sorted(discounts, key=str),
        "totals": (order.total_incl_tax, order.total_excl_tax),
        "shipping": (order.shipping_incl_tax, order.shipping_excl_tax, order.shipping_method, order.shipping_code),
        "surcharges": sorted(order.surcharges.values_list("code", "incl_tax", "excl_tax")),
    }


def counters() -> dict[str, Any]:
    """What offers and vouchers count, and what the stock says."""
    Offer, Voucher = get_model("offer", "ConditionalOffer"), get_model("voucher", "Voucher")
    return {
        "offers": list(
            Offer.objects.order_by("pk").values_list("pk", "num_applications", "total_discount", "num_orders", "status")
        ),
        "vouchers": list(Voucher.objects.order_by("pk").values_list("pk", "num_orders", "total_discount")),
        "applications": get_model("voucher", "VoucherApplication").objects.count(),
        "stock": {
            sku: units or 0
            for sku, units in get_model("partner", "StockRecord").objects.values_list("partner_sku", "num_allocated")
        },
    }


@contextlib.contextmanager
def undone():
    """Whatever happens inside, has not."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def as_if_placed(order, lines, **options) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a freshly placed order of these goods would say, and the counters, with this order never placed."""
    with undone():
        forget(order)
        other = place(lines, **options)
        return figures(other), counters()


def forget(order) -> None:
    """Take an order out of the world, with what it has allocated and used."""
    from oscar_fulfillment.services import edit_usage, stock

    edit_usage.recount(order.discounts.all(), [])
    for application in get_model("voucher", "VoucherApplication").objects.filter(order=order):
        voucher = application.voucher
        voucher.refresh_from_db()
        voucher.num_orders -= 1
        voucher.save()
        application.delete()
    locked = stock.lock_stock([order.pk])
    stock.free(locked, {pk: line.num_allocated for pk, line in locked.lines.items()})
    order.discounts.all().delete()
    order.lines.all().delete()


def range_of(*products) -> Any:
    found = get_model("offer", "Range").objects.create(
        name=f"Range {get_model('offer', 'Range').objects.count()}", includes_all_products=not products
    )
    for product in products:
        found.add_product(product)
    return found


def offer(
    *, value="10", kind="Percentage", at_least=1, products=(), condition="Count", name="", offer_type="Site", **fields
) -> Any:
    """An offer: ``value`` off, from so many units (or so much money, condition="Value") on."""
    Offer = get_model("offer", "ConditionalOffer")
    reach = range_of(*products)
    return Offer.objects.create(
        name=name or f"Offer {Offer.objects.count()}",
        offer_type=offer_type,
        condition=get_model("offer", "Condition").objects.create(range=reach, type=condition, value=at_least),
        benefit=get_model("offer", "Benefit").objects.create(
            range=None if kind.startswith("Shipping") else reach, type=kind, value=Decimal(value)
        ),
        **fields,
    )


def voucher(code="WELCOME", usage="Single use", days=10, **of_offer) -> Any:
    now = timezone.now()
    found = get_model("voucher", "Voucher").objects.create(
        name=code, code=code, usage=usage, start_datetime=now - timedelta(days=1),
        end_datetime=now + timedelta(days=days),
    )  # fmt: skip
    found.offers.add(offer(name=f"Offer of {code}", offer_type="Voucher", **of_offer))
    return found
