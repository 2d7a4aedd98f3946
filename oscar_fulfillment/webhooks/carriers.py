"""Notifications of carriers. What they say is a hint: the parcel is read again wherever its carrier can be asked."""

from __future__ import annotations

from typing import Any

from django.http import Http404

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.core import inbox
from oscar_fulfillment.services import carrier_hints, carrier_orders

FAMILY = "carriers"


def verify(name: str, request: Any) -> str:
    """The id of a notification, proved to be the carrier's. 404 for a carrier the shop does not have."""
    from .views import lower_headers

    if name not in carriers:
        raise Http404
    carrier = carriers.get(name)
    headers, query = lower_headers(request), request.GET.dict()
    carrier.verify(headers, request.body, query)
    return carrier.parse_notification(headers, request.body, query).event_id


def process(message: Any) -> str | None:
    """The inbox's handler: read the stored notification again, and look at the parcel it is about."""
    from django.http import QueryDict

    from .views import QUERY

    name = message.source.partition(":")[2]
    query = QueryDict(message.headers.get(QUERY, "")).dict()
    hint = carriers.get(name).parse_notification(message.headers, bytes(message.body), query)
    return None if carrier_hints.follow(carrier=name, hint=hint) else inbox.IGNORED


def register_carriers() -> None:
    """A lane per carrier, in and out. Called when Django starts; again where the settings changed (tests)."""
    from oscar_fulfillment.core import outbox

    for name in carriers.declared():
        inbox.register_source(f"{FAMILY}:{name}", process)
        outbox.register_destination(carrier_orders.lane(name), carrier_orders.run_message)
