"""What a draft costs, by Oscar's own classes: a basket with the order's user, the shop's strategy and its applicator.

Two things are not as in the shop: a line keeps the unit price that was agreed when the order was placed, and offers
and vouchers are those of that day, with what this very order has used of them given back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from oscar_fulfillment.core.exceptions import InvalidInput

from .edit_plan import Plan, PlanLine


@dataclass
class Priced:
    """A basket that is priced, and which of its lines belongs to which of the plan. Lives in a transaction."""

    plan: Plan
    basket: Any
    pairs: list[tuple[PlanLine, Any]]

    @property
    def orphans(self) -> list[PlanLine]:
        """Lines that stay as they are, since Oscar cannot price them."""
        return [line for line in self.plan.staying if line.is_orphan]


class AgreedPrices:
    """The shop's strategy, but for lines whose price was agreed. ``agreed``: order line by basket line pk."""

    def __init__(self, strategy: Any, agreed: Mapping[int, Any]):
        self._strategy, self._agreed = strategy, agreed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)

    def fetch_for_line(self, line: Any, stockrecord: Any = None) -> Any:
        info = self._strategy.fetch_for_line(line, stockrecord)
        if line.stockrecord is not None and getattr(info.stockrecord, "pk", None) != line.stockrecord_id:
            # Oscar's default looks for the product's first record, whatever the line has.
            info = self._strategy.fetch_for_product(line.product, line.stockrecord)
        agreed = self._agreed.get(line.pk)
        return info if agreed is None else info._replace(price=agreed_price(info.price, agreed))


def agreed_price(policy: Any, line: Any) -> Any:
    """The price of an order line, as a pricing policy of the kind that the shop uses now."""
    net, gross = unit_prices(line)
    name = "TaxInclusiveFixedPrice" if _counts_with_tax(policy) else "FixedPrice"
    return get_class("partner.prices", name)(line.order.currency, net, gross - net, tax_code=line.tax_code)


def _counts_with_tax(policy: Any) -> bool:
    """Whether offers are reckoned from the price with tax."""
    if not policy.exists:
        return True
    if policy.is_tax_known and policy.incl_tax != policy.excl_tax:
        return policy.effective_price == policy.incl_tax
    return isinstance(policy, get_class("partner.prices", "TaxInclusiveFixedPrice"))


def unit_prices(line: Any) -> tuple[Decimal, Decimal]:
    """What one unit of an order line costs before discounts: (without tax, with tax).

    The columns round; where they do not make the line's sum, the sum is what was agreed.
    """
    pairs = (
        (line.unit_price_excl_tax, line.line_price_before_discounts_excl_tax),
        (line.unit_price_incl_tax, line.line_price_before_discounts_incl_tax),
    )
    net, gross = (
        unit if unit is not None and unit * line.quantity == total else total / line.quantity for unit, total in pairs
    )
    return net, gross


@contextmanager
def looked_up(plan: Plan) -> Iterator[Priced]:
    """The plan's basket with its offers applied, for a look: whatever is written meanwhile is undone."""
    with transaction.atomic():
        yield _price(plan)
        transaction.set_rollback(True)


@contextmanager
def priced(plan: Plan) -> Iterator[Priced]:
    """The same in the caller's transaction, which keeps what is written meanwhile. Only the basket goes again."""
    found = _price(plan)
    yield found
    found.basket.delete()


def _price(plan: Plan) -> Priced:
    order = plan.order
    basket = get_model("basket", "Basket")._default_manager.create(owner=order.user)
    goods = [line for line in plan.staying if not line.is_orphan]
    agreed = _fill(basket, goods)
    strategy = get_class("partner.strategy", "Selector")().strategy(user=order.user)
    basket.strategy = AgreedPrices(strategy, agreed)
    if vouchers := order_vouchers(order):
        basket.vouchers.set(vouchers)
    found = Priced(plan, basket, list(zip(goods, basket.all_lines(), strict=True)))
    for good, line in found.pairs:
        # With what is read of them already: strategies look at the records of each product.
        line.product, line.stockrecord = good.product, good.record
    _check_prices(found)
    applicator_of(order)().apply(basket, order.user or AnonymousUser())
    return found


