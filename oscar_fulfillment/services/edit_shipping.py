"""What shipping costs after an edit: as agreed, by another of the shop's methods, or a charge set by hand."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_class

from oscar_fulfillment.core.exceptions import InvalidInput

from .edit_pricing import Priced
from .edit_rules import known

logger = logging.getLogger("oscar_fulfillment")


@dataclass(frozen=True)
class Carriage:
    """How the order is sent, and what that costs. ``discount`` is what an offer has taken off the charge."""

    code: str
    name: str
    incl_tax: Decimal
    excl_tax: Decimal
    tax_code: str | None = None
    discount: Decimal = Decimal(0)
    #: The order's own, with the discounts it had.
    as_agreed: bool = False


def agreed(order: Any) -> Carriage:
    """As it was agreed."""
    return Carriage(
        order.shipping_code, order.shipping_method, order.shipping_incl_tax, order.shipping_excl_tax,
        order.shipping_tax_code, as_agreed=True,
    )  # fmt: skip


def offered(found: Priced) -> list[Carriage]:
    """The shop's methods for these goods and this address, with their charges now; the same name as at the checkout."""
    order = found.plan.order
    if not found.pairs:
        return []
    try:
        methods = get_class("shipping.repository", "Repository")().get_shipping_methods(
            basket=found.basket, user=order.user, shipping_addr=order.shipping_address, request=None
        )
        return [_carriage(method, found.basket) for method in methods]
    except Exception:
        # A shop's own repository may need a visitor's request. What was agreed, and a charge by hand, remain.
        logger.exception("the shipping methods of order %s cannot be reckoned outside the checkout", order.pk)
        return []


def _carriage(method: Any, basket: Any) -> Carriage:
    price = method.calculate(basket)
    incl = price.incl_tax if price.is_tax_known else price.excl_tax
    return Carriage(
        method.code, str(method.name)[:128], known(incl), known(price.excl_tax), price.tax_code,
        known(method.discount(basket)),
    )  # fmt: skip


def chosen(found: Priced, methods: Sequence[Carriage]) -> Carriage:
    """What the draft wants. :class:`InvalidInput` for a method that these goods and this address do not have."""
    order, wanted = found.plan.order, found.plan.wanted.shipping
    if wanted.method:
        match = next((method for method in methods if method.code == wanted.method), None)
        if match is None:
            raise InvalidInput(
                {"shipping": [_("This way of shipping is not offered for these goods and this address.")]}
            )
        return match
    if wanted.charge is not None:
        incl = known(wanted.charge)
        share = _net_share(found)
        return Carriage(order.shipping_code, order.shipping_method, incl, known(incl * share), order.shipping_tax_code)
    return agreed(order)


def _net_share(found: Priced) -> Decimal:
    """Which part of a charge is not tax: as in the order's shipping, else as in its goods."""
    order = found.plan.order
    if order.shipping_incl_tax:
        return order.shipping_excl_tax / order.shipping_incl_tax
    with_tax = sum((line.line_price_incl_tax for _plan, line in found.pairs), Decimal(0))
    without = sum((line.line_price_excl_tax for _plan, line in found.pairs), Decimal(0))
    return without / with_tax if with_tax else Decimal(1)
