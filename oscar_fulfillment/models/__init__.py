from .fulfillment import Hold, OrderFulfillment
from .history import StatusChange
from .invoice import Invoice
from .payment import PaymentMethod
from .shipment import Shipment, ShipmentLine

__all__ = [
    "Hold",
    "Invoice",
    "OrderFulfillment",
    "PaymentMethod",
    "Shipment",
    "ShipmentLine",
    "StatusChange",
]
