"""Scan to dispatch, and scan what comes back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import offered
from oscar_fulfillment.core.exceptions import FulfillmentError, TransitionNotAllowed
from oscar_fulfillment.models import OrderFulfillment, Shipment
from oscar_fulfillment.models.shipment import PENDING
from oscar_fulfillment.selectors.returns import find_return
from oscar_fulfillment.selectors.scan_desk import TRACKING, find_goods, goods_refusals
from oscar_fulfillment.services import packed

from .scan_pack_views import left
from .scan_pages import Answer, ScanView, choices, number_of, refused


class DispatchView(ScanView):
    """Scan the slip, scan the tracking code: sent. A label whose code is known lets its shipment leave at once."""

    mode = "dispatch"
    needs = "dispatch"

    def get(self, request: HttpRequest) -> HttpResponse:
        shipment = self._shipment(request.GET.get("shipment", ""))
        number = request.GET.get("order", "")[:128]
        order = OrderFulfillment._default_manager.filter(number=number).first() if number.isprintable() else None
        context: dict[str, Any] = {"order": order, "choices": choices(order.pk, order.number) if order else []}
        if shipment is not None:
            boxes = list(shipment.parcels.filter(status=PENDING).order_by("number"))
            blank = next((box for box in boxes if not box.tracking_code), None)
            usual = packed.usual_carrier(shipment.fulfillment.order)
            context |= {
                "shipment": shipment, "boxes": boxes, "blank": blank, "order": shipment.fulfillment.order,
                "carriers": offered(),
                "carrier": (blank.carrier if blank else "") or usual, "customer": shipment.fulfillment.customer_name,
            }  # fmt: skip
        return self.show("dispatch.html", **context)

    def _shipment(self, typed: str) -> Shipment | None:
        pk = number_of(typed)
        if pk is None:
            return None
        rows = Shipment._default_manager.select_related("fulfillment__order", "fulfillment__payment_method")
        row = rows.filter(pk=pk, status=PENDING).first()
        return row if row is not None and not goods_refusals(row) else None

    def take(self) -> Answer:
        posted, here = self.request.POST, reverse("dashboard:scan-dispatch")
        if (pk := number_of(posted.get("shipment", ""))) is not None:
            carrier = posted.get("carrier", "")[:64]
            if posted.get("without_code") == "1":
                leaving = packed.dispatch_as_it_is(shipment=pk, actor=self.actor, carrier=carrier)
            else:
                leaving = packed.dispatch_by_code(
                    shipment=pk, actor=self.actor, text=self.text, carrier=carrier,
                    box=number_of(posted.get("box", "")),
                )  # fmt: skip
            return left(leaving, f"{here}?shipment={pk}", here)
        found = find_goods(self.text)
        if not found.shipments:
            return refused(found, self.text)
        if len(found.shipments) > 1:
            number = found.shipments[0].fulfillment.number
            say = _("Order %(number)s has several shipments: choose one.") % {"number": number}
            return Answer(True, say, f"{here}?order={number}")
        shipment = found.shipments[0]
        if reasons := goods_refusals(shipment):
            raise TransitionNotAllowed(reasons)
        boxes = list(shipment.parcels.filter(status=PENDING).order_by("number"))
        if not packed.needs_code(shipment, boxes):
            return left(packed.dispatch_as_it_is(shipment=shipment.pk, actor=self.actor), here, here)
        there = f"{here}?shipment={shipment.pk}"
        told = {"number": shipment.fulfillment.number}
        if found.by == TRACKING:
            say = _("Order %(number)s has another box without a tracking code: scan it.") % told
            return Answer(True, say, there)
        return Answer(True, _("Order %(number)s: scan the tracking code.") % told, there)

    def on_refusal(self, error: FulfillmentError, **kwargs: Any) -> str:
        # What may not leave is not asked for its code any more.
        return reverse("dashboard:scan-dispatch") if isinstance(error, TransitionNotAllowed) else ""


class ReturnsView(ScanView):
    """Scan what came back: its return is shown, or a new one is offered."""

    mode = "returns"
    needs = "work_returns"

    def get(self, request: HttpRequest) -> HttpResponse:
        number = request.GET.get("order", "")[:128]
        order = OrderFulfillment._default_manager.filter(number=number).first() if number.isprintable() else None
        return self.show("returns.html", order=order, new_url=new_return_url(order.number) if order else "")

    def take(self) -> Answer:
        row = find_return(self.text, self.request.user)
        if row is not None:
            told = {"number": row.fulfillment.number, "of": row.number}
            say = _("Return %(of)d of order %(number)s.") % told
            return Answer(True, say, return_url(row.pk), leave=True)
        found = find_goods(self.text)
        order = found.order
        if order is None:
            return refused(found, self.text)
        if order.shipping_status not in ("partially_dispatched", "dispatched", "delivered", "returned"):
            return Answer(False, _("Nothing of order %(number)s has been sent yet.") % {"number": order.number})
        say = _("No return of order %(number)s is known: note a new one.") % {"number": order.number}
        return Answer(True, say, f"{reverse('dashboard:scan-returns')}?order={order.number}")


def return_url(pk: int) -> str:
    """Where a return is inspected."""
    return reverse("dashboard:order-return", kwargs={"pk": pk})


def new_return_url(number: str) -> str:
    """Where a return of an order is noted, "" where the shop leaves that page out."""
    try:
        return reverse("dashboard:order-return-new", kwargs={"number": number})
    except NoReverseMatch:
        return ""
