"""The menu of an order's documents: what can be printed, and when it was printed before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from oscar_fulfillment.models.shipment import CANCELLED
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.prints import Print
from oscar_fulfillment.services import printing


def document_menu(page: Any, user: Any) -> dict[str, Any]:
    """Entries for the order, and by the shipment's pk for each of several shipments. Nothing for who may not print."""
    if not user_may(user, "print"):
        return {"order": [], "shipments": {}}
    prints = page.prints
    shipments = [row.shipment for row in page.shipments if row.shipment.status != CANCELLED]
    return {
        "order": [_entry(page.order.number, document, prints) for document in printing.DOCUMENTS.values()],
        "shipments": {
            shipment.pk: [
                _entry(page.order.number, document, prints, shipment)
                for document in printing.DOCUMENTS.values()
                if not document.waits
            ]
            for shipment in shipments
            if len(shipments) > 1
        },
    }


def _entry(number: str, document: printing.Document, prints: Sequence[Print], shipment: Any = None) -> dict[str, Any]:
    url = reverse("dashboard:order-document", kwargs={"number": number, "document": document.name})
    pk = shipment.pk if shipment is not None else None
    earlier = [each for each in prints if each.covers(document.name, pk)]
    return {
        "id": "-".join(["printed", *([str(shipment.number)] if shipment is not None else []), document.name]),
        "label": document.label,
        "url": f"{url}?shipment={shipment.number}" if shipment is not None else url,
        "printed": _printed(earlier[-1]) if earlier else "",
    }


def _printed(last: Print) -> str:
    when = date_format(timezone.localtime(last.at), "SHORT_DATETIME_FORMAT")
    if not last.by:
        return _("Printed before on %(when)s") % {"when": when}
    return _("Printed before on %(when)s by %(who)s") % {"when": when, "who": last.by}
