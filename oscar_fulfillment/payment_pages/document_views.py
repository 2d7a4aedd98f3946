"""The invoice, for the customer whose order it is."""

from __future__ import annotations

import logging
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.selectors.customer import has_invoice_document
from oscar_fulfillment.services import documents

from .access import order_or_404

logger = logging.getLogger("oscar_fulfillment.documents")


@require_safe
@never_cache
def customer_invoice(request: Any, order_number: str, hash: str = "") -> HttpResponse:
    """The invoice as PDF, for the order's customer; 404 for everybody else."""
    order = order_or_404(request, order_number, hash)
    if not has_invoice_document(order):
        raise Http404
    try:
        content = documents.invoice_pdf(order)
    except (ConfigurationError, DocumentError) as error:
        logger.error("the invoice of order %s cannot be made: %s", order.pk, error)
        raise Http404 from error
    disposition = content_disposition_header(False, documents.invoice_filename(order)) or "inline"
    return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": disposition})
