"""The counter: find the goods by the customer's code, take the cash, hand over."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import HiddenInput
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import OrderFulfillment, Shipment
from oscar_fulfillment.selectors.order_page import OrderPage
from oscar_fulfillment.selectors.order_page_rows import ShipmentRow
from oscar_fulfillment.selectors.pickup import find_by_pickup_code, goods_at_the_counter, read_pickup_code
from oscar_fulfillment.selectors.scan_desk import find_goods
from oscar_fulfillment.services.actions import available_actions

from . import page_words
from .page_forms import StepForm, form_class
from .page_reading import page_or_404
from .scan_pages import Answer, ScanView, choices, refused, words


class PickUpView(ScanView):
    """Waits for a customer's code, or an order number."""

    mode = "pickup"
    needs = "hand_over"

    def get(self, request: HttpRequest) -> HttpResponse:
        number = request.GET.get("order", "")[:128]
        order = OrderFulfillment._default_manager.filter(number=number).first() if number.isprintable() else None
        found = choices(order.pk, order.number) if order is not None else []
        return self.show("pickup.html", waiting=goods_at_the_counter(), order=order, choices=found)

    def take(self) -> Answer:
        shipment = find_by_pickup_code(self.text)
        if shipment is not None:
            url = f"{hand_over_url(shipment.pk)}?code={read_pickup_code(self.text)}"
            return Answer(True, _("Order %(number)s.") % {"number": shipment.fulfillment.number}, url, leave=True)
        found = find_goods(self.text)
        if not found.shipments:
            return refused(found, self.text) if found.order is not None or found.by else self._unknown()
        number = found.shipments[0].fulfillment.number
        if not found.shipments[0].fulfillment.is_collected:
            say = _("The customer does not come for order %(number)s: it is sent.") % {"number": number}
            return Answer(False, say)
        if len(found.shipments) > 1:
            say = _("Order %(number)s has several shipments: choose one.") % {"number": number}
            return Answer(True, say, f"{reverse('dashboard:scan-pickup')}?order={number}")
        say = _("Order %(number)s: ask for the customer's code.") % {"number": number}
        return Answer(True, say, hand_over_url(found.shipments[0].pk), leave=True)

    @staticmethod
    def _unknown() -> Answer:
        return Answer(False, _("No goods wait for this code."))


def hand_over_url(shipment: int) -> str:
    return reverse("dashboard:scan-hand-over", kwargs={"shipment": shipment})


class HandOverView(ScanView):
    """The goods of one shipment, and the form that hands them over."""

    mode = "pickup"
    needs = "hand_over"

    def get(self, request: HttpRequest, shipment: int) -> HttpResponse:
        page = self._page(shipment)
        return self._show(page, shipment, self._form(page, shipment))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        shipment: int = kwargs["shipment"]
        page = self._page(shipment)
        form = self._form(page, shipment, data=request.POST)
        if not form.is_valid():
            again = self._form(page, shipment, data=request.POST, fresh=True)
            return self._show(page, shipment, again, status=422)
        try:
            change = form.run(self.actor)
        except InvalidInput as error:
            again = self._form(self._page(shipment), shipment, data=request.POST, fresh=True)
            again.is_valid()
            again.take_errors(error)
            return self._show(again.page, shipment, again, status=422)
        except StaleVersion as error:
            why = page_words.happened(error.change) if error.change else words(error)
            return self._refused(shipment, [Reason("stale", why)])
        except TransitionNotAllowed as error:
            return self._refused(shipment, error.reasons)
        except FulfillmentError as error:
            return self._refused(shipment, [Reason("refused", str(error))])
        messages.success(request, page_words.done(change))
        return HttpResponseRedirect(reverse("dashboard:scan-pickup"))

    def _page(self, shipment: int) -> OrderPage:
        numbers = Shipment._default_manager.filter(pk=shipment).values_list("fulfillment__number", flat=True)
        number = numbers.first()
        if number is None:
            raise Http404
        return page_or_404(self.request, number)

    def _form(self, page: OrderPage, shipment: int, **given: Any) -> StepForm:
        step = page.flow.shipping.transitions.get("hand_over")
        if step is None:
            raise Http404
        options = {"shipment": str(shipment), "code": self.request.GET.get("code", "")[:20]}
        form = form_class("hand_over")(
            page, action="hand_over", machine="shipping", label=step.label, options=options, **given
        )
        # The page is about this one, also where the order has others.
        form.fields["shipment"].widget = HiddenInput()
        form.fields["shipment"].initial = shipment
        return form

    def _refused(self, shipment: int, reasons: list[Reason]) -> HttpResponse:
        page = self._page(shipment)
        form = self._form(page, shipment, data=self.request.POST, fresh=True)
        return self._show(page, shipment, form, status=409, reasons=reasons)

    def _show(
        self, page: OrderPage, shipment: int, form: StepForm, *, status: int = 200, reasons: Any = ()
    ) -> HttpResponse:
        row: ShipmentRow | None = next((row for row in page.shipments if row.shipment.pk == shipment), None)
        if row is None:
            raise Http404
        state = next(iter(available_actions(page.order, self.request.user, only="hand_over")), None)
        blocked = state.reasons if state is not None else [Reason("no_pick_up", _("This order is not collected."))]
        if not blocked and row not in page.to_dispatch:
            blocked = [Reason("not_pending", _("This shipment does not wait to be collected."))]
        answer = self.show(
            "hand_over.html", page=page, row=row, order=page.order, fulfillment=page.fulfillment, form=form,
            reasons=[*blocked, *(reason for reason in reasons if reason.code not in {b.code for b in blocked})],
            is_possible=not blocked,
            goods=[(line, quantity) for line, quantity in row.contents],
        )  # fmt: skip
        answer.status_code = status
        return answer
