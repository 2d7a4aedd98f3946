"""The order page, its history panel, the printed slip, and "send again"."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from oscar.apps.dashboard.orders.views import OrderDetailView as OscarOrderDetailView

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.selectors.order_page import OrderPage, fulfillment_of
from oscar_fulfillment.services import oscar_bridge

from . import page_words
from .page_reading import PAGE, OrderView, demand, happened_since, order_or_404, page_context


class FulfillmentOrderDetailMixin:
    """For Oscar's ``OrderDetailView``: our page for orders with a fulfillment row, Oscar's for those before it.

    Forms of Oscar's page (and of plugins) still post here; what means one of our steps needs that step's permission.
    """

    template_name = PAGE
    #: Shown with Oscar's own tabs: an order without fulfillment row, a note being edited, "all of Oscar's records".
    plain_template_name = "oscar_fulfillment/orders/page_plain.html"
    plain = False

    def get_object(self, queryset: Any = None) -> Any:
        return order_or_404(self.request.user, self.kwargs["number"])  # type: ignore[attr-defined]

    @property
    def is_plain(self) -> bool:
        return self.plain or "note_id" in self.kwargs or fulfillment_of(self.object) is None  # type: ignore[attr-defined]

    def get_template_names(self) -> list[str]:
        return [self.plain_template_name if self.is_plain or self.request.method == "POST" else self.template_name]  # type: ignore[attr-defined]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "note_id" in self.kwargs:  # type: ignore[attr-defined]
            kwargs.setdefault("active_tab", "notes")
        context = super().get_context_data(**kwargs)  # type: ignore[misc]
        context["fulfillment"] = fulfillment_of(self.object)  # type: ignore[attr-defined]
        if not self.is_plain and self.request.method != "POST":  # type: ignore[attr-defined]
            everything = self.request.GET.get("history") == "all"  # type: ignore[attr-defined]
            context |= page_context(self.request, OrderPage(self.object, all_history=everything))  # type: ignore[attr-defined]
        return context

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.object = self.get_object()
        if fulfillment_of(order) is not None:
            self._check_permission(request)
        try:
            return super().post(request, *args, **kwargs)  # type: ignore[misc]
        except FulfillmentError as error:
            return self.reload_page(error=str(error))  # type: ignore[attr-defined]

    def _check_permission(self, request: Any) -> None:
        """Oscar asks for the sight of an order only; our steps ask for more."""
        done = request.POST.get("order_action") or request.POST.get("line_action") or ""
        wanted = ""
        if done == "change_order_status":
            key = oscar_bridge.projected_key((request.POST.get("new_status") or "").strip())
            steps = {"in_process": "release", "sent": "dispatch", "completed": "deliver", "cancelled": "cancel"}
            wanted = steps.get(key, "")
        elif done == "create_shipping_event":
            name = (request.POST.get("shipping_event_type") or "").casefold()
            wanted = oscar_bridge.SHIPPING_EVENTS.get(name, "")
        elif done in ("create_payment_event", "create_order_payment_event"):
            wanted = "approve_payment"
        elif done in ("save_note", "delete_note") and not request.user.has_perm("order.change_order"):
            wanted = "add_note"
        if wanted:
            demand(request.user, wanted)


class OrderDetailView(FulfillmentOrderDetailMixin, OscarOrderDetailView):
    """Oscar's order page, with the two statuses and their steps."""


@method_decorator(never_cache, name="dispatch")
class HistoryView(OrderView):
    """The history panel alone. ``?after=<version>``: 204 while nothing is new, else what happened and the panel."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: Any, number: str) -> HttpResponse:
        order = order_or_404(request.user, number)
        fulfillment = fulfillment_of(order)
        if fulfillment is None:
            raise Http404
        after = request.GET.get("after", "")
        after = int(after) if after.isdecimal() and len(after) < 10 else None
        if after is not None and after >= fulfillment.version:
            return HttpResponse(status=204)
        news = happened_since(fulfillment, after) if after is not None else []
        page = OrderPage(order, all_history=request.GET.get("history") == "all")
        context = {"page": page, "order": order, "fulfillment": fulfillment,
                   "news": " ".join(page_words.happened(change) for change in news[:3])}  # fmt: skip
        return render(request, "oscar_fulfillment/orders/includes/history.html", context)


class MessageAgainView(OrderView):
    """Send an outgoing message of this order again."""

    http_method_names = ["post", "options"]

    def post(self, request: Any, number: str, message: int) -> HttpResponse:
        order = order_or_404(request.user, number)
        demand(request.user, "manage_messages")
        row = order.outbound_messages.filter(pk=message).first()
        if row is None:
            raise Http404
        if outbox.send_again(row):
            messages.success(request, _("The message will be sent again."))
        else:
            messages.info(request, _("This message does not wait for anybody: it is sent, or about to be."))
        return self.back("mails")
