from .draft import OrderDraft
from .fulfillment import Hold, OrderFulfillment
from .history import StatusChange
from .invoice import Invoice
from .messages import InboundMessage, LaneHealth, OutboundMessage, QueueSignal
from .method_changes import PaymentMethodChange
from .payment import PaymentMethod
from .provider_payment import PaymentOperation, ProviderPayment
from .shipment import Shipment, ShipmentLine
from .terms import CreditNote, FollowUp, PaymentTerms
from .views import BulkJob, BulkJobItem, SavedView

__all__ = [
    "BulkJob",
    "BulkJobItem",
    "CreditNote",
    "FollowUp",
    "Hold",
    "InboundMessage",
    "Invoice",
    "LaneHealth",
    "OrderDraft",
    "OrderFulfillment",
    "OutboundMessage",
    "PaymentMethod",
    "PaymentMethodChange",
    "PaymentOperation",
    "PaymentTerms",
    "ProviderPayment",
    "QueueSignal",
    "SavedView",
    "Shipment",
    "ShipmentLine",
    "StatusChange",
]
