"""An edit is written: by the shop's own ``OrderCreator``, as an order is placed, but into the order that is there."""

from __future__ import annotations

from typing import Any

from oscar.core.loading import get_class, get_model

from oscar_fulfillment.core.statemachine import Reason

from . import edit_stock, edit_usage
from .edit_pricing import Priced
from .edit_quote import Quote


def write(found: Priced, quoted: Quote) -> Reason | None:
    """Write the priced plan into its order. Why not, when the stock lacks something: then undo the transaction."""
    order, creator = found.plan.order, get_class("order.utils", "OrderCreator")()
    before = list(order.discounts.all())
    _write_discounts(found, quoted, creator, before)
    edit_usage.recount(before, _discounts(order))
    pks = _write_lines(found, creator)
    if reason := edit_stock.move(order, edit_stock.changes_of(found.plan.lines, pks)):
        return reason
    gone = [line.line.pk for line in found.plan.lines if line.line is not None and not line.quantity]
    if gone:
        get_model("order", "Line")._default_manager.filter(pk__in=gone).delete()
    _write_order(order, quoted)
    return None


def _discounts(order: Any) -> Any:
    return get_model("order", "OrderDiscount")._default_manager.filter(order=order)


def _write_discounts(found: Priced, quoted: Quote, creator: Any, before: list[Any]) -> None:
    """Discounts on goods anew; on shipping where its method was chosen anew. What an offer did once after the order
    was placed (points, a gift) is neither done again nor undone."""
    order = found.plan.order
    stays = [
        row.pk for row in before
        if row.is_post_order_action or (row.is_shipping_discount and quoted.shipping.as_agreed)
    ]  # fmt: skip
    _discounts(order).exclude(pk__in=stays).delete()
    for application in found.basket.offer_applications:
        result = application["result"]
        if result.affects_post_order:
            continue
        if result.affects_shipping:
            if quoted.shipping.as_agreed or not quoted.shipping.discount:
                continue
            application["discount"] = quoted.shipping.discount
        creator.create_discount_model(order, {"message": "", **application})


def _write_lines(found: Priced, creator: Any) -> dict[str, int]:
    """Lines with their prices and discounts; the pk of each by its key."""
    order = found.plan.order
    pks = {line.key: line.line.pk for line in found.plan.lines if line.line is not None}
    _forget_prices(order, [line.line.pk for line, _basket_line in found.pairs if line.line is not None])
    for plan, line in found.pairs:
        if plan.line is None:
            # Allocated afterwards, under lock.
            pks[plan.key] = creator.create_line_models(order, line, extra_line_fields={"num_allocated": 0}).pk
            continue
        values = {
            "quantity": line.quantity,
            "line_price_excl_tax": line.line_price_excl_tax_incl_discounts,
            "line_price_incl_tax": line.line_price_incl_tax_incl_discounts,
            "line_price_before_discounts_excl_tax": line.line_price_excl_tax,
            "line_price_before_discounts_incl_tax": line.line_price_incl_tax,
        }
        for name, value in values.items():
            setattr(plan.line, name, value)
        plan.line.save(update_fields=list(values))
        creator.create_line_price_models(order, plan.line, line)
        creator.create_line_discount_models(order, plan.line, line)
    return pks


def _forget_prices(order: Any, pks: list[int]) -> None:
    get_model("order", "LinePrice")._default_manager.filter(order=order, line__in=pks).delete()
    get_model("order", "OrderLineDiscount")._default_manager.filter(line__in=pks).delete()


def _write_order(order: Any, quoted: Quote) -> None:
    shipping = quoted.shipping
    values: dict[str, Any] = {"total_incl_tax": quoted.total, "total_excl_tax": quoted.total_excl_tax}
    if not shipping.as_agreed:
        values |= {
            "shipping_incl_tax": shipping.incl_tax,
            "shipping_excl_tax": shipping.excl_tax,
            "shipping_tax_code": shipping.tax_code,
            "shipping_method": shipping.name,
            "shipping_code": shipping.code,
        }
    get_model("order", "Order")._default_manager.filter(pk=order.pk).update(**values)
    for name, value in values.items():
        setattr(order, name, value)
    for row in order.surcharges.all():
        _name, row.incl_tax, row.excl_tax = quoted.surcharges[row.code]
        row.save(update_fields=["incl_tax", "excl_tax"])
