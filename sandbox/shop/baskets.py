"""Taking a basket along to another store."""

from __future__ import annotations

from sandbox.partner.strategy import StoreStrategy

from .stores import Store


def move_basket(basket, store: Store) -> list[str]:
    """Put the basket's products in again at the other store's prices. Returns the titles it does not have."""
    if basket.id is None or not basket.can_be_edited:
        return []
    wanted = [(line.product, line.quantity) for line in basket.all_lines()]
    basket.flush()
    basket.strategy = StoreStrategy(store=store)
    missing = []
    for product, quantity in wanted:
        purchase = basket.strategy.fetch_for_product(product)
        permitted, _reason = purchase.availability.is_purchase_permitted(quantity)
        if permitted:
            basket.add_product(product, quantity)
        else:
            missing.append(product.get_title())
    return missing
