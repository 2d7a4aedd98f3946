"""What carriers say of an order's parcels: all their events, asked for now, and the label of an order at a carrier."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from oscar_fulfillment.core.exceptions import AdapterRejected, ConfigurationError, FulfillmentError
from oscar_fulfillment.models import CarrierOrder, Parcel
from oscar_fulfillment.models.shipment import CANCELLED
from oscar_fulfillment.selectors.parcel_events import read_events
from oscar_fulfillment.services import carrier_orders, tracking_polls

from .document_views import pdf_response
from .page_reading import PAGE, OrderView, demand, order_or_404, page_context, page_or_404
from .page_shipments import can_be_asked

logger = logging.getLogger("oscar_fulfillment.tracking")

#: Nobody asks a carrier for the same parcels again within this time.
NOT_AGAIN = timedelta(seconds=20)
MOST = 2**63 - 1


@method_decorator(never_cache, name="dispatch")
class TrackingEventsView(OrderView):
    """All that was told of a shipment's parcels: a panel of the order page, and a page without a script."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: Any, number: str, shipment: int) -> HttpResponse:
        page = page_or_404(request, number)
        row = next((row for row in page.shipments if row.shipment.pk == shipment), None)
        if row is None:
            raise Http404
        template = "oscar_fulfillment/orders/includes/events.html"
        panel = {
            "template": template,
            "row": row,
            "parcels": read_events(shipment, order_id=page.order.pk),
        }
        if "panel" in request.GET:
            context = {"panel": panel, "page": page, "order": page.order, "fulfillment": page.fulfillment}
            return render(request, template, context)
        return render(request, PAGE, page_context(request, page, panel=panel))


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class AskCarrierView(OrderView):
    """POST: ask the carriers for a shipment's parcels now, while a person waits."""

    http_method_names = ["post", "options"]

    def post(self, request: Any, number: str, shipment: int) -> HttpResponse:
        order = order_or_404(request.user, number)
        demand(request.user, "check_tracking")
        rows = Parcel._default_manager.filter(shipment=min(shipment, MOST), shipment__fulfillment=order.pk)
        found = [parcel for parcel in rows.exclude(status=CANCELLED) if can_be_asked(parcel)]
        level, text = ask(found)
        messages.add_message(request, level, text)
        return self.back("shipments")


def ask(parcels: list[Parcel]) -> tuple[int, str]:
    """Ask now; what to tell the person who waits: (level, text). Nothing is raised."""
    if not parcels:
        return messages.INFO, _("There is no parcel whose carrier can be asked.")
    recent = timezone.now() - NOT_AGAIN
    if all(parcel.checked_at is not None and parcel.checked_at > recent for parcel in parcels):
        return messages.INFO, _("The carrier was asked a moment ago. Please wait a little.")
    names = {"carrier": ", ".join(sorted({parcel.carrier_name for parcel in parcels}))}
    try:
        new = tracking_polls.refresh_parcels([parcel.pk for parcel in parcels])
    except AdapterRejected as error:
        said = _("%(carrier)s does not answer this: %(words)s")
        return messages.ERROR, said % {**names, "words": str(error)[:300]}
    except (FulfillmentError, ConfigurationError) as error:
        logger.info("%s cannot be asked: %s", names["carrier"], error)
        return messages.WARNING, _("%(carrier)s cannot be reached now. It is asked again by itself.") % names
    except Exception:
        logger.exception("%s could not be asked", names["carrier"])
        return messages.ERROR, _("%(carrier)s gave an answer that could not be read. It is in the log.") % names
    if not new:
        return messages.INFO, _("%(carrier)s has nothing new.") % names
    told = ngettext("%(carrier)s told of %(count)d new event.", "%(carrier)s told of %(count)d new events.", new)
    return messages.SUCCESS, told % {**names, "count": new}


@method_decorator([never_cache, transaction.non_atomic_requests], name="dispatch")
class LabelView(OrderView):
    """The carrier's own label as PDF, for who sends the goods; back to the order, which says why there is none."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: Any, number: str, carriage: int) -> HttpResponse:
        order = order_or_404(request.user, number)
        demand(request.user, "print_carriage")
        rows = CarrierOrder._default_manager.filter(pk=min(carriage, MOST), shipment__fulfillment=order.pk)
        found = rows.first()
        if found is None:
            raise Http404
        try:
            return pdf_response(carrier_orders.label(found), f"{found.reference}.pdf")
        except AdapterRejected as error:
            text = _("There is no label: %(why)s") % {"why": str(error)[:300]}
        except (FulfillmentError, ConfigurationError, KeyError) as error:
            logger.info("the label of %s cannot be had: %s", found.reference, error)
            text = _("The carrier cannot be reached now. Please try again later.")
        except Exception:
            logger.exception("the label of %s could not be read", found.reference)
            text = _("The carrier gave an answer that could not be read. It is in the log.")
        messages.error(request, text)
        return self.back("shipments")
