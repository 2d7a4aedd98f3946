from .bank import BankEntry, BankStatement, ImportDraft
from .draft import OrderDraft
from .fulfillment import Hold, OrderFulfillment
from .history import StatusChange
from .invoice import Invoice
from .messages import InboundMessage, LaneHealth, OutboundMessage, QueueSignal
from .method_changes import PaymentMethodChange
from .payment import PaymentMethod
from .payout import Payout, PayoutLine
from .provider_payment import PaymentOperation, ProviderPayment
from .shipment import Shipment, ShipmentLine
from .supply import GoodsReceipt, SupplierOrder, SupplierOrderLine
from .terms import CreditNote, FollowUp, PaymentTerms
from .views import BulkJob, BulkJobItem, SavedView

__all__ = [
    "BankEntry",
    "BankStatement",
    "BulkJob",
    "BulkJobItem",
    "CreditNote",
    "FollowUp",
    "GoodsReceipt",
    "Hold",
    "ImportDraft",
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
    "Payout",
    "PayoutLine",
    "ProviderPayment",
    "QueueSignal",
    "SavedView",
    "Shipment",
    "ShipmentLine",
    "StatusChange",
    "SupplierOrder",
    "SupplierOrderLine",
]
