"""Orders from suppliers: what is on its way, what came, what was given up."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.models import OutboundMessage, SupplierOrder
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors import supply as reads
from oscar_fulfillment.selectors.missing import Shortage
from oscar_fulfillment.services import supply, supply_files

from .missing_views import SupplyPage, csv_response
from .money_pages import chosen, page_of
from .supply_forms import ReceiptForm

STATES: dict[str, Any] = {
    reads.OPEN: pgettext_lazy("orders from suppliers", "Open"),
    reads.CLOSED: pgettext_lazy("orders from suppliers", "Closed"),
}


class SuppliesView(SupplyPage):
    """On order: what is expected first comes first."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        state = chosen(request, STATES, reads.OPEN)
        page = page_of(request, reads.supplier_orders(state))
        rows = [{"order": order, "is_late": reads.is_late(order)} for order in page]
        return self.show("supplies", "supplies", page_obj=page, rows=rows, state=state, states=STATES.items())


class SupplyView(SupplyPage):
    """One order: its lines, what came when and by whom, what became of the mail."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render(self.order_or_404(pk))

    def order_or_404(self, pk: int) -> SupplierOrder:
        rows = SupplierOrder._default_manager.select_related("partner").prefetch_related("lines", "receipts")
        return get_object_or_404(rows, pk=min(pk, 2**63 - 1))

    def form(self, order: SupplierOrder, data: Any = None) -> ReceiptForm:
        open_lines = [line for line in order.lines.all() if line.open_quantity]
        # At most what was ordered, and not what is open: a form that comes twice is known by its key, not refused here.
        rows = [(line.pk, line.title, line.open_quantity, line.quantity) for line in open_lines]
        return ReceiptForm(rows, data)

    def render(self, order: SupplierOrder, form: ReceiptForm | None = None, **context: Any) -> HttpResponse:
        form = form or self.form(order)
        fields = dict(form.quantity_fields())
        lines = list(order.lines.all())
        return self.show(
            "supply", "supplies", order=order, form=form, mail=_mail_words(order), is_late=reads.is_late(order),
            lines=[{"line": line, "field": fields.get(line.pk)} for line in lines],
            may_messages=user_may(self.request.user, "manage_messages"),
            ordered=sum(line.quantity for line in lines), came=sum(line.received for line in lines), **context,
        )  # fmt: skip


def _mail_words(order: SupplierOrder) -> dict[str, Any] | None:
    mail = supply.find_mail(order)
    if mail is None:
        return None
    if mail.status == OutboundMessage.SENT:
        words, tone = (_("Sent"), "success") if supply.is_mailed(mail) else (_("Not sent"), "secondary")
    elif mail.status in (OutboundMessage.DEAD, OutboundMessage.UNKNOWN):
        words, tone = _("Not sent"), "danger"
    else:
        words, tone = _("Waits to be sent"), "secondary"
    return {"words": words, "tone": tone, "message": mail, "failed": tone == "danger"}


class ReceiveView(SupplyView):
    """Goods came."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.order_or_404(pk)
        form = self.form(order, request.POST)
        if not form.is_valid():
            return self.render(order, form, status=422)
        try:
            receipt = supply.receive_goods(
                supplier_order=order, quantities=form.quantities, add_to_stock=form.cleaned_data["add_to_stock"],
                actor=self.actor, key=form.cleaned_data["key"],
            )  # fmt: skip
        except InvalidInput as error:
            form.refuse(error)
            return self.render(order, form, status=422)
        except FulfillmentError as error:
            return self.render(self.order_or_404(pk), status=409, errors=[str(error)])
        said = ngettext("%(count)d unit received.", "%(count)d units received.", receipt.units)
        messages.success(request, said % {"count": receipt.units})
        ready = len(Shortage().releasable)
        if not ready:
            return redirect("dashboard:order-supply", pk=pk)
        said = ngettext(
            "%(count)d waiting order can be released now.", "%(count)d waiting orders can be released now.", ready
        )
        messages.info(request, said % {"count": ready})
        return redirect("dashboard:order-releasable")


class CancelView(SupplyView):
    """The rest will not come."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.order_or_404(pk)
        try:
            supply.cancel_supplier_order(supplier_order=order, actor=self.actor)
        except FulfillmentError as error:
            return self.render(self.order_or_404(pk), status=409, errors=[str(error)])
        messages.success(request, _("The order is closed. What did not come is missing again."))
        return redirect("dashboard:order-supply", pk=pk)


class SupplyCsvView(SupplyView):
    """What the supplier is to bring, as a file."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.order_or_404(pk)
        return csv_response(supply_files.order_csv(order), f"{order.number}.csv")
