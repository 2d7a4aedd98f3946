"""What a scanned text stands for: goods of an order, by the slip's code, the order number or a tracking code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment import guards
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.keyboard import readings
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import OrderFulfillment, Parcel, Shipment
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING, RETURNED

from .packing import article_keys

#: What a scanned text may be found by.
CODE, NUMBER, TRACKING = "code", "number", "tracking"
#: No code is longer.
LONGEST = 200


@dataclass
class Found:
    """Goods that a text stands for. ``shipments`` are those that wait, with their orders; several: one must be chosen.

    ``order`` is known also where nothing waits; ``by`` says by which of the three it was found, "" for nothing.
    """

    by: str = ""
    order: OrderFulfillment | None = None
    shipments: list[Shipment] = field(default_factory=list)
    #: The shipment that was meant, waiting or not, where the text names one.
    meant: Shipment | None = None
    #: The box that a tracking code is on.
    parcel: Parcel | None = None


def find_goods(text: str) -> Found:
    """What a text stands for. One to three queries; nothing of what a database cannot hold gets there."""
    typed = text.strip()
    if not typed or len(typed) > LONGEST or "\x00" in typed:
        return Found()
    if (code := scan_codes.parse(typed)) is not None:
        return _by_code(code)
    return _by_number(typed) or _by_tracking(typed) or Found()


def _shipments() -> Any:
    return Shipment._default_manager.select_related("fulfillment__order", "fulfillment__payment_method")


def _by_code(code: scan_codes.ScanCode) -> Found:
    if code.kind in (scan_codes.SHIPMENT, scan_codes.PICKUP):
        return _found(CODE, _shipments().filter(pk=code.pk).first())
    if code.kind == scan_codes.ORDER:
        return _of_orders(CODE, [code.pk]) or Found()
    return Found(CODE)


def _found(by: str, row: Shipment | None) -> Found:
    if row is None:
        return Found(by)
    return Found(by, row.fulfillment, [row] if row.status == PENDING else [], row)


def _by_number(typed: str) -> Found | None:
    numbers = readings(typed)
    rows = OrderFulfillment._default_manager.filter(number__in=numbers).values_list("number", "pk")
    known = dict(rows)
    pk = next((known[number] for number in numbers if number in known), None)
    return _of_orders(NUMBER, [pk]) if pk is not None else None


def _of_orders(by: str, pks: list[int]) -> Found | None:
    waiting = list(_shipments().filter(fulfillment__in=pks, status=PENDING).order_by("number"))
    if waiting:
        return Found(by, waiting[0].fulfillment, waiting, waiting[0] if len(waiting) == 1 else None)
    row = OrderFulfillment._default_manager.filter(pk__in=pks).select_related("order", "payment_method").first()
    return Found(by, row) if row is not None else None


def _by_tracking(typed: str) -> Found | None:
    codes = [reading.replace(" ", "").upper() for reading in readings(typed)]
    boxes = Parcel._default_manager.filter(tracking_code__in=codes).exclude(status=CANCELLED)
    # Carriers use numbers again: what waits here comes before what has left, the newest before the others.
    rows = boxes.select_related("shipment__fulfillment__order", "shipment__fulfillment__payment_method")
    found = sorted(rows.order_by("-pk")[:20], key=lambda box: box.status != PENDING)
    if not found:
        return None
    answer = _found(TRACKING, found[0].shipment)
    answer.parcel = found[0]
    return answer


def goods_refusals(row: Shipment) -> list[Reason]:
    """Why a shipment may not be packed or leave now; empty when it may. No query: its order is read with it."""
    if row.status != PENDING:
        return [shipment_refusal(row.status)]
    step = Step(row.fulfillment, [], Actor.system("desk"), timezone.now(), {})
    asked = (guards.no_open_hold, guards.money_at_the_counter if row.fulfillment.is_collected else guards.money_is_safe)
    return [reason for guard in asked if (reason := guard(step)) is not None]


def shipment_refusal(status: str) -> Reason:
    """Why nothing is done with a shipment that does not wait any more."""
    return {
        DISPATCHED: Reason("sent_already", _("This shipment has been sent already.")),
        DELIVERED: Reason("delivered_already", _("This shipment has been delivered already.")),
        RETURNED: Reason("returned_already", _("This shipment came back.")),
        CANCELLED: Reason("cancelled", _("This shipment is cancelled.")),
    }[status]


def nothing_waits(order: OrderFulfillment) -> Reason:
    """Why an order has no goods that could be packed."""
    told = {"number": order.number}
    url = _order_url(order.number)
    if order.shipping_status == "cancelled":
        return Reason("cancelled", _("Order %(number)s is cancelled.") % told, url=url)
    if order.shipping_status == order.flow_definition.shipping.initial:
        message = _("Order %(number)s is not released yet.") % told
        if order.hold_count:
            message = _("Order %(number)s is on hold.") % told
        return Reason("not_released", message, _("Open the order"), url)
    return Reason("nothing_waits", _("Nothing of order %(number)s waits to be sent.") % told, _("Open the order"), url)


def _order_url(number: str) -> str:
    try:
        return reverse("dashboard:order-detail", kwargs={"number": number})
    except NoReverseMatch:
        return ""


def name_of_article(text: str) -> str:
    """The title of a product that a scanned text names, "" for an unknown one."""
    if len(text) > LONGEST or "\x00" in text:
        return ""
    keys = {key for reading in readings(text) for key in article_keys(reading)}
    codes = {text.strip(), *readings(text), *(key.lstrip("0") for key in keys), *keys}
    codes |= {key.lstrip("0").zfill(length) for key in keys for length in (8, 12, 13) if key.isdecimal()}
    rows = get_model("catalogue", "Product")._default_manager.filter(
        Q(upc__in=codes) | Q(stockrecords__partner_sku__in=codes)
    )
    product = rows.select_related("parent").order_by("pk").first()
    return str(product.get_title()) if product is not None else ""
