from oscar.apps.order import processing

from .mixins import FulfillmentEventHandlerMixin


class EventHandler(FulfillmentEventHandlerMixin, processing.EventHandler):
    """Oscar's event handler, routed through the fulfillment services."""
