"""The documents of an order, for staff."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.models.shipment import CANCELLED
from oscar_fulfillment.selectors.order_page import fulfillment_of
from oscar_fulfillment.services import documents, printing

from .page_reading import OrderView, demand, order_or_404, order_url

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


@method_decorator(never_cache, name="dispatch")
class OrderDocumentView(OrderView):
    """A document of an order as PDF. GET shows it; POST notes in the history that it is printed, and shows it.

    ``?shipment=<number>`` asks for that of one shipment.
    """

    http_method_names = ["get", "post", "head", "options"]

    def get(self, request: Any, number: str, document: str) -> HttpResponse:
        return self._made(request, number, document)

    def post(self, request: Any, number: str, document: str) -> HttpResponse:
        made = self._made(request, number, document)
        if made.status_code != 200:
            return made  # nothing was printed
        shipment = self._shipment(request)
        actor = Actor.from_user(request.user)
        printing.record_print(order=self.order, actor=actor, document=document, shipment=shipment)
        return HttpResponseRedirect(request.get_full_path())

    def _made(self, request: Any, number: str, document: str) -> HttpResponse:
        self.order = order_or_404(request.user, number)
        demand(request.user, "print")
        if fulfillment_of(self.order) is None or document not in printing.DOCUMENTS:
            raise Http404
        shipment = self._shipment(request)
        try:
            content = printing.document_pdf(document, [self.order.pk], shipment=shipment)
        except (ConfigurationError, DocumentError) as error:
            logger.warning("the %s of order %s cannot be made: %s", document, self.order.pk, error)
            messages.error(request, _("The document cannot be made: %(why)s") % {"why": error})
            return self.back("documents")
        return pdf_response(content, printing.document_filename(document, number, shipment=shipment))

    def _shipment(self, request: Any) -> int | None:
        """The shipment that the URL asks for; 404 where the order has none of this number that goes anywhere."""
        text = request.GET.get("shipment", "")
        if not text:
            return None
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
        if not self.order.fulfillment.shipments.filter(number=number).exclude(status=CANCELLED).exists():
            raise Http404
        return number


def pdf_response(content: bytes, filename: str) -> HttpResponse:
    """A PDF that the browser shows and saves under this name."""
    disposition = content_disposition_header(False, filename) or "inline"
    return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": disposition})
