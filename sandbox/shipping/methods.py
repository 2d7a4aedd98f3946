from decimal import Decimal

from oscar.apps.shipping.methods import *  # noqa: F403
from oscar.apps.shipping.methods import Base
from oscar.core import prices

from sandbox.partner.strategy import net
from sandbox.shop.stores import Carriage, Store


class StoreMethod(Base):
    """One of the ways to ship of a store."""

    def __init__(self, store: Store, carriage: Carriage):
        self.store, self.carriage = store, carriage
        self.code, self.name, self.description = carriage.code, carriage.name, carriage.description

    def calculate(self, basket) -> prices.Price:
        charge, free_from = self.carriage.price, self.carriage.free_from
        if free_from is not None and basket.total_incl_tax >= free_from:
            charge = Decimal("0")
        return prices.Price(currency=self.store.currency, excl_tax=net(charge, self.store.tax_rate), incl_tax=charge)
