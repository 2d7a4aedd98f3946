from oscar.apps.order import processing

from oscar_fulfillment.order.mixins import FulfillmentEventHandlerMixin


class EventHandler(FulfillmentEventHandlerMixin, processing.EventHandler):
    pass
