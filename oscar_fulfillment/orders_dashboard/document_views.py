"""The documents of an order, for staff."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.selectors.order_page import fulfillment_of
from oscar_fulfillment.services import documents

from .page_reading import demand, order_or_404, order_url

logger = logging.getLogger("oscar_fulfillment.documents")


@require_safe
@never_cache
def order_invoice(request: Any, number: str) -> HttpResponse:
    """The invoice as PDF, for whoever may see the order; back to its page, which says why, where it cannot be made."""
    order = order_or_404(request.user, number)
    demand(request.user, "print")
    if fulfillment_of(order) is None:
        raise Http404
    try:
        return pdf_response(documents.invoice_pdf(order), documents.invoice_filename(order))
    except (ConfigurationError, DocumentError) as error:
        logger.warning("the invoice of order %s cannot be made: %s", order.pk, error)
        messages.error(request, _("The invoice cannot be made: %(why)s") % {"why": error})
        return HttpResponseRedirect(order_url(number, "payment"))


def pdf_response(content: bytes, filename: str) -> HttpResponse:
    """A PDF that the browser shows and saves under this name."""
    disposition = content_disposition_header(False, filename) or "inline"
    return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": disposition})
