"""A draft laid over its order: which lines stay, which change, which go, which come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import InvalidInput

from .edit_wanted import Wanted, most_units


@dataclass(frozen=True)
class PlanLine:
    """One line as it is to be. ``line`` is the order's, None for one that comes; ``quantity`` 0: it goes; ``was`` the
    quantity before, whatever becomes of ``line`` meanwhile."""

    line: Any
    record: Any
    product: Any
    quantity: int
    was: int = 0

    @property
    def key(self) -> str:
        """Its name in forms."""
        return f"line-{self.line.pk}" if self.line is not None else f"new-{self.record.pk}"

    @property
    def title(self) -> str:
        return self.line.title if self.line is not None else self.product.get_title()

    @property
    def sku(self) -> str:
        return self.line.partner_sku if self.line is not None else self.record.partner_sku

    @property
    def is_orphan(self) -> bool:
        """Its product or stock record is gone from the catalogue: it can stay as it is, or go."""
        return self.record is None or self.product is None

    @property
    def is_tracked(self) -> bool:
        """Whether its stock is counted."""
        return not self.is_orphan and bool(self.product.get_product_class().track_stock)


@dataclass
class Plan:
    """The whole order as it is to be. ``lost``: what the draft changed and the order no longer has."""

    order: Any
    wanted: Wanted
    lines: list[PlanLine] = field(default_factory=list)
    lost: int = 0

    @property
    def staying(self) -> list[PlanLine]:
        return [line for line in self.lines if line.quantity]

    @property
    def changed(self) -> list[PlanLine]:
        return [line for line in self.lines if line.quantity != line.was]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be changed."""
        return not self.changed and self.wanted.shipping.as_agreed


def lay_over(order: Any, wanted: Wanted, *, strict: bool = True) -> Plan:
    """The plan of a draft for this order, as the order is now. Seven queries at most.

    :class:`InvalidInput` for a foreign line (unless not ``strict``: a draft may have outlived a line), an unknown or
    unfit product, too many units, or an order without goods.
    """
    lines = list(
        order.lines.select_related(
            "product__product_class", "product__parent__product_class", "stockrecord__partner"
        ).prefetch_related("attributes__option", "product__stockrecords").order_by("pk")
    )  # fmt: skip
    quantities = {line.pk: line.quantity for line in lines}
    foreign = set(wanted.quantities) - set(quantities)
    if foreign and strict:
        raise InvalidInput({"__all__": [_("A line does not belong to this order.")]})
    quantities |= {pk: units for pk, units in wanted.quantities.items() if pk not in foreign}
    fresh = _merge(lines, _addable(order, {pk: units for pk, units in wanted.added.items() if units}), quantities)
    plan = Plan(order, wanted, lost=len(foreign))
    plan.lines = [PlanLine(line, line.stockrecord, line.product, quantities[line.pk], line.quantity) for line in lines]
    plan.lines += fresh
    _check(plan)
    return plan


def _addable(order: Any, added: Mapping[int, int]) -> list[PlanLine]:
    """What is added, by stock record; in the order of their keys."""
    if not added:
        return []
    StockRecord = get_model("partner", "StockRecord")
    records = (
        StockRecord._default_manager.filter(pk__in=added)
        .select_related("partner", "product__product_class", "product__parent__product_class")
        .prefetch_related("product__stockrecords")
    )
    found = {record.pk: record for record in records}
    errors: dict[str, list[Any]] = {}
    for pk in added:
        if why := not_addable(found.get(pk), order):
            errors[f"new-{pk}"] = [why]
    if errors:
        raise InvalidInput(errors)
    # As the draft has them: what was added first stands first.
    return [PlanLine(None, found[pk], found[pk].product, units) for pk, units in added.items()]


def not_addable(record: Any, order: Any) -> Any:
    """Why this product cannot be added to the order; "" when it can (its stock is asked later)."""
    if record is None:
        return _("There is no such product.")
    product = record.product
    if record.price_currency != order.currency or record.price is None:
        return _("“%(title)s” has no price in %(currency)s.") % {
            "title": product.get_title(), "currency": order.currency,
        }  # fmt: skip
    if product.is_parent:
        return _("“%(title)s” has variants: add one of them.") % {"title": product.get_title()}
    if any(option.required for option in product.options):
        return _("“%(title)s” has options that only the customer can choose.") % {"title": product.get_title()}
    return ""


def _merge(lines: Iterable[Any], fresh: list[PlanLine], quantities: dict[int, int]) -> list[PlanLine]:
    """More of what is in the order already joins its line, as in a basket; the rest comes as new lines."""
    plain: dict[int, int] = {}
    for line in lines:
        if line.stockrecord_id and line.product_id and not line.attributes.all():
            plain.setdefault(line.stockrecord_id, line.pk)
    rest = []
    for new in fresh:
        if new.record.pk in plain:
            quantities[plain[new.record.pk]] += new.quantity
        else:
            rest.append(new)
    return rest


def _check(plan: Plan) -> None:
    errors: dict[str, list[Any]] = {}
    for line in plan.lines:
        if line.is_orphan and line.quantity not in (0, line.was):
            errors[line.key] = [
                _("“%(title)s” is no longer in the catalogue: keep it as it is, or take it away.")
                % {"title": line.title}
            ]
    most = most_units()
    if sum(line.quantity for line in plan.lines) > max(most, sum(line.was for line in plan.lines)):
        errors["__all__"] = [_("An order holds at most %(most)d units.") % {"most": most}]
    elif not plan.staying:
        errors["__all__"] = [_("An order needs goods. To take all of them away, cancel it.")]
    if errors:
        raise InvalidInput(errors)


def normal(plan: Plan) -> Wanted:
    """The plan as the smallest draft that leads to it."""
    return Wanted(
        {line.line.pk: line.quantity for line in plan.changed if line.line is not None},
        {line.record.pk: line.quantity for line in plan.lines if line.line is None},
        plan.wanted.shipping,
    )
