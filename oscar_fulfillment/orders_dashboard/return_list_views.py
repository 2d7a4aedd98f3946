"""The list of returns: what is to approve, awaited, to settle; found by number, tracking code, or a scanned slip."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from oscar_fulfillment.conf import settings
from oscar_fulfillment.selectors import returns as reads
from oscar_fulfillment.selectors.scans import Cursor

from .followup_views import read_cursor
from .list_rows import count_text
from .page_words import RETURN_TONES
from .return_views import ReturnsOnly

TABS: dict[str, tuple[Any, Any]] = {
    reads.TO_APPROVE: (
        pgettext_lazy("returns", "To approve"),
        gettext_lazy("Nobody asks to send something back. What customers ask for appears here."),
    ),
    reads.AWAITED: (pgettext_lazy("returns", "Awaited"), gettext_lazy("No goods are on their way back.")),
    reads.TO_SETTLE: (
        pgettext_lazy("returns", "To settle"),
        gettext_lazy("Nothing to decide. Returns whose goods were received wait here for their refund or exchange."),
    ),
    reads.ALL: (pgettext_lazy("returns", "All"), gettext_lazy("Nothing has come back yet.")),
}


class ReturnFilter(forms.Form):
    """What the list's address may say; anything else is an error, not another list."""

    tab = forms.ChoiceField(required=False, choices=[(name, label) for name, (label, _empty) in TABS.items()])
    q = forms.CharField(required=False, max_length=reads.MAX_QUERY)
    after = forms.CharField(required=False, max_length=64)
    before = forms.CharField(required=False, max_length=64)

    def clean_tab(self) -> str:
        # Who looks something up looks for it everywhere.
        return self.cleaned_data["tab"] or (reads.ALL if self.data.get("q", "").strip() else "")

    def clean_after(self) -> Cursor | None:
        return read_cursor(self.cleaned_data["after"])

    def clean_before(self) -> Cursor | None:
        return read_cursor(self.cleaned_data["before"])

    def query(self, **place: Any) -> str:
        """The query string of this list, with another place in it."""
        kept = {name: self.cleaned_data.get(name) for name in ("tab", "q")}
        return urlencode({name: str(value) for name, value in {**kept, **place}.items() if value})


class ReturnsView(ReturnsOnly):
    """The list: tabs, a search by number, tracking code or the code of a slip, pages."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        form, url = ReturnFilter(request.GET), reverse("dashboard:order-returns")
        is_valid = form.is_valid()
        counts = reads.count_tabs(request.user, settings.CAPPED_COUNT)
        # Where there is something to do.
        first = next((name for name in TABS if counts[name] and name != reads.ALL), reads.TO_APPROVE)
        tab = (form.cleaned_data["tab"] if is_valid else "") or first
        context: dict[str, Any] = {
            "url": url,
            "tab": tab,
            "label": TABS[tab][0],
            "empty": TABS[tab][1],
            "tabs": [
                {"name": name, "label": label, "count": count_text(counts[name]),
                 "is_current": is_valid and name == tab, "url": f"{url}?tab={name}"}
                for name, (label, _empty) in TABS.items()
            ],
            "q": request.GET.get("q", "")[: reads.MAX_QUERY],
            "errors": [str(error) for found in form.errors.values() for error in found],
        }  # fmt: skip
        if not is_valid:
            return self.show(context, status=400)
        given = form.cleaned_data
        rows = reads.search(reads.of_tab(reads.returns_for_user(request.user), tab), given["q"])
        page = reads.read_returns(rows, oldest_first=tab != reads.ALL, after=given["after"], before=given["before"])
        count = counts[tab]
        context |= {
            "rows": [{"ret": ret, "tone": RETURN_TONES[ret.status]} for ret in page.rows],
            "is_narrowed": bool(given["q"]),
            "count_phrase": ngettext("%(count)s return", "%(count)s returns", count) % {"count": count_text(count)},
            "several_pages": page.has_previous or page.has_next,
            "first_url": f"?{form.query(tab=tab)}" if page.has_previous else "",
            "previous_url": f"?{form.query(tab=tab, before=page.cursor(0))}" if page.has_previous and page.rows else "",
            "next_url": f"?{form.query(tab=tab, after=page.cursor(-1))}" if page.has_next and page.rows else "",
        }
        return self.show(context)

    def show(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        return TemplateResponse(self.request, "oscar_fulfillment/returns/list.html", context, status=status)
