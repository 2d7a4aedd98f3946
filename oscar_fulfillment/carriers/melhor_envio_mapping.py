"""Melhor Envio's words and documents in ours: codes, and pure functions document -> events, ParcelHint, error.

A document is a label's order as its tracking, its search and its notifications show it: ``id``, ``status``, the codes,
and the moments ``created_at``, ``paid_at``, ``generated_at``, ``posted_at``, ``delivered_at``, ``canceled_at`` and
``expired_at``. There is no list of events: what happened is read from these moments, and from the status what they do
not tell. Melhor Envio writes its times without a zone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected

from .events import IncidentClass, Meaning, ParcelHint, TrackingEvent, TrackingState, clean, meaning_of, moment, word

#: An id of an order of theirs.
ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_S, _I = TrackingState, IncidentClass

#: Names of the events; the status of a document is the same word without "order.".
CODES: dict[str, Meaning] = {
    "order.created": Meaning(_S.PENDING, "Etiqueta criada"),
    "order.pending": Meaning(_S.PENDING, "Etiqueta pendente de pagamento"),
    "order.released": Meaning(_S.PENDING, "Etiqueta paga"),
    "order.generated": Meaning(_S.PENDING, "Etiqueta gerada"),
    "order.received": Meaning(_S.PICKED_UP, "Recebida em ponto"),
    "order.posted": Meaning(_S.IN_TRANSIT, "Postada"),
    "order.delivered": Meaning(_S.DELIVERED, "Entregue"),
    "order.undelivered": Meaning(_S.DELIVERY_FAILED, "Não entregue", _I.DELIVERY_FAILED),
    "order.cancelled": Meaning(_S.CANCELLED, "Cancelada"),
    "order.paused": Meaning(_S.ON_HOLD, "Pausada", _I.HELD),
    "order.suspended": Meaning(_S.ON_HOLD, "Suspensa", _I.HELD),
    # A label that was never posted; only a moment, no event of this name.
    "order.expired": Meaning(_S.CANCELLED, "Etiqueta expirada sem postagem"),
}
#: A moment of a document, and the event that happened then, in the order in which they happen.
_MOMENTS = (
    ("created_at", "order.created"),
    ("paid_at", "order.released"),
    ("generated_at", "order.generated"),
    ("posted_at", "order.posted"),
    ("delivered_at", "order.delivered"),
    ("canceled_at", "order.cancelled"),
    ("expired_at", "order.expired"),
)
#: Statuses that say less than the moments do.
_SAYS_LESS = frozenset({"order.pending", "order.released"})
#: Other spellings of a status.
_SPELLINGS = {"canceled": "cancelled"}
#: Where a document names a parcel: the carrier's own code, that of Melhor Envio, and the number of the order.
_NAMES = ("tracking", "self_tracking", "melhorenvio_tracking", "authorization_code", "protocol")


def events_from(document: Mapping[str, Any], zone: tzinfo) -> list[TrackingEvent]:
    """What has happened to a parcel, oldest first.

    Delivered is what the status calls so, whatever the moments say. A status without a moment of its own is dated a
    second after the last moment, each time the same: so it is one event, and the newest. Without any moment nothing is
    known to have happened.
    """
    status = _status(document)
    found = []
    for name, code in _MOMENTS:
        when = moment(document.get(name), zone)
        if when is not None and (code != "order.delivered" or status == code):
            found.append(_event(code, when))
    told = {event.code for event in found} | _SAYS_LESS
    if found and status and status not in told:
        found.append(_event(status, max(event.occurred_at for event in found) + timedelta(seconds=1)))
    return sorted(found, key=lambda event: event.occurred_at)


def named(document: Any, code: str) -> bool:
    """Whether a document of the search is about the parcel with this code."""
    return isinstance(document, Mapping) and code in {word(document.get(name)).upper() for name in _NAMES}


def id_of(document: Any) -> str:
    """The id of an order, "" for what has none."""
    found = document.get("id") if isinstance(document, Mapping) else None
    return found if isinstance(found, str) and ID.fullmatch(found) else ""


def is_ping(body: bytes) -> bool:
    """Whether a message names no order: what is sent when an address is registered, and proves nothing."""
    if len(body) > 2_000:
        return False
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    data = document.get("data")
    return not data or (isinstance(data, dict) and not data.get("id"))


def hint_from(body: bytes, zone: tzinfo) -> ParcelHint:
    """What a notification is about. ``tracking_url`` is never looked at. :class:`AdapterRejected`: not readable.

    Repetitions are byte for byte the same, and Melhor Envio gives its messages no id.
    """
    if is_ping(body):
        # One name for all of them: whoever sends many leaves one row.
        return ParcelHint(event_id="ping", kind="ping")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("the notification is not JSON") from error
    data = document.get("data") if isinstance(document, dict) else None
    external_id = id_of(data)
    if not external_id or not isinstance(data, dict):
        raise AdapterRejected("the notification names no order")
    codes = [word(data.get(name)).upper() for name in _NAMES[:3]]
    return ParcelHint(
        tracking_code=next(filter(None, codes), ""),
        external_id=external_id,
        kind=word(document.get("event")),
        events=tuple(events_from(data, zone)),
    )


def explained(error: AdapterRejected) -> AdapterRejected:
    """The same refusal with Melhor Envio's words as its message."""
    if error.status == 401:
        message = gettext("Melhor Envio does not accept the token: it is wrong, or it has run out.")
    elif error.status == 403:
        message = gettext(
            "Melhor Envio's token may not do this: it needs the scopes orders-read and shipping-tracking."
        )
    else:
        message = gettext("Melhor Envio refused: {reason}").format(reason=_said(error.body) or error.status)
    return AdapterRejected(message, status=error.status, body=error.body)


def _said(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    document = document if isinstance(document, dict) else {}
    return " / ".join(
        clean(document[name], 300) for name in ("message", "error") if isinstance(document.get(name), str)
    )


def _status(document: Mapping[str, Any]) -> str:
    status = word(document.get("status"), 50).lower()
    return f"order.{_SPELLINGS.get(status, status)}" if status else ""


def _event(code: str, when: datetime) -> TrackingEvent:
    meaning = meaning_of(CODES, code)
    return TrackingEvent(code, when, meaning.state, text=meaning.text, incident=meaning.incident)
