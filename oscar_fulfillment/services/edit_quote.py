"""What an order would be after an edit, as figures: for the page beside the draft, and for the one who applies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from oscar.core import prices
from oscar.core.loading import get_class

from .edit_plan import Plan, PlanLine
from .edit_pricing import Priced
from .edit_rules import known
from .edit_shipping import Carriage, chosen, offered


@dataclass(frozen=True)
class QuoteLine:
    """A line of the quote; sums with tax. ``full``: before discounts. ``missing``: units that the stock lacks."""

    key: str
    title: str
    sku: str
    was: int
    quantity: int
    unit: Decimal
    full: Decimal
    total: Decimal
    missing: int = 0
    is_orphan: bool = False


@dataclass
class Quote:
    """All of it; sums with tax unless said otherwise."""

    lines: list[QuoteLine]
    #: (name, amount) of each discount on the goods.
    discounts: list[tuple[str, Decimal]]
    shipping: Carriage
    methods: list[Carriage]
    #: code -> (name, with tax, without tax)
    surcharges: dict[str, tuple[str, Decimal, Decimal]]
    #: What the order's total holds beyond Oscar's own parts (a shop's gift card): (with tax, without tax). It stays.
    adjustment: tuple[Decimal, Decimal]
    total: Decimal
    total_excl_tax: Decimal
    before: Decimal
    currency: str
    missing: list[QuoteLine] = field(default_factory=list)

    @property
    def difference(self) -> Decimal:
        return self.total - self.before


def quote(found: Priced, lacking: Mapping[str, int]) -> Quote:
    """The figures of a priced plan. ``lacking``: units that the stock lacks, by the key of the plan's line."""
    order = found.plan.order
    methods = offered(found)
    shipping = chosen(found, methods)
    lines = _lines(found, lacking)
    charges = _surcharges(found, shipping)
    incl, excl = _goods(found)
    for orphan in found.orphans:
        incl, excl = incl + orphan.line.line_price_incl_tax, excl + orphan.line.line_price_excl_tax
    rest = _adjustment(found.plan)
    incl += shipping.incl_tax + rest[0] + sum((charge[1] for charge in charges.values()), Decimal(0))
    excl += shipping.excl_tax + rest[1] + sum((charge[2] for charge in charges.values()), Decimal(0))
    return Quote(
        lines=lines,
        discounts=[
            (str(application["name"]), known(application["discount"]))
            for application in found.basket.offer_applications
            if application["discount"] and not application["result"].affects_shipping
        ],
        shipping=shipping,
        methods=methods,
        surcharges=charges,
        adjustment=rest,
        total=known(incl),
        total_excl_tax=known(excl),
        before=order.total_incl_tax,
        currency=order.currency,
        missing=[line for line in lines if line.missing],
    )


def _adjustment(plan: Plan) -> tuple[Decimal, Decimal]:
    """What the order's total is beyond its lines, shipping and surcharges. A cent or two is how prices were rounded."""
    order = plan.order
    rows = [line.line for line in plan.lines if line.line is not None]
    charges = list(order.surcharges.all())
    incl = order.total_incl_tax - order.shipping_incl_tax - sum((c.incl_tax for c in charges), Decimal(0))
    excl = order.total_excl_tax - order.shipping_excl_tax - sum((c.excl_tax for c in charges), Decimal(0))
    incl -= sum((row.line_price_incl_tax for row in rows), Decimal(0))
    excl -= sum((row.line_price_excl_tax for row in rows), Decimal(0))
    if abs(incl) <= Decimal("0.005") * (len(rows) + 2):
        return Decimal(0), Decimal(0)
    return incl, excl


def _goods(found: Priced) -> tuple[Decimal, Decimal]:
    """What the goods cost, as Oscar adds up an order: (with tax, without tax)."""
    if not found.pairs:
        return Decimal(0), Decimal(0)
    nothing = prices.Price(found.plan.order.currency, Decimal(0), Decimal(0))
    total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(found.basket, nothing)
    return total.incl_tax, total.excl_tax


def _lines(found: Priced, lacking: Mapping[str, int]) -> list[QuoteLine]:
    basket_lines = {plan.key: line for plan, line in found.pairs}
    return [_line(line, basket_lines.get(line.key), lacking.get(line.key, 0)) for line in found.plan.lines]


def _line(plan: PlanLine, line: Any, lacking: int) -> QuoteLine:
    if line is not None:
        unit, full, total = line.unit_price_incl_tax, line.line_price_incl_tax, line.line_price_incl_tax_incl_discounts
    else:
        # It goes, or Oscar cannot price it.
        unit = plan.line.unit_price_incl_tax or Decimal(0)
        full = plan.line.line_price_before_discounts_incl_tax if plan.quantity else Decimal(0)
        total = plan.line.line_price_incl_tax if plan.quantity else Decimal(0)
    return QuoteLine(
        plan.key, plan.title, plan.sku, plan.was, plan.quantity, known(unit), known(full), known(total), lacking,
        plan.is_orphan,
    )  # fmt: skip


def _surcharges(found: Priced, shipping: Carriage) -> dict[str, tuple[str, Decimal, Decimal]]:
    """The order's surcharges, reckoned anew where the shop still knows them; none comes, none goes."""
    order = found.plan.order
    mine = list(order.surcharges.all())
    if not mine:
        return {}
    charge = prices.Price(order.currency, shipping.excl_tax, shipping.incl_tax)
    applicator = get_class("checkout.applicator", "SurchargeApplicator")()
    known_now = {
        surcharge.code: surcharge.calculate(basket=found.basket, shipping_charge=charge)
        for surcharge in applicator.get_surcharges(basket=found.basket, shipping_charge=charge)
    }
    result = {}
    for row in mine:
        price = known_now.get(row.code)
        incl, excl = (price.incl_tax, price.excl_tax) if price is not None else (row.incl_tax, row.excl_tax)
        result[row.code] = (row.name, known(incl), known(excl))
    return result


def summary(plan: Plan, quoted: Quote) -> dict[str, Any]:
    """What the history keeps of an edit: what changed in words, and the whole order before and after in figures."""
    order = plan.order
    return {
        "currency": quoted.currency,
        "changes": [
            {"title": line.title, "sku": line.sku, "from": line.was, "to": line.quantity}
            for line in quoted.lines
            if line.was != line.quantity
        ],
        "before": {
            "lines": [[line.title, line.sku, line.was] for line in quoted.lines if line.was],
            "shipping": [order.shipping_method, str(order.shipping_incl_tax)],
            "discount": str(sum((d.amount for d in order.discounts.all() if d.is_basket_discount), Decimal(0))),
            "total": str(quoted.before),
        },
        "after": {
            "lines": [[line.title, line.sku, line.quantity] for line in quoted.lines if line.quantity],
            "shipping": [quoted.shipping.name, str(quoted.shipping.incl_tax)],
            "discount": str(sum((amount for _name, amount in quoted.discounts), Decimal(0))),
            "total": str(quoted.total),
        },
    }
