from .api import ApiCall, ApiKey
from .bank import BankEntry, BankStatement, ImportDraft
from .carrier import CarrierOrder, CarrierSetup, UnmappedCode
from .commerceml import ExchangeChunk, ExchangeFile, ExchangeSession
from .connector import ConnectorState, Export, OutsideChange, StatusRule
from .draft import OrderDraft
from .emission import NfeCoverage, NfeEmission, NfeEvent, NfeSeries, NfeVoiding
from .fulfillment import Hold, OrderFulfillment
from .history import StatusChange
from .invoice import Invoice
from .messages import InboundMessage, LaneHealth, OutboundMessage, QueueSignal
from .method_changes import PaymentMethodChange
from .nfe import NfeFile
from .packing import Packing, PackingScan
from .parcel import Parcel, ParcelLine, TrackingEvent
from .payment import PaymentMethod
from .payout import Payout, PayoutLine
from .provider_payment import PaymentOperation, ProviderPayment
from .returns import Return, ReturnLine
from .shipment import Shipment, ShipmentLine
from .supply import GoodsReceipt, SupplierOrder, SupplierOrderLine
from .tax_profile import TaxProfile, TaxProfileChange
from .terms import CreditNote, FollowUp, PaymentTerms
from .tracking_import import TrackingImport, TrackingImportRow
from .views import BulkJob, BulkJobItem, SavedView
from .webhook import WebhookAttempt, WebhookEndpoint

__all__ = [
    "ApiCall",
    "ApiKey",
    "BankEntry",
    "BankStatement",
    "BulkJob",
    "BulkJobItem",
    "CarrierOrder",
    "CarrierSetup",
    "ConnectorState",
    "CreditNote",
    "ExchangeChunk",
    "ExchangeFile",
    "ExchangeSession",
    "Export",
    "FollowUp",
    "GoodsReceipt",
    "Hold",
    "ImportDraft",
    "InboundMessage",
    "Invoice",
    "LaneHealth",
    "NfeCoverage",
    "NfeEmission",
    "NfeEvent",
    "NfeFile",
    "NfeSeries",
    "NfeVoiding",
    "OrderDraft",
    "OrderFulfillment",
    "OutboundMessage",
    "OutsideChange",
    "Packing",
    "PackingScan",
    "Parcel",
    "ParcelLine",
    "PaymentMethod",
    "PaymentMethodChange",
    "PaymentOperation",
    "PaymentTerms",
    "Payout",
    "PayoutLine",
    "ProviderPayment",
    "QueueSignal",
    "Return",
    "ReturnLine",
    "SavedView",
    "Shipment",
    "ShipmentLine",
    "StatusChange",
    "StatusRule",
    "SupplierOrder",
    "SupplierOrderLine",
    "TaxProfile",
    "TaxProfileChange",
    "TrackingEvent",
    "TrackingImport",
    "TrackingImportRow",
    "UnmappedCode",
    "WebhookAttempt",
    "WebhookEndpoint",
]