def _fill(basket: Any, goods: Sequence[PlanLine]) -> dict[int, Any]:
    """The basket's lines, in the order of the plan; which of them have an agreed price."""
    BasketLine, Attribute = get_model("basket", "Line"), get_model("basket", "LineAttribute")
    lines = BasketLine._default_manager.bulk_create(
        BasketLine(
            basket=basket,
            line_reference=f"{good.product.pk}_{good.record.pk}_{number}",
            product=good.product,
            stockrecord=good.record,
            quantity=good.quantity,
            price_currency=basket_currency(good),
            price_excl_tax=good.line.unit_price_excl_tax if good.line is not None else good.record.price,
            price_incl_tax=good.line.unit_price_incl_tax if good.line is not None else None,
        )
        for number, good in enumerate(goods)
    )
    attributes = [
        Attribute(line=line, option=attribute.option, value=attribute.value)
        for line, good in zip(lines, goods, strict=True)
        if good.line is not None
        for attribute in good.line.attributes.all()
        if attribute.option is not None
    ]
    if attributes:
        Attribute._default_manager.bulk_create(attributes)
    return {line.pk: good.line for line, good in zip(lines, goods, strict=True) if good.line is not None}


def basket_currency(good: PlanLine) -> str:
    """The order's currency: a stock record may have changed its own since."""
    return good.line.order.currency if good.line is not None else good.record.price_currency


def _check_prices(found: Priced) -> None:
    errors: dict[str, list[Any]] = {}
    for good, line in found.pairs:
        price = line.purchase_info.price
        if not price.exists or not price.is_tax_known or price.currency != found.plan.order.currency:
            errors[good.key] = [
                _("“%(title)s” has no price in %(currency)s.")
                % {"title": good.title, "currency": found.plan.order.currency}
            ]
    if errors:
        raise InvalidInput(errors)


def order_vouchers(order: Any) -> list[Any]:
    """The vouchers that the customer gave, whether they have brought anything or not."""
    Voucher = get_model("voucher", "Voucher")
    return list(Voucher._default_manager.filter(applications__order=order).distinct().order_by("pk"))


def applicator_of(order: Any) -> type[Any]:
    """The shop's own applicator, on the day of this order and as if this order had used nothing yet."""
    Applicator: Any = get_class("offer.applicator", "Applicator")
    Offer = get_model("offer", "ConditionalOffer")
    placed = order.date_placed
    used = {row.offer_id: row for row in order.discounts.all() if row.offer_id}

    def has_begun(offer: Any) -> bool:
        return offer.pk in used or offer.start_datetime is None or offer.start_datetime <= placed

    class AsPlaced(Applicator):
        def get_site_offers(self) -> list[Any]:
            found = {offer.pk: offer for offer in super().get_site_offers() if has_begun(offer)}
            # Over since, or used up (perhaps by this very order): it was promised then.
            promised = Q(pk__in=used) | (~Q(status=Offer.SUSPENDED) & _running("start_datetime__lte", placed)
                                         & _running("end_datetime__gte", placed))  # fmt: skip
            offers = Offer._default_manager.filter(promised, offer_type=Offer.SITE)
            missed = offers.exclude(pk__in=found).select_related("condition", "benefit")
            return sorted([*found.values(), *missed], key=lambda offer: (-offer.priority, offer.pk))

        def get_basket_offers(self, basket: Any, user: Any) -> list[Any]:
            known = list(super().get_basket_offers(basket, user))
            seen = {offer.pk for offer in known}
            for voucher in basket.vouchers.all():
                for offer in voucher.offers.all():
                    if offer.pk not in seen:
                        # The order has it: neither its end nor "only once" takes it away again.
                        offer.set_voucher(voucher)
                        known.append(offer)
            return known

        def get_offers(self, *args: Any, **kwargs: Any) -> list[Any]:
            offers = super().get_offers(*args, **kwargs)
            for offer in offers:
                give_back(offer, used.get(offer.pk))
            return offers

    return AsPlaced


def _running(bound: str, at: Any) -> Q:
    return Q(**{bound: at}) | Q(**{f"{bound.partition('__')[0]}__isnull": True})


def give_back(offer: Any, row: Any) -> None:
    """Count an offer's limits without what this order has used, in memory only."""
    if row is None:
        return
    offer.num_applications = max(offer.num_applications - (row.frequency or 0), 0)
    offer.total_discount = max(offer.total_discount - row.amount, Decimal(0))
    counted = offer.get_num_user_applications
    offer.get_num_user_applications = lambda user: max(counted(user) - (row.frequency or 0), 0)
