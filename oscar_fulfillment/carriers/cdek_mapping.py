"""CDEK's documents in ours: pure functions document -> events, order, form, hint."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable

from .cdek_answers import EVER, ID, NUMBER, entity_of, key_of, mappings, moment_of, request_of, said_in, words
from .cdek_codes import DUPLICATES, PROBLEMS, REASONS, STATUSES
from .events import (
    CarrierOrderState,
    IncidentClass,
    Meaning,
    ParcelHint,
    RemoteOrder,
    TrackingEvent,
    TrackingState,
    clean,
    meaning_of,
)

logger = logging.getLogger("oscar_fulfillment.carriers")

#: Notifications about an order that make the parcel worth reading.
ORDER_EVENTS = frozenset({"ORDER_STATUS", "ORDER_MODIFIED", "DELIV_PROBLEM"})
#: What a state means when it is said of the way back to the shop.
_BACK = {
    TrackingState.PENDING: TrackingState.INFO,
    TrackingState.PICKED_UP: TrackingState.RETURNING,
    TrackingState.IN_TRANSIT: TrackingState.RETURNING,
    TrackingState.OUT_FOR_DELIVERY: TrackingState.RETURNING,
    TrackingState.READY_FOR_PICKUP: TrackingState.RETURNING,
    TrackingState.DELIVERY_FAILED: TrackingState.RETURNING,
    TrackingState.ON_HOLD: TrackingState.RETURNING,
    TrackingState.DELIVERED: TrackingState.RETURNED,
    TrackingState.DELIVERED_IN_PART: TrackingState.RETURNED,
    TrackingState.CANCELLED: TrackingState.INFO,
}


# Events


def events_from(document: Any) -> list[TrackingEvent]:
    """What happened to the parcel of an order, oldest first. ``AdapterUnavailable`` for what is no order.

    A whole order of CDEK belongs to one way: the flags ``is_return`` (not handed over), ``is_reverse`` (goods swapped
    at the door) and ``is_client_return`` all lead to the shop. Their codes begin with ``RETURN/``.
    """
    entity = entity_of(document)
    if entity is None or not ID.fullmatch(str(entity.get("uuid"))):
        raise AdapterUnavailable("CDEK's answer is no order")
    back = any(entity.get(flag) is True for flag in ("is_return", "is_reverse", "is_client_return"))
    found: dict[tuple[str, datetime], TrackingEvent] = {}
    for event in (*_statuses(entity), *_problems(entity)):
        told = _way_back(event) if back else event
        found.setdefault((told.code, told.occurred_at), told)
    return sorted(found.values(), key=lambda event: event.occurred_at)


def return_orders(document: Any) -> list[str]:
    """The orders that bring the goods of this one back to the shop: what was not handed over has one of its own."""
    related = document.get("related_entities") if isinstance(document, Mapping) else None
    return [
        str(entry["uuid"])
        for entry in mappings(related)
        if entry.get("type") == "return_order" and ID.fullmatch(str(entry.get("uuid")))
    ]


def _statuses(entity: Mapping[str, Any]) -> Iterator[TrackingEvent]:
    for status in mappings(entity.get("statuses")):
        moment, code = moment_of(status.get("date_time")), key_of(status.get("code"))
        if moment is None or not code:
            logger.warning("CDEK: a status without a code or a time is left out")
            continue
        reason = key_of(status.get("reason_code"))
        meaning = _status_meaning(code, reason)
        event = TrackingEvent(
            code=f"{code}/{reason}" if reason else code,
            occurred_at=moment,
            state=meaning.state,
            text=_text(clean(status.get("name")) or _known(STATUSES, code), _known(REASONS, reason)),
            place=clean(status.get("city")),
            incident=meaning.incident,
        )
        if status.get("deleted") is True:
            # Taken back by CDEK (only final ones can be): whoever has stored it learns so, nobody else is moved by it.
            yield replace(event, state=TrackingState.INFO, incident=None)
            yield replace(
                event,
                code=f"{event.code}/DELETED",
                occurred_at=moment + timedelta(microseconds=1),
                state=TrackingState.INFO,
                incident=IncidentClass.CORRECTION,
                retracts=True,
            )
        else:
            yield event


def _status_meaning(code: str, reason: str) -> Meaning:
    meaning = meaning_of(STATUSES, code)
    if meaning.state == TrackingState.UNKNOWN:
        logger.warning("CDEK: the status %r is unknown", code)
    if not reason or code not in ("DELIVERED", "NOT_DELIVERED"):
        return meaning
    if reason not in REASONS:
        logger.warning("CDEK: the reason %r is unknown", reason)
        # That the parcel was handed over, or not, is sure; why is not.
        return replace(meaning, incident=IncidentClass.UNKNOWN)
    why = REASONS[reason]
    handed_over = why.state == TrackingState.DELIVERED_IN_PART
    return why if handed_over == (code == "DELIVERED") else replace(meaning, incident=why.incident)


def _problems(entity: Mapping[str, Any]) -> Iterator[TrackingEvent]:
    for problem in mappings(entity.get("delivery_problem")):
        moment, code = moment_of(problem.get("create_date")), key_of(problem.get("code"))
        if moment is None or not code:
            logger.warning("CDEK: a delivery problem without a code or a time is left out")
            continue
        meaning = meaning_of(PROBLEMS, code)
        if meaning.state == TrackingState.UNKNOWN:
            logger.warning("CDEK: the delivery problem %r is unknown", code)
        yield TrackingEvent(
            code=f"PROBLEM/{code}",
            occurred_at=moment,
            state=meaning.state,
            text=meaning.text,
            incident=meaning.incident,
        )


def _way_back(event: TrackingEvent) -> TrackingEvent:
    state = _BACK.get(event.state, event.state)
    return replace(event, code=f"RETURN/{event.code}", state=state, is_return=True)


# Orders


def order_from(document: Any) -> RemoteOrder:
    """An order as it stands. ``AdapterUnanswered`` for what is none: the call may have been done.

    CDEK takes an order and checks it afterwards: until ``requests`` says SUCCESSFUL there is no number. An order that
    was refused because another one has its number is UNKNOWN: the other one is ours, too.
    """
    entity = entity_of(document)
    uuid = entity.get("uuid") if entity else None
    if entity is None or not isinstance(uuid, str) or not ID.fullmatch(uuid):
        raise AdapterUnanswered("CDEK's answer names no order")
    state, errors = request_of(document, "CREATE")
    statuses = {
        str(status.get("code")) for status in mappings(entity.get("statuses")) if status.get("deleted") is not True
    }
    number = str(entity.get("cdek_number") or "")
    number = number if NUMBER.fullmatch(number) else ""
    if "REMOVED" in statuses or request_of(document, "DELETE")[0] == "SUCCESSFUL":
        found = CarrierOrderState.CANCELLED
    elif state == "INVALID" or ("INVALID" in statuses and not number):
        taken = any(code in DUPLICATES for code, _message in errors)
        found, number = CarrierOrderState.UNKNOWN if taken else CarrierOrderState.INVALID, ""
    elif number:
        found = CarrierOrderState.CREATED
    elif state in ("", "ACCEPTED", "WAITING", "SUCCESSFUL"):
        found = CarrierOrderState.ACCEPTED
    else:
        logger.warning("CDEK: order %s has the unknown state %r", uuid, clean(state, 40))
        found = CarrierOrderState.UNKNOWN
    return RemoteOrder(
        external_id=uuid,
        state=found,
        tracking_code=number,
        reference=clean(entity.get("number"), 64),
        problem=words([*errors, *request_of(document, "DELETE")[1], *said_in(document, "warnings")]),
        raw_status=clean(state, 40),
    )


def form_of(document: Any) -> tuple[str, str]:
    """A printed form: its id, and how it stands (ACCEPTED, PROCESSING, READY, REMOVED, INVALID; "" if not told)."""
    entity = entity_of(document) or {}
    uuid = str(entity.get("uuid") or "")
    if not ID.fullmatch(uuid):
        raise AdapterUnavailable("CDEK's answer names no form")
    dated = [
        (moment_of(status.get("date_time")) or EVER, number, str(status.get("code")))
        for number, status in enumerate(mappings(entity.get("statuses")))
    ]
    return uuid, max(dated)[2] if dated else ""


def printed_form(document: Any, kind: str) -> str:
    """The newest form of this kind ("barcode", "waybill") that an order has already, "" for none."""
    related = document.get("related_entities") if isinstance(document, Mapping) else None
    found = [str(entry.get("uuid")) for entry in mappings(related) if entry.get("type") == kind]
    return next((uuid for uuid in reversed(found) if ID.fullmatch(uuid)), "")


# Notifications


def hint_from(body: bytes) -> ParcelHint:
    """The order a notification is about, none for those about other things. ``AdapterRejected``: not readable.

    ``event_id`` stays empty: as nothing is signed, a forged message must not count as the genuine one that follows.
    What concerns the way back of a parcel leads to the parcel, whose code the shop has.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("the notification is not JSON") from error
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(kind, str) or not isinstance(document.get("attributes"), dict):
        raise AdapterRejected("the notification has no type or attributes")
    if kind not in ORDER_EVENTS:
        return ParcelHint(kind=key_of(kind))
    attributes, uuid = document["attributes"], document.get("uuid")
    number = str(attributes.get("cdek_number") or "")
    if attributes.get("is_return") is True:
        for entry in mappings(attributes.get("related_entities")):
            if entry.get("type") == "direct_order":
                uuid, number = entry.get("uuid"), str(entry.get("cdek_number") or "")
    uuid = uuid if isinstance(uuid, str) and ID.fullmatch(uuid) else ""
    number = number if NUMBER.fullmatch(number) else ""
    if not uuid and not number:
        raise AdapterRejected("the notification names no order")
    return ParcelHint(tracking_code=number, external_id=uuid, kind=kind)


def _known(table: Mapping[str, Meaning], code: str) -> str:
    return table[code].text if code in table else ""


def _text(name: str, reason: str) -> str:
    return clean(f"{name}: {reason}" if reason else name)
