from .fulfillment import Hold, OrderFulfillment
from .history import StatusChange
from .invoice import Invoice
from .messages import InboundMessage, LaneHealth, OutboundMessage, QueueSignal
from .payment import PaymentMethod
from .shipment import Shipment, ShipmentLine
from .views import BulkJob, BulkJobItem, SavedView

__all__ = [
    "BulkJob",
    "BulkJobItem",
    "Hold",
    "InboundMessage",
    "Invoice",
    "LaneHealth",
    "OrderFulfillment",
    "OutboundMessage",
    "PaymentMethod",
    "QueueSignal",
    "SavedView",
    "Shipment",
    "ShipmentLine",
    "StatusChange",
]
