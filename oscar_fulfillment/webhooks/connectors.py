"""Notifications of ERP, accounts and CRM. What is only a hint is read again before anything follows from it."""

from __future__ import annotations

from typing import Any

from django.http import Http404

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import Capability
from oscar_fulfillment.connectors.records import Change
from oscar_fulfillment.core import inbox
from oscar_fulfillment.services import connector_changes, connector_exports
from oscar_fulfillment.services.connector_events import lane

FAMILY = "connectors"


def verify(name: str, request: Any) -> str:
    """The id of a notification, proved to be the system's. 404 for one that the shop does not have."""
    from .views import lower_headers

    if name not in connectors or Capability.NOTIFIES not in connectors.get(name).capabilities:
        raise Http404
    connector = connectors.get(name)
    headers, query = lower_headers(request), request.GET.dict()
    connector.verify(headers, request.body, query)
    return connector.parse_notification(headers, request.body, query).event_id


def process(message: Any) -> str | None:
    """The inbox's handler."""
    from django.http import QueryDict

    from .views import QUERY

    name = message.source.partition(":")[2]
    connector = connectors.get(name)
    query = QueryDict(message.headers.get(QUERY, "")).dict()
    notice = connector.parse_notification(message.headers, bytes(message.body), query)
    changes = list(notice.changes)
    for external_id in notice.read_again:
        found = connector.fetch(external_id)
        changes += [found] if isinstance(found, Change) else found or ()
    for change in changes:
        connector_changes.take(name, change)
    return None if changes else inbox.IGNORED


def register_connectors() -> None:
    """A lane per system, in and out. Called when Django starts; again where the settings changed (tests)."""
    from oscar_fulfillment.core import outbox

    for name in connectors:
        inbox.register_source(f"{FAMILY}:{name}", process)
        outbox.register_destination(lane(name), connector_exports.send)
