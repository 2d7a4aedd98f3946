"""Notifications of payment providers. What they say is a hint: the payment is fetched from the provider."""

from __future__ import annotations

from typing import Any

from django.http import Http404

from oscar_fulfillment.core import inbox
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.services import provider_payments

FAMILY = "payments"


def verify(name: str, request: Any) -> str:
    """The id of a notification, proved to be the provider's. 404 for a provider the shop does not have."""
    from .views import lower_headers

    if name not in gateways:
        raise Http404
    gateway = gateways.get(name)
    headers, query = lower_headers(request), request.GET.dict()
    gateway.verify(headers, request.body, query)
    return gateway.parse_notification(headers, request.body, query).event_id


def process(message: Any) -> str | None:
    """The inbox's handler: read the stored notification again, and settle the payment it is about."""
    from django.http import QueryDict

    from .views import QUERY

    name = message.source.partition(":")[2]
    query = QueryDict(message.headers.get(QUERY, "")).dict()
    hint = gateways.get(name).parse_notification(message.headers, bytes(message.body), query)
    if not hint.external_id and not hint.reference:
        return inbox.IGNORED
    outcome = provider_payments.process_notification(
        provider=name, external_id=hint.external_id, reference=hint.reference
    )
    return inbox.IGNORED if outcome == "ignored" else None


def register_gateways() -> None:
    """A lane per provider, in and out. Called when Django starts; again where the settings changed (tests)."""
    from oscar_fulfillment.core import outbox
    from oscar_fulfillment.services import operation_runs, operations

    for name in gateways:
        inbox.register_source(f"{FAMILY}:{name}", process)
        outbox.register_destination(operations.lane(name), operation_runs.run_message)
