"""Missing goods: what is to be ordered from which supplier, and which waiting orders can be released now."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import View
from oscar.core.loading import get_model

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors import supply as reads
from oscar_fulfillment.selectors.missing import ProductNeed, Shortage
from oscar_fulfillment.selectors.orders import fulfillments_for_user
from oscar_fulfillment.services import bulk, supply, supply_files

from .list_rows import count_text
from .money_pages import chosen, flat, page_of
from .supply_forms import SupplierOrderForm

#: Products of a supplier that the overview shows; the page of the supplier shows all that can be ordered at once.
SHOWN = 20
FULL, PART = "full", "part"
STATES: dict[str, Any] = {
    FULL: pgettext_lazy("orders to release", "In full"),
    PART: pgettext_lazy("orders to release", "In part"),
}
_EMPTY: dict[str, Any] = {
    FULL: gettext_lazy("No waiting order can be released in full now."),
    PART: gettext_lazy("No waiting order can be released in part now."),
}


@method_decorator(never_cache, name="dispatch")
class SupplyPage(View):
    """A page for staff who may do one of ``actions``; others get 403, whatever the URL's own rule says."""

    actions: tuple[str, ...] = ("order_missing",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        user: Any = request.user
        if not (user.is_staff and any(user_may(user, action) for action in self.actions)):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def show(self, template: str, tab: str, shortage: Shortage | None = None, **context: Any) -> HttpResponse:
        """A page with the tabs above it. The figures of the tabs are read where the page has read them anyway."""
        status = context.pop("status", 200)
        user = self.request.user
        context |= {"tab": tab, "may_order": user_may(user, "order_missing"), "may_release": user_may(user, "release")}
        counts: dict[str, Any] = {"supplies": reads.count_open()}
        if shortage is not None:
            counts["missing"] = sum(len(need.open_products) for need in shortage.missing)
            counts["releasable"] = len(shortage.releasable)
        context["counts"] = {name: {"count": count, "text": count_text(count)} for name, count in counts.items()}
        return TemplateResponse(self.request, f"oscar_fulfillment/supply/{template}.html", context, status=status)


class MissingView(SupplyPage):
    """To order, by supplier."""

    actions = ("order_missing", "release")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        shortage = Shortage()
        needs = [
            {"need": need, "shown": need.products[:SHOWN], "more": need.products[SHOWN:]} for need in shortage.missing
        ]
        return self.show("missing", "missing", shortage, needs=needs)


class MissingCsvView(SupplyPage):
    """``?supplier=<id>``: one supplier's; else all."""

    actions = ("order_missing", "release")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        needs, asked = Shortage().missing, request.GET.get("supplier", "")
        name = "missing"
        if asked:
            needs = [need for need in needs if str(need.pk) == asked]
            if not needs:
                raise Http404
            name = f"missing-{needs[0].code}"
        return csv_response(supply_files.missing_csv(needs), f"{name}-{timezone.localdate():%Y%m%d}.csv")


def csv_response(text: str, name: str) -> HttpResponse:
    """A file to be saved."""
    plain = "".join(sign for sign in name if sign.isascii() and (sign.isalnum() or sign in "-_."))
    headers = {"Content-Disposition": f'attachment; filename="{plain}"'}
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


class OrderMissingView(SupplyPage):
    """The goods of one supplier: how many of each are ordered, and the mail that says so."""

    def get(self, request: HttpRequest, supplier: int, *args: Any, **kwargs: Any) -> HttpResponse:
        partner, shortage = self.partner_or_404(supplier), Shortage()
        rows = _products(shortage, partner)
        return self.render(partner, shortage, rows, _form(partner, rows))

    def post(self, request: HttpRequest, supplier: int, *args: Any, **kwargs: Any) -> HttpResponse:
        partner, shortage = self.partner_or_404(supplier), Shortage()
        rows = _with_typed(_products(shortage, partner), partner, request.POST)
        form = _form(partner, rows, request.POST)
        if not form.is_valid():
            return self.render(partner, shortage, rows, form, status=422)
        try:
            order = supply.order_from_supplier(partner=partner, lines=form.quantities, actor=self.actor, **form.answers)
        except InvalidInput as error:
            if "seen" not in error.errors:
                form.refuse(error)
                return self.render(partner, shortage, rows, form, status=422)
            # The figures anew, with the other order in them; what was typed beside them stays.
            shortage = Shortage()
            rows = _products(shortage, partner)
            form = _form(partner, rows, **form.texts)
            return self.render(partner, shortage, rows, form, status=409, errors=flat(error))
        if order.sent_to:
            told = _("Order %(number)s is noted, and its mail to %(address)s is on its way.")
        else:
            told = _("Order %(number)s is noted. No mail was asked for.")
        messages.success(request, told % {"number": order.number, "address": order.sent_to})
        return redirect("dashboard:order-supply", pk=order.pk)

    def partner_or_404(self, pk: int) -> Any:
        partner = get_model("partner", "Partner")._default_manager.filter(pk=pk).first() if pk < 2**31 else None
        if partner is None:
            raise Http404
        return partner

    def render(
        self, partner: Any, shortage: Shortage, products: list[ProductNeed], form: SupplierOrderForm, **context: Any
    ) -> HttpResponse:
        fields = dict(form.quantity_fields())
        rows = [{"one": one, "field": fields[one.record_id]} for one in products if one.record_id in fields]
        left = len(products) - len(rows)
        return self.show("order", "missing", shortage, partner=partner, form=form, rows=rows, left=left, **context)


def _products(shortage: Shortage, partner: Any) -> list[ProductNeed]:
    return next((need.products for need in shortage.missing if need.pk == partner.pk), [])


def _with_typed(products: list[ProductNeed], partner: Any, data: Any) -> list[ProductNeed]:
    """Also what the form asked for and is not missing any more: whoever typed a number decides."""
    typed = {int(name[5:]) for name in data if re.fullmatch(r"line_[0-9]{1,9}", name, re.ASCII)}
    others = list(typed - {one.record_id for one in products})[: supply.MOST_LINES]
    return [*products, *reads.not_missing(partner, others)] if others else products


def _form(partner: Any, products: list[ProductNeed], data: Any = None, **initial: Any) -> SupplierOrderForm:
    rows = [(one.record_id, one.title, one.to_order, supply.MOST_UNITS) for one in products[: supply.MOST_LINES]]
    address = supply.address_of(partner)
    offered = {"email": address, "send_mail": bool(address), "seen": reads.newest_order(partner), **initial}
    return SupplierOrderForm(rows, data, initial=offered)


class ReleasableView(SupplyPage):
    """Waiting orders for which there are goods now, oldest first; released by the bulk action, each with its result."""

    actions = ("order_missing", "release")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render(request)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not user_may(request.user, "release"):
            raise PermissionDenied
        state = request.POST.get("state", "")
        if state not in STATES:
            return self.render(request, status=400, errors=[_("The form is damaged. Load the page again.")])
        try:
            ids = self.chosen(request, state)
            orders = bulk.selected(fulfillments_for_user(request.user), ids)
            job = bulk.submit(
                action="release", orders=orders, user=request.user, key=request.POST.get("key", ""),
                params={"in_part": True} if state == PART else {},
            )  # fmt: skip
        except InvalidInput as error:
            return self.render(request, status=400, errors=flat(error))
        return redirect("dashboard:order-bulk-job", pk=job.pk)

    def chosen(self, request: HttpRequest, state: str) -> list[int]:
        if request.POST.get("select_across") == "1":
            return [one.order_id for one in _of(Shortage(), state)][: settings.BULK_LIMIT]
        typed = request.POST.getlist("selected_order")
        return [int(text) for text in typed if text.isascii() and text.isdecimal() and len(text) < 19]

    def render(self, request: HttpRequest, **context: Any) -> HttpResponse:
        shortage = Shortage()
        found = {name: _of(shortage, name) for name in STATES}
        state = chosen(request, STATES, FULL if found[FULL] or not found[PART] else PART)
        page = page_of(request, found[state])
        context |= {
            "page_obj": page,
            "rows": reads.rows_of(list(page)),
            "state": state,
            "states": [
                {"name": name, "label": label, "count": len(found[name]), "text": count_text(len(found[name]))}
                for name, label in STATES.items()
            ],
            "is_any": any(found.values()),
            "empty": _EMPTY[state],
            "total": count_text(len(found[state]), cap=None),
            "key": new_key(),
        }
        return self.show("releasable", "releasable", shortage, **context)


def _of(shortage: Shortage, state: str) -> list[Any]:
    return [one for one in shortage.releasable if one.is_full == (state == FULL)]
