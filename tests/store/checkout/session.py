from oscar.apps.checkout import session

from oscar_fulfillment.checkout.session import FulfillmentCheckoutMixin


class CheckoutSessionMixin(FulfillmentCheckoutMixin, session.CheckoutSessionMixin):
    pass
