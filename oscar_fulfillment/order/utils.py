from oscar.apps.order import utils

from .mixins import FulfillmentOrderCreatorMixin


class OrderCreator(FulfillmentOrderCreatorMixin, utils.OrderCreator):
    """Oscar's order creator, which also writes the fulfillment row."""
