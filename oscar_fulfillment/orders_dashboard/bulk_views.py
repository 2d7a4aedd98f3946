"""What became of a bulk action: progress, result per order, retry, and the documents to print."""

from __future__ import annotations

import logging
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import ConfigurationError, InvalidInput
from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.models import BulkJob, BulkJobItem
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.orders import fulfillments_for_user
from oscar_fulfillment.services import bulk, printing

from .bulk_papers import document_of, document_parts
from .document_views import pdf_response
from .list_rows import count_text

logger = logging.getLogger("oscar_fulfillment.documents")

ITEMS_PER_PAGE = 200


def job_or_404(request: HttpRequest, pk: int) -> BulkJob:
    """Staff see every job; a partner's people their own only."""
    jobs = BulkJob._default_manager.select_related("actor").filter(pk=pk)
    if not request.user.is_staff:  # type: ignore[union-attr]
        jobs = jobs.filter(actor=request.user)
    job = jobs.first()
    if job is None:
        raise Http404
    return job


def progress_text(job: BulkJob) -> str:
    """``120 of 400 orders``"""
    return ngettext("%(done)s of %(total)s order", "%(done)s of %(total)s orders", job.total) % {
        "done": count_text(job.settled_count, cap=None),
        "total": count_text(job.total, cap=None),
    }


def result_text(job: BulkJob) -> list[str]:
    """How many were done and how many were refused, in words."""
    done = ngettext("%(count)s order done.", "%(count)s orders done.", job.done_count)
    refused = ngettext("%(count)s order refused.", "%(count)s orders refused.", job.refused_count)
    found = [done % {"count": count_text(job.done_count, cap=None)}]
    if job.refused_count:
        found.append(refused % {"count": count_text(job.refused_count, cap=None)})
    return found


class BulkJobsView(View):
    """The last bulk actions."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        jobs = BulkJob._default_manager.select_related("actor")
        if not request.user.is_staff:  # type: ignore[union-attr]
            jobs = jobs.filter(actor=request.user)
        listed = [{"job": job, "label": _label(job), "progress": progress_text(job)} for job in jobs[:50]]
        return TemplateResponse(request, "oscar_fulfillment/orders/bulk_jobs.html", {"jobs": listed})


class BulkJobView(View):
    """Progress while it runs, the result of each order as soon as there is one."""

    template_name = "oscar_fulfillment/orders/bulk_result.html"

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(request, job_or_404(request, pk))

    def show(self, request: HttpRequest, job: BulkJob, *, status: int = 200, errors: Any = ()) -> HttpResponse:
        # Refused first: "refused" sorts before "pending" and "done" from the end.
        items = job.items.order_by("-status", "pk")
        page: Any = Paginator(cast(Any, CountedRows(items, job.total)), ITEMS_PER_PAGE).get_page(
            request.GET.get("page")
        )
        may = user_may(request.user, job.action)
        context = {
            "job": job,
            "label": _label(job),
            "progress": progress_text(job),
            "results": result_text(job),
            "page_obj": page,
            "items": [_present(item) for item in page],
            "may_retry": job.is_done and job.refused_count and may,
            "papers": document_parts(job),
            "key": new_key(),
            "errors": list(errors),
        }
        return TemplateResponse(request, self.template_name, context, status=status)


class CountedRows:
    """A queryset whose length the job knows already."""

    def __init__(self, rows: Any, total: int):
        self.rows, self.total = rows, total

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, key: Any) -> Any:
        return self.rows[key]

    ordered = True


def _label(job: BulkJob) -> Any:
    action = bulk.ACTIONS.get(job.action)
    return action.label if action else job.action


def _present(item: BulkJobItem) -> dict[str, Any]:
    words = {
        BulkJobItem.PENDING: (_("Waiting"), "secondary"),
        BulkJobItem.DONE: (_("Done"), "success"),
        BulkJobItem.REFUSED: (_("Refused"), "danger"),
    }
    label, tone = words[item.status]
    return {"number": item.number, "reasons": item.reasons, "label": label, "tone": tone, "status": item.status}


class BulkProgressView(View):
    """How far the job is, for the script of the result page."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> JsonResponse:
        job = job_or_404(request, pk)
        answer = {"percent": job.percent, "text": progress_text(job), "finished": job.is_done}
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})


class BulkRetryView(View):
    """Once more, only what was refused."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        job = job_or_404(request, pk)
        if not user_may(request.user, job.action):
            raise PermissionDenied
        try:
            again = bulk.retry(
                job=job, user=request.user, key=request.POST.get("key", ""), base=fulfillments_for_user(request.user)
            )
        except InvalidInput as error:
            errors = [str(message) for found in error.errors.values() for message in found]
            return BulkJobView().show(request, job, status=400, errors=errors)
        return redirect("dashboard:order-bulk-job", pk=again.pk)


class BulkDocumentView(View):
    """The documents of a print job as one PDF, made anew each time; those of very many orders in parts."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        job = job_or_404(request, pk)
        document = document_of(job)
        if not document or not job.is_done or not user_may(request.user, job.action):
            raise Http404
        size = settings.DOCUMENT_ORDERS
        total = max(-(-job.done_count // size), 1)
        number = request.GET.get("part", "1")
        part = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 0
        if not 1 <= part <= total:
            raise Http404
        seen = fulfillments_for_user(request.user)  # a partner's people may have lost the sight of some since
        printed = job.items.filter(status=BulkJobItem.DONE).order_by("pk").values_list("fulfillment_id", flat=True)
        chosen = list(printed[(part - 1) * size : part * size])
        mine = set(seen.filter(pk__in=[pk for pk in chosen if pk]).values_list("pk", flat=True))
        try:
            content = printing.document_pdf(document, [pk for pk in chosen if pk in mine], part=(part, total))
        except (ConfigurationError, DocumentError) as error:
            logger.warning("the documents of bulk job %s cannot be made: %s", job.pk, error)
            messages.error(request, _("The document cannot be made: %(why)s") % {"why": error})
            return redirect("dashboard:order-bulk-job", pk=job.pk)
        tail = f"-{part}" if total > 1 else ""
        return pdf_response(content, f"{printing.DOCUMENTS[document].many}-{job.pk}{tail}.pdf")
