"""Bank statements: the list, the upload, and the columns of a CSV file."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import BankEntry, BankStatement, ImportDraft
from oscar_fulfillment.services import bank
from oscar_fulfillment.services.import_drafts import keep_draft
from oscar_fulfillment.statements import csv_file
from oscar_fulfillment.statements.base import mask_account
from oscar_fulfillment.statements.encoding import CSV
from oscar_fulfillment.statements.layout import Layout
from oscar_fulfillment.statements.table import Table

from .money_forms import StatementForm
from .money_pages import PREVIEW, LayoutView, MoneyView, page_of


class StatementsView(MoneyView):
    """Every import, newest first, with what is left to do."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = page_of(request, BankStatement._default_manager.all())
        states = (
            BankEntry._default_manager.filter(statement__in=[row.pk for row in page])
            .order_by()
            .values_list("statement", "state")
            .annotate(rows=Count("pk"))
        )
        counts: dict[int, dict[str, int]] = {}
        for pk, state, number in states:
            counts.setdefault(pk, {})[state] = number
        rows = [
            {
                "statement": row,
                "account": mask_account(row.account),
                "open": counts.get(row.pk, {}).get(BankEntry.NEW, 0),
                "booked": counts.get(row.pk, {}).get(BankEntry.MATCHED, 0),
            }
            for row in page
        ]
        context = {
            "page_obj": page,
            "rows": rows,
            "any_open": BankEntry._default_manager.filter(state=BankEntry.NEW).exists(),
            "tab": "bank",
        }
        return TemplateResponse(request, "oscar_fulfillment/money/statements.html", context)


class StatementUploadView(MoneyView):
    """Choose a file. CAMT and 1C files are taken in at once; of a CSV file the columns are asked first."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(StatementForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = StatementForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.show(form, status=400)
        given = form.cleaned_data
        content, name = given["file"].read(), given["file"].name
        try:
            if bank.look_at(content) == CSV:
                if not given["account"]:
                    raise InvalidInput({"account": [_("Say which account this CSV file is of.")]})
                answers = {"account": bank.read_account(given["account"]), "currency": given["currency"]}
                bank.open_table(content)
                draft = keep_draft(
                    kind=ImportDraft.BANK, content=content, file_name=name, owner=request.user, answers=answers
                )
                return redirect("dashboard:order-statement-layout", pk=draft.pk)
            found = bank.import_statement(content=content, file_name=name, actor=self.actor)
        except InvalidInput as error:
            for field, told in error.errors.items():
                for message in told:
                    form.add_error(field if field in form.fields else None, str(message))
            return self.show(form, status=400)
        return imported(request, found)

    def show(self, form: StatementForm, *, status: int = 200) -> HttpResponse:
        context = {"form": form, "accounts": bank.known_accounts(), "tab": "bank"}
        return TemplateResponse(self.request, "oscar_fulfillment/money/statement_upload.html", context, status=status)


def imported(request: HttpRequest, found: list[BankStatement]) -> HttpResponse:
    """Say what came in, and go where it is worked on."""
    new, known = (sum(getattr(row, name) for row in found) for name in ("new_count", "known_count"))
    pending = sum(row.pending_count for row in found)
    told = [ngettext("%(count)d movement imported.", "%(count)d movements imported.", new) % {"count": new}]
    if known:
        told.append(ngettext("%(count)d was known already.", "%(count)d were known already.", known) % {"count": known})
    if pending:
        words = ngettext(
            "%(count)d is not booked yet and was left out.", "%(count)d are not booked yet and were left out.", pending
        )
        told.append(words % {"count": pending})
    messages.success(request, " ".join(told))
    if len(found) == 1:
        return redirect("dashboard:order-statement", pk=found[0].pk)
    return redirect("dashboard:order-statements")


class StatementLayoutView(LayoutView):
    """What is in which column of a bank's CSV file."""

    kind = ImportDraft.BANK
    model = BankStatement
    roles = csv_file.ROLES
    upload_url = "dashboard:order-statement-upload"

    def guess(self, table: Table) -> Layout:
        return csv_file.guess_layout(table)

    def preview(self, table: Table, layout: Layout, draft: ImportDraft) -> dict[str, Any]:
        read = csv_file.read_csv(table, layout, **draft.answers)
        incoming = [entry for entry in read.entries if entry.amount > 0]
        return {
            "entries": read.entries[:PREVIEW],
            "count": len(read.entries),
            "incoming": len(incoming),
            "left_out": read.left_out,
            "begins": read.begins,
            "ends": read.ends,
            "account": mask_account(read.account),
        }

    def take_in(self, draft: ImportDraft, layout: Layout) -> HttpResponse:
        found = bank.import_statement(
            content=bytes(draft.content), file_name=draft.file_name, actor=self.actor, layout=layout, **draft.answers
        )
        return imported(self.request, found)
