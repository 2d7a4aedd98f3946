"""What the customer may know of an order: status in plain words, what happened, parcels, how to pay.

Nothing internal passes: only the actions of :data:`HAPPENINGS` are told, without who did them and why, and of the
notes only those written for the customer. Account pages, the guest's page and the mails read the same
:class:`Journey`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from oscar.core.loading import get_model

from oscar_fulfillment.documents.sellers import has_seller
from oscar_fulfillment.models import Invoice, Shipment, StatusChange

from .pickup import pickup_place

#: ``OrderNote.note_type`` of notes written for the customer.
CUSTOMER_NOTE_TYPE = "Customer"

#: The status in the customer's words, by the projection of the two machines.
STATUSES: dict[str, tuple[Any, str]] = {
    "received": (pgettext_lazy("status of an order", "Received"), "secondary"),
    "in_process": (pgettext_lazy("status of an order", "In process"), "info"),
    "sent": (pgettext_lazy("status of an order", "Sent"), "primary"),
    "completed": (pgettext_lazy("status of an order", "Completed"), "success"),
    "cancelled": (pgettext_lazy("status of an order", "Cancelled"), "danger"),
}
#: Shipping states that the customer is told apart from what they are projected to.
EXACT: dict[str, tuple[Any, str]] = {
    "partially_dispatched": (pgettext_lazy("status of an order", "Sent in part"), "primary"),
    "returned": (pgettext_lazy("status of an order", "Returned"), "dark"),
}
#: What the customer is told of the history: (machine, action) -> words. A shop adds the steps of its own flow.
HAPPENINGS: dict[tuple[str, str], Any] = {
    ("order", "place"): _("Order received"),
    ("order", "backfill"): _("Order received"),
    ("payment", "authorize_payment"): _("Payment reserved"),
    ("payment", "approve_payment"): _("Payment received"),
    ("payment", "capture_payment"): _("Payment received"),
    ("payment", "refund_payment"): _("Payment refunded"),
    ("ledger", "pay_back"): _("Payment refunded"),
    ("payment", "cancel_payment"): _("Payment cancelled"),
    ("edit", "edit_order"): _("Order changed"),
    ("edit", "revert_edit"): _("Change of the order taken back"),
    ("shipping", "release"): _("Order in process"),
    ("shipping", "dispatch"): _("Sent"),
    ("shipping", "deliver"): _("Delivered"),
    ("shipment", "ready_for_pickup"): _("Ready to be collected"),
    ("shipping", "hand_over"): _("Collected"),
    ("shipping", "return"): _("Came back to us"),
    ("return", "request_return"): _("Return asked for"),
    ("return", "approve_return"): _("Return approved"),
    ("return", "refuse_return"): _("Return not possible"),
    ("return", "cancel_return"): _("Return cancelled"),
    ("shipping", "receive_return"): _("Returned goods have arrived"),
    ("return", "settle_return"): _("Return settled"),
    ("shipping", "send_replacement"): _("Other goods are prepared for you"),
    ("shipping", "cancel_shipment"): _("A part is not sent"),
    ("shipping", "cancel"): _("Order cancelled"),
    ("shipping", "restore"): _("Order taken up again"),
    ("terms", "remind"): _("Reminder sent"),
    ("note", "tell_customer"): _("Message from the shop"),
}
#: Told only with a note that was written for the customer.
_WITH_NOTE = ("tell_customer", "cancel_shipment")
_GONE = ("dispatched", "delivered", "returned")
#: What carriers say that customers are not told.
_SILENT = ("", "info", "unknown")


@dataclass(frozen=True)
class Parcel:
    """A box that has left, or a shipment without any. ``contents`` holds (title, quantity) of the box where they were
    counted, else of its shipment, told once; ``tracking_url`` is http(s) or empty."""

    shipment: int
    number: int
    status: str
    status_label: Any
    carrier: str
    carrier_name: str
    tracking_code: str
    tracking_url: str
    #: Whether the carrier's parcels are announced with a prominent link (automatic_tracking_mail).
    is_prominent: bool
    dispatched_at: datetime | None
    delivered_at: datetime | None
    contents: tuple[tuple[str, int], ...] = ()
    #: What the carrier says of it, "" while it says nothing.
    tracking_label: Any = ""
    tracking_at: datetime | None = None


@dataclass(frozen=True)
class PickUp:
    """Goods that wait for their customer. ``code`` proves who may have them; ``place`` is where, in the shop's
    words."""

    shipment: int
    code: str
    place: str
    ready_at: datetime
    contents: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Happening:
    """One line of the timeline. ``text`` was written for the customer: a note, or the reason of a cancelling."""

    code: str
    label: Any
    at: datetime
    text: str = ""
    parcels: tuple[Parcel, ...] = ()


@dataclass
class Journey:
    """An order as its customer sees it. For orders without a fulfillment row all but ``status_label`` is empty."""

    order: Any
    status: str
    status_label: Any
    status_tone: str = "secondary"
    payment_status: str = ""
    payment_label: Any = ""
    payment_tone: str = "secondary"
    payment_method: Any = None
    awaits_payment: bool = False
    has_backorder: bool = False
    happenings: list[Happening] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    pickups: list[PickUp] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)

    @property
    def instructions(self) -> str:
        """How to pay, while the payment is awaited."""
        return self.payment_method.local_instructions if self.awaits_payment and self.payment_method else ""

    @property
    def is_cancelled(self) -> bool:
        return self.status == "cancelled"


def order_journey(order: Any) -> Journey:
    """Everything about one order: at most ten queries, kept on the order object for the next caller; three more where
    the customer comes for the goods."""
    known = order.__dict__.get("_customer_journey")
    if known is None:
        known = order.__dict__["_customer_journey"] = _tell(order)
    return known


def order_statuses(orders: Iterable[Any]) -> list[Any]:
    """The orders of a list, read with their two statuses and their lines: three queries for any number of them."""
    found = list(orders)
    if found:
        prefetch_related_objects(found, "fulfillment", "lines")
    return found


def order_status(order: Any) -> Journey:
    """The two statuses alone; without a query when :func:`order_statuses` has read the order."""
    try:
        fulfillment = order.fulfillment
    except ObjectDoesNotExist:
        return Journey(order, "", order.status)
    flow = fulfillment.flow_definition
    status = flow.project(
        fulfillment.payment_status,
        fulfillment.shipping_status,
        money_is_in=fulfillment.money_is_in(fulfillment.payment_status, {}),
    )
    label, tone = EXACT.get(fulfillment.shipping_status) or STATUSES.get(status) or (status, "secondary")
    return Journey(
        order,
        status,
        label,
        tone,
        fulfillment.payment_status,
        fulfillment.payment_label,
        fulfillment.payment_tone,
        awaits_payment=fulfillment.payment_status == "awaiting_payment" and status != "cancelled",
        has_backorder=fulfillment.has_backorder,
    )


def has_invoice_document(order: Any) -> bool:
    """Whether the customer is asked for money by our invoice: the method mails it, the seller is known, and the order
    is not off."""
    try:
        fulfillment = order.fulfillment
    except ObjectDoesNotExist:
        return False
    method = fulfillment.payment_method
    if method is None or not method.sends_invoice or order_status(order).is_cancelled:
        return False
    address = order.shipping_address or order.billing_address
    country = (address.country_id or "") if address is not None else ""
    return has_seller(country=country, currency=order.currency, flow=fulfillment.flow)


def _tell(order: Any) -> Journey:
    journey = order_status(order)
    if not journey.payment_status:
        return journey
    fulfillment = order.fulfillment
    journey.payment_method = fulfillment.payment_method
    journey.parcels = _parcels(fulfillment)
    journey.pickups = _pickups(fulfillment)
    journey.invoices = [
        invoice for invoice in Invoice._default_manager.filter(fulfillment=fulfillment, cancelled_at=None)
        if not invoice.is_none
    ]  # fmt: skip
    journey.happenings = _happenings(fulfillment, journey)
    return journey


def _pickups(fulfillment: Any) -> list[PickUp]:
    """Goods that are ready; nothing is read where the customer does not come for them."""
    if not fulfillment.is_collected:
        return []
    place = pickup_place(fulfillment.order)
    rows = Shipment._default_manager.filter(fulfillment=fulfillment, status="pending", ready_at__isnull=False)
    return [
        PickUp(
            row.pk, row.pickup_code, place, row.ready_at,
            tuple((line.line.title, line.quantity) for line in row.lines.all()),
        )
        for row in rows.prefetch_related("lines__line").order_by("number")
        if row.ready_at is not None
    ]  # fmt: skip


def coming_parcels(order: Any) -> list[Parcel]:
    """Boxes that have their tracking code before they leave: their carriage is ordered."""
    return [parcel for parcel in _parcels(order.fulfillment, ("pending", *_GONE)) if parcel.tracking_code]


def _parcels(fulfillment: Any, statuses: Sequence[str] = _GONE) -> list[Parcel]:
    rows = Shipment._default_manager.filter(fulfillment=fulfillment, status__in=statuses).order_by("number")
    shipments = list(rows.prefetch_related("lines__line", "parcels"))
    packed = [box for row in shipments for box in row.parcels.all() if box.packed_at]
    prefetch_related_objects(packed, "lines")
    found: list[Parcel] = []
    for row in shipments:
        boxes: list[Any] = [box for box in row.parcels.all() if box.status in statuses] or [None]
        titles = {line.line_id: line.line.title for line in row.lines.all()}
        whole = tuple((line.line.title, line.quantity) for line in row.lines.all())
        for place, box in enumerate(boxes):
            counted = (
                tuple((titles[c.line_id], c.quantity) for c in box.lines.all() if c.line_id in titles)
                if box is not None and box.packed_at
                else ()
            )
            found.append(_parcel(row, box, len(found) + 1, counted or (whole if place == 0 else ())))
    return found


def _parcel(row: Shipment, box: Any, number: int, contents: tuple[tuple[str, int], ...]) -> Parcel:
    shown = row if box is None else box
    url = box.tracking_url if box is not None and box.tracking_url.startswith(("https://", "http://")) else ""
    return Parcel(
        shipment=row.pk,
        number=number,
        status=shown.status,
        status_label=shown.status_label,
        carrier=box.carrier if box is not None else "",
        carrier_name=box.carrier_for_customer if box is not None else "",
        tracking_code=box.tracking_code if box is not None else "",
        tracking_url=url,
        is_prominent=bool(url) and box.announces_link,
        dispatched_at=shown.dispatched_at,
        delivered_at=shown.delivered_at,
        contents=contents,
        tracking_label=box.tracking_label if box is not None and box.tracking_state not in _SILENT else "",
        tracking_at=box.tracking_at if box is not None else None,
    )


def _happenings(fulfillment: Any, journey: Journey) -> list[Happening]:
    """The timeline, oldest first: history, notes for the customer, and fiscal documents that still stand."""
    notes = dict(
        get_model("order", "OrderNote")
        ._default_manager.filter(order_id=fulfillment.pk, note_type=CUSTOMER_NOTE_TYPE)
        .values_list("pk", "message")
    )
    parcels: dict[int, list[Parcel]] = {}
    for parcel in journey.parcels:
        parcels.setdefault(parcel.shipment, []).append(parcel)
    told: list[Happening] = []
    rows = StatusChange._default_manager.filter(
        fulfillment=fulfillment, action__in={action for _machine, action in HAPPENINGS}
    )
    for change in rows.order_by("sequence"):
        words = HAPPENINGS.get((change.machine, change.action))
        if words is None or (change.action == "release" and change.from_status != "received"):
            continue
        text = ""
        if change.action in _WITH_NOTE:
            # The note itself, not the history's copy: staff may have mended or removed it.
            text = notes.get(change.data.get("note"), "")
            if not text:
                continue
        elif change.data.get("tell_reason"):
            text = change.reason
        moved = tuple(parcel for pk in change.data.get("shipments", ()) for parcel in parcels.get(pk, ()))
        told.append(Happening(change.action, words, change.created_at, text, moved))
    told += [Happening("invoice", _("Invoice issued"), invoice.created_at) for invoice in journey.invoices]
    return sorted(told, key=lambda happening: happening.at)
