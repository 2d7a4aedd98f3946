"""NF-e of our own: the queue by state, and one note with everything that can be had of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache

from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.documents.danfe import EXTRA, danfe_labels_pdf, danfe_pdf, has_danfe
from oscar_fulfillment.models import NfeEmission, NfeEvent, NfeVoiding
from oscar_fulfillment.selectors import emissions as selectors

from . import emission_words as words
from .document_views import pdf_response
from .emission_forms import NumberForm, TextForm, VoidForm
from .list_rows import count_text
from .money_pages import MoneyView, chosen, page_of


class EmissionPage(MoneyView):
    """For staff who may issue notes."""

    action = "issue_nfe"

    def note_or_404(self, pk: int) -> NfeEmission:
        rows = NfeEmission._default_manager.select_related("fulfillment__order", "invoice")
        return get_object_or_404(rows, pk=pk)


@method_decorator(never_cache, name="dispatch")
class EmissionsView(EmissionPage):
    """The queue, the issuers with their certificates, gaps in the numbers."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return show_emissions(request)


def show_emissions(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    tab = chosen(request, selectors.TABS, "attention")
    typed = request.GET.get("q", "").strip()[:128]
    rows = selectors.search(typed) if typed else selectors.in_tab(tab)
    page = page_of(request, rows.order_by("-pk"))
    counts = selectors.counts()
    context = {
        "tabs": [
            {"name": name, "label": label, "count": count_text(counts[name], cap=None)}
            for name, label in words.TABS.items()
        ],
        "state": tab,
        "typed": typed,
        "page_obj": page,
        "rows": [words.tell(emission) for emission in page],
        "issuers": selectors.issuers(),
        "voidings": NfeVoiding._default_manager.select_related("series").defer("xml", "proc_xml")[:10],
        "void_form": VoidForm(auto_id="id_void_%s"),
        "number_form": NumberForm(auto_id="id_number_%s"),
        "needs_danfe": not has_danfe(),
        "danfe_extra": EXTRA,
        **context,
    }
    return TemplateResponse(request, "oscar_fulfillment/fiscal/emissions.html", context, status=status)


@method_decorator(never_cache, name="dispatch")
class EmissionView(EmissionPage):
    """One note."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return show_emission(request, self.note_or_404(pk))


def show_emission(
    request: HttpRequest, emission: NfeEmission, *, status: int = 200, forms: dict[str, TextForm] | None = None
) -> HttpResponse:
    actions = words.actions_of(emission, request.user)
    given = forms or {}
    context = {
        "note": emission,
        "told": words.tell(emission),
        "actions": actions,
        "order": emission.fulfillment,
        "buyer": emission.content.get("buyer", {}),
        "lines": emission.content.get("lines", ()),
        "events": list(emission.events.defer("xml")),
        "cancel_form": given.get("cancel") or TextForm(action="cancel"),
        "correct_form": given.get("correct") or TextForm(action="correct"),
        "give_up_form": given.get("give_up") or TextForm(action="give_up"),
        "needs_danfe": not has_danfe(),
        "danfe_extra": EXTRA,
    }
    return TemplateResponse(request, "oscar_fulfillment/fiscal/emission.html", context, status=status)


def xml_response(content: bytes, filename: str) -> HttpResponse:
    """Untouched bytes, to be saved under this name."""
    disposition = content_disposition_header(True, filename) or "attachment"
    return HttpResponse(content, content_type="application/xml", headers={"Content-Disposition": disposition})


class XmlView(EmissionPage):
    """The authorised note as it is kept; before that, as it was signed."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        emission = self.note_or_404(pk)
        content = bytes(emission.proc_xml) or bytes(emission.xml)
        if not content:
            raise Http404
        return xml_response(content, f"{emission.access_key}-nfe.xml")


class EventXmlView(EmissionPage):
    """A registered event with its answer."""

    def get(self, request: HttpRequest, pk: int, event: int, *args: Any, **kwargs: Any) -> HttpResponse:
        found = get_object_or_404(NfeEvent._default_manager.select_related("emission"), pk=event, emission=pk)
        if not found.proc_xml:
            raise Http404
        name = f"{found.emission.access_key}-{found.kind}-{found.sequence}.xml"
        return xml_response(bytes(found.proc_xml), name)


class DanfeView(EmissionPage):
    """The printed form, or its label for the parcel."""

    is_label = False

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        emission = self.note_or_404(pk)
        if not has_danfe() or not emission.proc_xml:
            raise Http404
        is_cancelled = emission.status == NfeEmission.CANCELLED
        draw, name = (danfe_labels_pdf, "label") if self.is_label else (danfe_pdf, "danfe")
        try:
            content = draw([(bytes(emission.proc_xml), is_cancelled)])
        except DocumentError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(words.tell(emission).url)
        return pdf_response(content, f"{name}-{emission.number}.pdf")
