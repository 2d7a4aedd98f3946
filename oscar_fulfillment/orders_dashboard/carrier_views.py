"""The shop's carriers: what each can do, how it is, its switches, and carriers made here by their tracking page."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.generic import View

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.selectors import carriers_page as selectors
from oscar_fulfillment.services import carrier_setup
from oscar_fulfillment.services.export import safe_cell

from .carrier_forms import OwnCarrierForm, SwitchesForm
from .page_reading import demand


class _CarrierView(View):
    """Common to all: the permission, who acts, the carrier."""

    http_method_names = ["get", "head", "post", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_carriers")
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def row_or_404(self, alias: str) -> selectors.CarrierRow:
        row = selectors.carrier_row(alias)
        if row is None:
            raise Http404
        return row


class CarriersView(_CarrierView):
    """All carriers, and the codes that nobody knows."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {"rows": selectors.carrier_rows(), "codes": selectors.unknown_codes()}
        return TemplateResponse(request, "oscar_fulfillment/carriers/list.html", context)


class _FormView(_CarrierView):
    def show(self, form: Any, row: selectors.CarrierRow | None, status: int = 200) -> HttpResponse:
        context = {"form": form, "row": row, "link": _try_out(self.request, row)}
        return TemplateResponse(self.request, "oscar_fulfillment/carriers/form.html", context, status=status)

    def take(self, form: Any, row: selectors.CarrierRow | None) -> HttpResponse:
        if form.is_valid():
            try:
                saved = form.save(self.actor)
            except InvalidInput as error:
                form.take_errors(error)
            else:
                name = saved.name or (row.name if row else saved.alias)
                messages.success(self.request, _("“%(name)s” is saved.") % {"name": name})
                return redirect("dashboard:carrier-list")
        return self.show(form, row, 422)


def _try_out(request: HttpRequest, row: selectors.CarrierRow | None) -> dict[str, str]:
    """Where a code that is tried out would lead, or why it is none."""
    typed = request.GET.get("code", "")[:200]
    if row is None or row.adapter is None or not typed:
        return {"code": typed}
    try:
        code = row.adapter.normalise_tracking_code(typed)
    except ValueError as error:
        return {"code": typed, "error": str(error)}
    return {"code": code, "url": row.adapter.tracking_url(code, request.LANGUAGE_CODE)}


class CarrierView(_FormView):
    """One carrier: its switches, or what it is where it is the shop's own."""

    def _form(self, row: selectors.CarrierRow, data: Any = None) -> Any:
        return OwnCarrierForm(data, setup=row.setup) if row.is_own else SwitchesForm(data, row=row)

    def get(self, request: HttpRequest, alias: str) -> HttpResponse:
        row = self.row_or_404(alias)
        return self.show(self._form(row), row)

    def post(self, request: HttpRequest, alias: str) -> HttpResponse:
        row = self.row_or_404(alias)
        return self.take(self._form(row, request.POST), row)


class OwnCarrierView(_FormView):
    """A new carrier by its tracking page."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(OwnCarrierForm(), None)

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.take(OwnCarrierForm(request.POST), None)


class DeleteCarrierView(_CarrierView):
    """Forget a carrier of the shop's own that was never used; asked first."""

    def get(self, request: HttpRequest, alias: str) -> HttpResponse:
        row = self.row_or_404(alias)
        if not row.is_own:
            raise Http404
        return TemplateResponse(request, "oscar_fulfillment/carriers/delete.html", {"row": row})

    def post(self, request: HttpRequest, alias: str) -> HttpResponse:
        row = self.row_or_404(alias)
        if not row.is_own or row.setup is None:
            raise Http404
        try:
            carrier_setup.delete_own(pk=row.setup.pk)
        except InvalidInput as error:
            messages.error(request, str(error))
            return redirect("dashboard:carrier", alias=alias)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": row.name})
        return redirect("dashboard:carrier-list")


class CodesCsvView(_CarrierView):
    """The codes that nobody knows, as a file."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="unknown-codes.csv"'
        answer.write("\ufeff")
        writer = csv.writer(answer)
        writer.writerow([_("Carrier"), _("Code"), _("Text"), _("How often"), _("First seen"), _("Last seen")])
        for row in selectors.unknown_codes(limit=None):
            seen = [f"{at:%Y-%m-%d %H:%M}" for at in (row.first_seen_at, row.last_seen_at)]
            writer.writerow([safe_cell(row.carrier), safe_cell(row.code), safe_cell(row.text), row.count, *seen])
        return answer
