"""One file of the tax office: what it says, which order it is for, applying it, its untouched bytes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from oscar.templatetags.currency_filters import currency as in_currency

from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.fiscal.nfe_checks import shown_tax_id
from oscar_fulfillment.fiscal.nfe_order_checks import APPLICABLE, DIFFERS
from oscar_fulfillment.fiscal.nfe_xml import missing_packages
from oscar_fulfillment.models import NfeFile, OrderFulfillment
from oscar_fulfillment.selectors.nfe_matching import Candidate
from oscar_fulfillment.services import nfe_applying, nfe_imports, nfe_work
from oscar_fulfillment.services.nfe_judging import Judged, judge_files

from . import nfe_words
from .money_pages import MoneyView, find_orders, flat


def file_or_404(pk: int) -> NfeFile:
    return get_object_or_404(NfeFile._default_manager.select_related("fulfillment", "invoice"), pk=pk)


class NoteView(MoneyView):
    """Everything about one file. What it comes to is judged anew: the page says what would happen now."""

    action = "invoice"

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return show_note(request, file_or_404(pk), self.actor)


def show_note(
    request: HttpRequest, file: NfeFile, actor: Any, *, status: int = 200, errors: Any = (), reason: str = ""
) -> HttpResponse:
    is_open = file.status == NfeFile.CHECKED
    can_read = bool(file.content) and not missing_packages()
    judged = judge_files([file], actor)[0] if can_read and is_open else Judged(file)
    if is_open and can_read:
        nfe_imports.set_verdict(judged)
    typed = request.GET.get("q", "").strip()[:200]
    found = judged.match.candidates if judged.match else []
    number = nfe_words.key_of(file)
    context = {
        "row": nfe_words.present(file),
        "file": file,
        "key": number.grouped if number else "",
        "issuer": shown_tax_id(str(file.facts.get("issuer") or "")),
        "shipments": _covered(judged),
        "candidates": [_candidate(one) for one in found if one.order.pk != file.fulfillment_id],
        "results": [_order(row) for row in find_orders(typed)] if typed and is_open else [],
        "typed": typed,
        "is_open": is_open,
        "is_note": file.kind == NfeFile.NOTE,
        "may_apply": is_open and file.verdict in APPLICABLE,
        "needs_reason": file.verdict == DIFFERS,
        "reason": reason,
        "errors": list(errors),
        "has_content": bool(file.content),
        "here": request.get_full_path(),
    }
    return TemplateResponse(request, "oscar_fulfillment/fiscal/note.html", context, status=status)


def _covered(judged: Judged) -> list[dict[str, Any]]:
    """The shipments that applying the note would cover, with the units in words."""
    if judged.order is None or judged.cover is None or judged.invoice is not None:
        return []
    lines, chosen = judged.order.owed.lines, set(judged.cover.shipments)
    found = []
    for shipment in judged.order.owed.shipments:
        if shipment.pk in chosen:
            units = shipment.units if judged.cover.units is None else judged.cover.units
            texts = [f"{units[pk]} × {lines[pk].title}" for pk in shipment.units if units.get(pk)]
            if texts:
                found.append({"number": shipment.number, "units": texts, "in_part": judged.cover.units is not None})
    return found


def _order(row: OrderFulfillment) -> dict[str, Any]:
    return {"order": row, "total": in_currency(row.order.total_incl_tax, row.currency), "why": ""}


def _candidate(one: Candidate) -> dict[str, Any]:
    return _order(one.order) | {
        "why": nfe_words.WHY[one.why], "buyer_fits": one.buyer_fits, "sum_fits": one.sum_fits, "is_judged": True,
    }  # fmt: skip


class _Act(MoneyView):
    """A form that changes a file."""

    action = "invoice"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        file = file_or_404(pk)
        try:
            return self.act(file)
        except InvalidInput as error:
            messages.error(request, " ".join(flat(error)))
        except FulfillmentError as error:
            messages.error(request, str(error))
        return redirect("dashboard:order-note-file", pk=pk)

    def act(self, file: NfeFile) -> HttpResponse:
        raise NotImplementedError


class NoteOrderView(_Act):
    """Say which order it is for, or (no order) have it looked for again."""

    def act(self, file: NfeFile) -> HttpResponse:
        text = self.request.POST.get("order", "")
        row = None
        if text:
            rows = OrderFulfillment._default_manager.all()
            is_number = text.isascii() and text.isdecimal() and len(text) < 19
            row = rows.filter(pk=int(text)).first() if is_number else None
            if row is None:
                raise Http404
        nfe_imports.choose_order(file=file, fulfillment=row)
        nfe_work.begin(file.batch)
        return redirect("dashboard:order-note-file", pk=file.pk)


class NoteApplyView(_Act):
    """Apply it; where it differs from its order, with a written reason."""

    def act(self, file: NfeFile) -> HttpResponse:
        reason = self.request.POST.get("reason", "").strip()
        if file.verdict == DIFFERS and not reason:
            told = [_("Say why the note is right though it differs.")]
            return show_note(self.request, file, self.actor, status=400, errors=told)
        try:
            batch = nfe_applying.apply_files(
                files=NfeFile._default_manager.filter(pk=file.pk), actor=self.actor, reason=reason
            )
        except InvalidInput as error:
            return show_note(self.request, file, self.actor, status=400, errors=flat(error), reason=reason)
        if not batch:
            raise InvalidInput({"file": [_("This file cannot be applied as it is.")]})
        nfe_work.begin(batch)
        file.refresh_from_db()
        if file.problem:
            messages.error(self.request, file.problem)
        elif file.is_kept and file.fulfillment is not None:
            filed = {"title": nfe_words.title(file), "number": file.fulfillment.number}
            messages.success(self.request, _("%(title)s is filed with order %(number)s.") % filed)
        return redirect("dashboard:order-note-file", pk=file.pk)


class NoteDiscardView(_Act):
    """Throw it away."""

    def act(self, file: NfeFile) -> HttpResponse:
        nfe_imports.discard_file(file=file)
        messages.success(self.request, _("The file was thrown away."))
        return self.back(reverse("dashboard:order-notes"))


class NoteDownloadView(MoneyView):
    """The bytes as they were handed in."""

    action = "invoice"

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        file = file_or_404(pk)
        content = bytes(file.content)
        if not content:
            raise Http404
        response = HttpResponse(content, content_type="application/octet-stream")
        if file.access_key:
            # Only then it was read as what it says it is.
            response["Content-Type"] = "application/xml"
        response["Content-Disposition"] = f'attachment; filename="{_file_name(file)}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


def _file_name(file: NfeFile) -> str:
    """A name of our own: theirs may hold anything."""
    kinds = {NfeFile.NOTE: "procNFe", NfeFile.CANCELLATION: "procEventoNFe-110111", NfeFile.CORRECTION: "procEventoNFe"}
    key = nfe_words.key_of(file)
    return f"{key}-{kinds.get(file.kind, 'xml')}.xml" if key else f"file-{file.pk}.bin"
