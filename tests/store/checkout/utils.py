from oscar.apps.checkout import utils

from oscar_fulfillment.checkout.utils import FulfillmentSessionMixin


class CheckoutSessionData(FulfillmentSessionMixin, utils.CheckoutSessionData):
    pass
