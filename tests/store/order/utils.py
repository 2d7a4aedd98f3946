from oscar.apps.order import utils

from oscar_fulfillment.order.mixins import FulfillmentOrderCreatorMixin


class OrderCreator(FulfillmentOrderCreatorMixin, utils.OrderCreator):
    def create_order_model(self, *args, **kwargs):
        kwargs.setdefault("gift_message", "For you")
        return super().create_order_model(*args, **kwargs)
