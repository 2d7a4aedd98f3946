"""Which stock record, price and tax a visitor sees: those of the store he or she chose."""

from decimal import Decimal

from oscar.apps.partner import strategy
from oscar.apps.partner.prices import TaxInclusiveFixedPrice, Unavailable

from sandbox.shop.stores import STORES, Store, store_by_currency, store_of

CENT = Decimal("0.01")


def net(price: Decimal, rate: Decimal) -> Decimal:
    """The part of a price with tax that is not tax."""
    return (price / (1 + rate)).quantize(CENT)


class StoreStrategy(strategy.StockRequired, strategy.Structured):
    """Prices of the catalogue include the tax, as shoppers in all four stores expect."""

    def __init__(self, request=None, store: Store | None = None):
        super().__init__(request)
        self.store = store or store_of(request)

    def select_stockrecord(self, product):
        # A loop, not a filter: the list pages prefetch the stock records.
        return next(
            (record for record in product.stockrecords.all() if record.price_currency == self.store.currency), None
        )

    def fetch_for_line(self, line, stockrecord=None):
        # A line keeps the stock record it was put in with, and so its store, whatever the visitor looks at now.
        if line.stockrecord is not None:
            return StoreStrategy(self.request, store_by_currency(line.price_currency)).fetch_for_product(
                line.product, line.stockrecord
            )
        return super().fetch_for_line(line, stockrecord)

    def pricing_policy(self, product, stockrecord):
        if stockrecord is None or stockrecord.price is None:
            return Unavailable()
        excluding = net(stockrecord.price, self.store.tax_rate)
        return TaxInclusiveFixedPrice(
            currency=stockrecord.price_currency, excl_tax=excluding, tax=stockrecord.price - excluding
        )

    def parent_pricing_policy(self, product, children_stock):
        records = [record for _child, record in children_stock if record is not None]
        return self.pricing_policy(product, records[0] if records else None)


class Selector:
    def strategy(self, request=None, user=None, **kwargs):
        return StoreStrategy(request, kwargs.get("store") or STORES[store_of(request).code])
