from oscar.apps.checkout import mixins

from oscar_fulfillment.checkout.mixins import FulfillmentPlacementMixin


class OrderPlacementMixin(FulfillmentPlacementMixin, mixins.OrderPlacementMixin):
    pass
