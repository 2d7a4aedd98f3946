from oscar.apps.shipping import repository

from sandbox.shop.stores import store_by_currency, store_of

from .methods import StoreMethod


class Repository(repository.Repository):
    def get_available_shipping_methods(self, basket, shipping_addr=None, request=None, **kwargs):
        """The store's ways to ship; none when the address is in another store's country."""
        store = store_by_currency(basket.currency) if basket.currency else store_of(request)
        if shipping_addr is not None and shipping_addr.country_id not in store.countries:
            return []
        return [StoreMethod(store, carriage) for carriage in store.carriages]
