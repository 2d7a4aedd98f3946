"""The documents that a bulk action printed: one PDF, or several where its orders are very many."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.models import BulkJob
from oscar_fulfillment.services import bulk, printing


def document_of(job: BulkJob) -> str:
    """The document that a job prints, "" for any other action."""
    action = bulk.ACTIONS.get(job.action)
    return action.document if action else ""


def document_parts(job: BulkJob) -> list[dict[str, str]]:
    """The PDFs of a job that has printed: one, or as many as its orders need."""
    document = document_of(job)
    if not (document and job.is_done and job.done_count):
        return []
    label = printing.DOCUMENTS[document].label
    url = reverse("dashboard:order-bulk-document", kwargs={"pk": job.pk})
    size, done = settings.DOCUMENT_ORDERS, job.done_count
    if done <= size:
        return [{"url": url, "label": _("Open the PDF: %(document)s") % {"document": label}}]
    return [
        {
            "url": f"{url}?part={number}",
            "label": _("PDF of orders %(first)s to %(last)s")
            % {"first": first, "last": min(first + size - 1, done)},
        }
        for number, first in enumerate(range(1, done + 1, size), 1)
    ]  # fmt: skip
