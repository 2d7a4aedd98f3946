from .fulfillment import Hold, OrderFulfillment
from .history import StatusChange
from .invoice import Invoice
from .messages import InboundMessage, LaneHealth, OutboundMessage, QueueSignal
from .payment import PaymentMethod
from .shipment import Shipment, ShipmentLine

__all__ = [
    "Hold",
    "InboundMessage",
    "Invoice",
    "LaneHealth",
    "OrderFulfillment",
    "OutboundMessage",
    "PaymentMethod",
    "QueueSignal",
    "Shipment",
    "ShipmentLine",
    "StatusChange",
]
