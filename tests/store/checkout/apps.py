from oscar.apps.checkout.apps import CheckoutConfig as OscarCheckoutConfig

from oscar_fulfillment.checkout.apps import FulfillmentCheckoutConfigMixin


class CheckoutConfig(FulfillmentCheckoutConfigMixin, OscarCheckoutConfig):
    name = "tests.store.checkout"
