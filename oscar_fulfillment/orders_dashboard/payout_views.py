"""Payouts of providers: what was paid out, which orders it completes, and which still wait."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import ImportDraft, Payout, PayoutLine
from oscar_fulfillment.selectors import payouts
from oscar_fulfillment.services import bank, payout_imports
from oscar_fulfillment.services.import_drafts import keep_draft
from oscar_fulfillment.statements import payout_file
from oscar_fulfillment.statements.encoding import CSV
from oscar_fulfillment.statements.layout import Layout
from oscar_fulfillment.statements.payout_file import PAYMENT
from oscar_fulfillment.statements.table import Table

from .money_forms import PayoutForm
from .money_pages import PREVIEW, LayoutView, MoneyView, chosen, page_of

_WAITS = Q(kind=PAYMENT, settled_at=None, payment__fulfillment__awaits_payout=True)
TABS: dict[str, tuple[Any, Q]] = {
    "open": (gettext_lazy("To confirm"), _WAITS),
    "unknown": (gettext_lazy("Unknown"), Q(payment=None)),
    "back": (gettext_lazy("Taken back"), ~Q(kind=PAYMENT) & Q(payment__isnull=False)),
    "done": (
        gettext_lazy("Done"),
        Q(kind=PAYMENT, payment__isnull=False)
        & (Q(settled_at__isnull=False) | Q(payment__fulfillment__awaits_payout=False)),
    ),
}
_TONES = {
    payouts.READY: "success", payouts.SETTLED: "secondary", payouts.IN_ALREADY: "secondary",
    payouts.DIFFERS: "danger", payouts.PART: "warning", payouts.UNKNOWN: "danger", payouts.TAKEN_BACK: "warning",
}  # fmt: skip
_NAMES: dict[str, Any] = {
    payouts.READY: gettext_lazy("Complete"),
    payouts.SETTLED: gettext_lazy("Confirmed"),
    payouts.IN_ALREADY: gettext_lazy("Nothing to do"),
    payouts.DIFFERS: gettext_lazy("Differs"),
    payouts.PART: gettext_lazy("In part"),
    payouts.UNKNOWN: gettext_lazy("Unknown"),
    payouts.TAKEN_BACK: gettext_lazy("Taken back"),
}


class PayoutsView(MoneyView):
    """Files that came in, and the orders that still wait for their money."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = page_of(request, payouts.awaiting_payout())
        now = timezone.now()
        waiting = [{"found": found, "days": (now - found.since).days} for found in payouts.with_since(list(page))]
        context = {
            "page_obj": page,
            "waiting": waiting,
            "payouts": Payout._default_manager.all()[:200],
            "tab": "payouts",
        }
        return TemplateResponse(request, "oscar_fulfillment/money/payouts.html", context)


class PayoutUploadView(MoneyView):
    """Choose a provider's file; its columns are asked next."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(PayoutForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = PayoutForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.show(form, status=400)
        answers = dict(form.cleaned_data)
        file = answers.pop("file")
        content = file.read()
        try:
            if bank.look_at(content) != CSV:
                raise InvalidInput({"file": [_("A payout file is a CSV file.")]})
            bank.open_table(content)
        except InvalidInput as error:
            for told in error.errors.values():
                for message in told:
                    form.add_error("file", str(message))
            return self.show(form, status=400)
        draft = keep_draft(
            kind=ImportDraft.PAYOUT, content=content, file_name=file.name, owner=request.user, answers=answers
        )
        return redirect("dashboard:order-payout-layout", pk=draft.pk)

    def show(self, form: PayoutForm, *, status: int = 200) -> HttpResponse:
        context = {"form": form, "tab": "payouts"}
        return TemplateResponse(self.request, "oscar_fulfillment/money/payout_upload.html", context, status=status)


class PayoutLayoutView(LayoutView):
    """What is in which column of a provider's file."""

    kind = ImportDraft.PAYOUT
    model = Payout
    roles = payout_file.ROLES
    upload_url = "dashboard:order-payout-upload"

    def guess(self, table: Table) -> Layout:
        return payout_file.guess_layout(table)

    def preview(self, table: Table, layout: Layout, draft: ImportDraft) -> dict[str, Any]:
        lines, left_out = payout_file.read_payout(table, layout, currency=draft.answers["currency"])
        return {
            "lines": lines[:PREVIEW],
            "count": len(lines),
            "kinds": left_out.most_common(8),
            "net": sum(line.net for line in lines),
            "currency": lines[0].currency,
        }

    def take_in(self, draft: ImportDraft, layout: Layout) -> HttpResponse:
        payout = payout_imports.import_payout(
            content=bytes(draft.content), file_name=draft.file_name, actor=self.actor, layout=layout, **draft.answers
        )
        words = ngettext("%(count)d line imported.", "%(count)d lines imported.", payout.line_count)
        messages.success(self.request, words % {"count": payout.line_count})
        return redirect("dashboard:order-payout", pk=payout.pk)


class PayoutView(MoneyView):
    """One payout, line by line: complete, differing, unknown, taken back."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        payout = get_object_or_404(Payout, pk=pk)
        state = chosen(request, TABS, "open")
        page = page_of(request, payouts.lines_of(payout).filter(TABS[state][1]))
        rows = [
            {
                "line": verdict.line,
                "order": verdict.order,
                "words": verdict.words,
                "name": _NAMES[verdict.code],
                "tone": _TONES[verdict.code],
                "may_confirm": verdict.code in payouts.CONFIRMABLE,
                "is_ready": verdict.code == payouts.READY,
            }
            for verdict in payouts.judge(page)
        ]
        context = {
            "payout": payout,
            "page_obj": page,
            "rows": rows,
            "state": state,
            "tabs": [
                {
                    "name": name,
                    "label": label,
                    "count": PayoutLine._default_manager.filter(where, payout=payout).count(),
                }
                for name, (label, where) in TABS.items()
            ],
            "here": request.get_full_path(),
            "tab": "payouts",
        }
        return TemplateResponse(request, "oscar_fulfillment/money/payout.html", context)

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        payout = get_object_or_404(Payout, pk=pk)
        here = redirect("dashboard:order-payout", pk=pk)
        if "find" in request.POST:
            found = payout_imports.find_again(payout=payout)
            words = ngettext("%(count)d line found its payment.", "%(count)d lines found their payments.", found)
            messages.info(request, words % {"count": found})
            return here
        lines = None
        if "all" not in request.POST:
            texts = request.POST.getlist("line")
            lines = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19]
            if not lines:
                messages.error(request, _("Choose at least one line."))
                return here
        outcomes = payout_imports.confirm_lines(payout=payout, actor=self.actor, lines=lines)
        failed = [outcome for outcome in outcomes if outcome.error]
        done = len(outcomes) - len(failed)
        words = ngettext("%(count)d payment confirmed.", "%(count)d payments confirmed.", done)
        messages.success(request, words % {"count": done})
        for outcome in failed[:10]:
            told = {"number": outcome.number, "error": outcome.error}
            messages.error(request, _("Order %(number)s: not confirmed. %(error)s") % told)
        return here
