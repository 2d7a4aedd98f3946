"""Files that tell of parcels: chosen, their columns confirmed, looked at row by row, applied, the failed retried."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import View

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.imports import tracking_csv
from oscar_fulfillment.models import ImportDraft, TrackingImport, TrackingImportRow
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.import_words import APPLICABLE, LABELS, REFUSED, TONES
from oscar_fulfillment.services import tracking_imports
from oscar_fulfillment.services.export import LineWriter, safe_cell
from oscar_fulfillment.services.import_drafts import drop_draft, keep_draft
from oscar_fulfillment.statements.base import StatementError
from oscar_fulfillment.statements.layout import Layout, samples

from .bulk_views import CountedRows, progress_text, result_text
from .import_forms import UploadForm
from .list_rows import count_text
from .money_pages import ORDERS, PREVIEW, chosen, flat, page_of

ROWS = 100
_ALL, _REFUSED, _DONE, _FAILED = "all", "refused", "done", "failed"


@method_decorator(never_cache, name="dispatch")
class ImportPage(View):
    """A page for staff who may dispatch; others get 403, whatever the URL's own rule says."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        user: Any = request.user
        if not (user.is_staff and user_may(user, "dispatch")):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def show(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        return TemplateResponse(self.request, f"oscar_fulfillment/imports/{template}.html", context, status=status)

    def import_or_404(self, pk: int) -> TrackingImport:
        rows = TrackingImport._default_manager.defer("content").select_related("job")
        return get_object_or_404(rows, pk=min(pk, 2**63 - 1))


class ImportsView(ImportPage):
    """What was taken in."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = page_of(request, TrackingImport._default_manager.defer("content").select_related("job"))
        rows = [{"source": source, "refused": sum(source.counts.get(code, 0) for code in REFUSED)} for source in page]
        return self.show("list", page_obj=page, rows=rows)


class UploadView(ImportPage):
    """Choose a file. OCOREN files are read at once; of a CSV file the columns are asked first."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show("upload", form=UploadForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.show("upload", form=form, status=400)
        file = form.cleaned_data["file"]
        content = file.read()
        try:
            if tracking_imports.look_at(content) == TrackingImport.CODES:
                draft = keep_draft(
                    kind=ImportDraft.TRACKING, content=content, file_name=file.name, owner=request.user,
                    answers=form.answers,
                )  # fmt: skip
                return redirect("dashboard:order-import-layout", pk=draft.pk)
            source = tracking_imports.start_import(
                content=content, file_name=file.name, actor=self.actor, **form.answers
            )
        except InvalidInput as error:
            for field, told in error.errors.items():
                for message in told:
                    form.add_error(field if field in form.fields else None, str(message))
            return self.show("upload", form=form, status=400)
        return redirect("dashboard:order-import", pk=source.pk)


class ColumnsView(ImportPage):
    """What is in which column of a CSV file."""

    def draft_or_404(self, pk: int) -> ImportDraft:
        rows = ImportDraft._default_manager.filter(kind=ImportDraft.TRACKING, owner=self.request.user)
        return get_object_or_404(rows, pk=min(pk, 2**63 - 1))

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        draft = self.draft_or_404(pk)
        file = tracking_csv.open_file(bytes(draft.content))
        kept = tracking_imports.last_layout(file.table.signature)
        return self.render(draft, file, kept or tracking_csv.guess_layout(file.table), is_kept=kept is not None)

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        draft = self.draft_or_404(pk)
        if "cancel" in request.POST:
            drop_draft(draft)
            messages.info(request, _("The file was not imported."))
            return redirect("dashboard:order-import-upload")
        content = bytes(draft.content)
        file = tracking_csv.open_file(content)
        roles = tuple(request.POST.get(f"role-{index}", "")[:32] for index in range(len(file.table.headings)))
        layout = Layout(roles, request.POST.get("order", "")[:3])
        if "import" not in request.POST:
            return self.render(draft, file, layout)
        try:
            source = tracking_imports.start_import(
                content=content, file_name=draft.file_name, actor=self.actor, layout=layout, **draft.answers
            )
        except InvalidInput as error:
            return self.render(draft, file, layout, status=400, errors=flat(error))
        drop_draft(draft)
        return redirect("dashboard:order-import", pk=source.pk)

    def render(
        self, draft: ImportDraft, file: tracking_csv.CodeFile, layout: Layout, *, is_kept: bool = False,
        errors: Sequence[str] = (), status: int = 200,
    ) -> HttpResponse:  # fmt: skip
        problems = tracking_csv.problems(layout)
        found: list[tracking_csv.CodeRow] = []
        if not problems:
            try:
                found = list(islice(tracking_csv.read_codes(file, layout), PREVIEW))
            except StatementError as error:
                problems = [str(error)]
        columns = [
            {"index": index, "heading": heading, "samples": shown, "role": layout.roles[index]}
            for index, heading, shown in samples(file.table)
        ]
        return self.show(
            "columns", draft=draft, table=file.table, columns=columns, roles=tracking_csv.ROLES, orders=ORDERS,
            layout=layout, is_kept=is_kept, errors=errors or problems, found=found, may_import=not problems,
            status=status,
        )  # fmt: skip


class ImportView(ImportPage):
    """The rows of a file with their verdicts, and what became of them."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render(self.import_or_404(pk))

    def render(self, source: TrackingImport, *, errors: Any = (), status: int = 200) -> HttpResponse:
        tabs = _tabs(source)
        state = chosen(self.request, {tab["name"]: tab for tab in tabs}, _ALL)
        counted = next(tab["count"] for tab in tabs if tab["name"] == state)
        listed = CountedRows(_rows(source, state).select_related("fulfillment"), counted)
        page: Any = Paginator(cast(Any, listed), ROWS).get_page(self.request.GET.get("page"))
        job = source.job
        return self.show(
            "import",
            source=source,
            carrier=carriers.get(source.carrier).name if source.carrier in carriers else source.carrier,
            page_obj=page,
            rows=[_present(row) for row in page],
            state=state,
            tabs=tabs,
            open_count=tracking_imports.open_count(source) if source.is_ready else 0,
            refused_count=sum(source.counts.get(code, 0) for code in REFUSED),
            job=job,
            is_working=job is not None and not job.is_done,
            progress=progress_text(job) if job is not None else "",
            results=result_text(job) if job is not None and job.is_done else [],
            read_text=_read_text(source),
            key=new_key(),
            errors=list(errors),
            status=status,
        )


def _read_text(source: TrackingImport) -> str:
    text = ngettext("%(count)s row read", "%(count)s rows read", source.read_count)
    return text % {"count": count_text(source.read_count, cap=None)}


def _rows(source: TrackingImport, state: str) -> Any:
    rows = source.rows.all()
    if state == _REFUSED:
        return rows.filter(verdict__in=REFUSED)
    if state in (_DONE, _FAILED):
        return rows.filter(outcome=state)
    return rows if state == _ALL else rows.filter(verdict=state)


def _tabs(source: TrackingImport) -> list[dict[str, Any]]:
    """All, each verdict that occurs, and what became of the rows once something did."""
    found = [(_ALL, _("All"), source.read_count)]
    found += [(code, LABELS[code], count) for code in LABELS if (count := source.counts.get(code, 0))]
    if source.job_id:
        rows = TrackingImportRow._default_manager.filter(source=source)
        words = ((_DONE, gettext_lazy("Done")), (_FAILED, gettext_lazy("Failed")))
        found += [(name, label, rows.filter(outcome=name).count()) for name, label in words]
    return [
        {"name": name, "label": label, "count": count, "text": count_text(count, cap=None)}
        for name, label, count in found
    ]


def _present(row: TrackingImportRow) -> dict[str, Any]:
    outcomes = {
        TrackingImportRow.DONE: (_("Done"), "success"),
        TrackingImportRow.FAILED: (_("Failed"), "danger"),
    }
    outcome, outcome_tone = outcomes.get(row.outcome, ("", ""))
    name = row.data.get("carrier") or row.carrier
    return {
        "row": row,
        "label": LABELS.get(row.verdict, row.verdict),
        "tone": TONES.get(row.verdict, "danger"),
        "carrier": carriers.get(name).name if name in carriers else name,
        "number": row.fulfillment.number if row.fulfillment else "",
        "why": row.problem or row.message,
        "moment": parse_datetime(str(row.data.get("event", {}).get("occurred_at", ""))),
        "outcome": outcome,
        "outcome_tone": outcome_tone,
    }


class ApplyView(ImportView):
    """Do what the rows say; once more: only what failed or was not done."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        source = self.import_or_404(pk)
        try:
            tracking_imports.apply_import(source=source, user=request.user, key=request.POST.get("key", ""))
        except InvalidInput as error:
            return self.render(source, errors=flat(error), status=400)
        return redirect("dashboard:order-import", pk=source.pk)


class RefusedView(ImportPage):
    """The rows that did nothing and should have, as CSV: to be mended and imported again."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponseBase:
        source = self.import_or_404(pk)
        if not source.is_ready:
            raise Http404
        headers = {"Content-Disposition": f'attachment; filename="refused-{source.pk}.csv"'}
        return StreamingHttpResponse(_refused(source), content_type="text/csv; charset=utf-8", headers=headers)


def _refused(source: TrackingImport) -> Iterator[str]:
    writer = csv.writer(LineWriter())
    if source.kind == TrackingImport.OCOREN:
        names = [_("Invoice"), _("Occurrence"), _("Carrier")]
    else:
        # Headings that the import knows, so that the mended file can be imported as it is.
        names = [_("Order number"), _("Tracking code"), _("Carrier")]
    yield "\ufeff" + writer.writerow([*names, _("Line"), _("Verdict"), _("Why")])
    rows = source.rows.filter(verdict__in=REFUSED) | source.rows.filter(
        verdict__in=APPLICABLE, outcome=TrackingImportRow.FAILED
    )
    for row in rows.order_by("pk").iterator(2000):
        label = LABELS.get(row.verdict, row.verdict) if not row.problem else _("Failed")
        cells = [row.number, row.code, row.carrier, row.line, label, row.problem or row.message]
        yield writer.writerow([safe_cell(cell) for cell in cells])


class ProgressView(ImportPage):
    """How far the file is read, for the script of the page."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> JsonResponse:
        source = self.import_or_404(pk)
        answer = {"percent": source.percent, "text": _read_text(source), "finished": not source.is_reading}
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})
