"""What the pages of bank statements and payouts share: who may open them, ways back, tabs, files with a layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import ImportDraft, OrderFulfillment
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.search import Hits, search
from oscar_fulfillment.services import bank
from oscar_fulfillment.services.import_drafts import drop_draft
from oscar_fulfillment.statements.layout import Layout, samples
from oscar_fulfillment.statements.table import Table

ROWS = 50
PREVIEW = 8

ORDERS: dict[str, Any] = {
    "dmy": gettext_lazy("day, month, year (31.12.2026)"),
    "ymd": gettext_lazy("year, month, day (2026-12-31)"),
    "mdy": gettext_lazy("month, day, year (12/31/2026)"),
}
MARKS: dict[str, Any] = {",": gettext_lazy("comma (1.234,50)"), ".": gettext_lazy("point (1,234.50)")}


class MoneyView(View):
    """A page for staff who may import statements (or do another ``action``); others get 403, whatever the URL's own
    rule says."""

    action = "import_statements"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.demand(request)
        return super().dispatch(request, *args, **kwargs)

    def demand(self, request: HttpRequest) -> None:
        """403 for whoever may not."""
        user: Any = request.user
        if not (user.is_staff and user_may(user, self.action)):
            raise PermissionDenied

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def back(self, fallback: str) -> HttpResponse:
        """To the page that the form names, if it is one of ours."""
        target = self.request.POST.get("next", "")
        if url_has_allowed_host_and_scheme(target, {self.request.get_host()}, require_https=self.request.is_secure()):
            return HttpResponseRedirect(target)
        return HttpResponseRedirect(fallback)


def flat(error: InvalidInput) -> list[str]:
    """The messages of an error, without their fields."""
    return [str(message) for found in error.errors.values() for message in found]


def find_orders(typed: str) -> list[OrderFulfillment]:
    """The newest orders that a person has looked up by number, customer or mail."""
    found = search(typed, Hits())
    rows = OrderFulfillment._default_manager.select_related("order")
    return list(rows.filter(reduce(or_, found)).order_by("-placed_at")[:20]) if found else []


def page_of(request: HttpRequest, rows: Any, size: int = ROWS) -> Any:
    return Paginator(rows, size).get_page(request.GET.get("page"))


def chosen(request: HttpRequest, options: Mapping[str, Any], default: str) -> str:
    """The tab that the address names."""
    name = request.GET.get("state", default)
    return name if name in options else default


class LayoutView(MoneyView):
    """A CSV file with its columns: what is in which, a look at the outcome, then the import."""

    template_name = "oscar_fulfillment/money/layout.html"
    kind = ""
    model: Any = None
    roles: Mapping[str, Any] = {}
    upload_url = ""

    def guess(self, table: Table) -> Layout:
        raise NotImplementedError

    def preview(self, table: Table, layout: Layout, draft: ImportDraft) -> dict[str, Any]:
        """What would be read. :class:`~oscar_fulfillment.statements.base.StatementError` says why it cannot be."""
        raise NotImplementedError

    def take_in(self, draft: ImportDraft, layout: Layout) -> HttpResponse:
        raise NotImplementedError

    def draft_or_404(self, pk: int) -> ImportDraft:
        draft = ImportDraft._default_manager.filter(pk=pk, kind=self.kind, owner=self.request.user).first()
        if draft is None:
            raise Http404
        return draft

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        draft = self.draft_or_404(pk)
        table = bank.open_table(bytes(draft.content))
        kept = bank.last_layout(self.model, table.signature)
        return self.show(draft, table, Layout.from_json(kept) if kept else self.guess(table), is_kept=bool(kept))

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        draft = self.draft_or_404(pk)
        if "cancel" in request.POST:
            drop_draft(draft)
            messages.info(request, _("The file was not imported."))
            return redirect(self.upload_url)
        table = bank.open_table(bytes(draft.content))
        layout = Layout(
            tuple(request.POST.get(f"role-{index}", "")[:32] for index in range(len(table.headings))),
            request.POST.get("order", "")[:3],
            request.POST.get("mark", "")[:1] or ".",
        )
        if "import" not in request.POST:
            return self.show(draft, table, layout)
        try:
            answer = self.take_in(draft, layout)
        except InvalidInput as error:
            return self.show(draft, table, layout, status=400, errors=flat(error))
        drop_draft(draft)
        return answer

    def show(
        self, draft: ImportDraft, table: Table, layout: Layout, *, status: int = 200, errors: Sequence[str] = (),
        is_kept: bool = False,
    ) -> HttpResponse:  # fmt: skip
        from oscar_fulfillment.statements.base import StatementError

        context: dict[str, Any] = {"found": None}
        problems = list(errors)
        try:
            context["found"] = self.preview(table, layout, draft)
        except StatementError as error:
            problems = problems or [str(error)]
        context |= {
            "draft": draft,
            "table": table,
            "columns": [
                {"index": index, "heading": heading, "samples": found, "role": layout.roles[index]}
                for index, heading, found in samples(table)
            ],
            "roles": self.roles,
            "orders": ORDERS,
            "marks": MARKS,
            "layout": layout,
            "errors": problems,
            "is_kept": is_kept,
            "kind": self.kind,
            "tab": "bank" if self.kind == ImportDraft.BANK else "payouts",
        }
        return TemplateResponse(self.request, self.template_name, context, status=status)
