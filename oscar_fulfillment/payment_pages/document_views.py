"""The invoice, for the customer whose order it is."""

from __future__ import annotations

import logging
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.selectors.customer import has_invoice_document
from oscar_fulfillment.services import documents

logger = logging.getLogger("oscar_fulfillment.documents")


@require_safe
@never_cache
def customer_invoice(request: Any, order_number: str, hash: str = "") -> HttpResponse:
    """The invoice as PDF. 404 for everybody but the customer: signed in; or a guest who has just ordered in this
    session; or one with the signed link who has given the order's address on Oscar's form."""
    if len(order_number) > 128 or "\x00" in order_number:
        raise Http404
    orders = get_model("order", "Order")._default_manager.select_related(
        "fulfillment__payment_method", "user", "shipping_address__country", "billing_address__country"
    )
    order = orders.filter(number=order_number, fulfillment__isnull=False).first()
    if order is None or not _is_theirs(request, order, hash) or not has_invoice_document(order):
        raise Http404
    try:
        content = documents.invoice_pdf(order)
    except (ConfigurationError, DocumentError) as error:
        logger.error("the invoice of order %s cannot be made: %s", order.pk, error)
        raise Http404 from error
    disposition = content_disposition_header(False, documents.invoice_filename(order)) or "inline"
    return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": disposition})


def _is_theirs(request: Any, order: Any, hash: str) -> bool:
    if order.user_id is not None:
        return bool(request.user.is_authenticated and request.user.pk == order.user_id)
    if request.session.get("checkout_order_id") == order.pk:
        return True
    given = str(request.session.get("anon_order_email") or "")
    return bool(hash and order.check_verification_hash(hash) and constant_time_compare(given, order.email or "\n"))
