"""The karrio library's unified tracking in our words: pure functions over its TrackingDetails and Message objects.

What karrio normalises is coarse: twelve statuses, some thirty reasons; a carrier's own codes stay in ``code``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable

from .events import IncidentClass as I
from .events import Meaning, Tracked, TrackingEvent, clean, meaning_of
from .events import TrackingState as S
from .timeline import in_order, local_time

#: karrio's TrackingStatus.
STATUSES = {
    "pending": Meaning(S.PENDING),
    "picked_up": Meaning(S.PICKED_UP),
    "on_hold": Meaning(S.ON_HOLD),
    "cancelled": Meaning(S.CANCELLED),
    "delivered": Meaning(S.DELIVERED),
    "in_transit": Meaning(S.IN_TRANSIT),
    "delivery_failed": Meaning(S.DELIVERY_FAILED, incident=I.DELIVERY_FAILED),
    "delivery_delayed": Meaning(S.IN_TRANSIT, incident=I.CARRIER_DELAY),
    "out_for_delivery": Meaning(S.OUT_FOR_DELIVERY),
    "ready_for_pickup": Meaning(S.READY_FOR_PICKUP),
    "return_to_sender": Meaning(S.RETURNING, incident=I.RETURNING),
}

#: karrio's TrackingIncidentReason.
REASONS = {
    "carrier_damaged_parcel": I.DAMAGED,
    "carrier_sorting_error": I.MISROUTED,
    "carrier_address_not_found": I.ADDRESS_WRONG,
    "carrier_parcel_lost": I.LOST,
    "carrier_not_enough_time": I.CARRIER_DELAY,
    "carrier_vehicle_issue": I.CARRIER_DELAY,
    "carrier_capacity_exceeded": I.CARRIER_DELAY,
    "carrier_mechanical_delay": I.CARRIER_DELAY,
    "retailer_cancelled": I.RETURNING,
    "retailer_incorrect_data": I.ADDRESS_INCOMPLETE,
    "retailer_not_ready": I.WAITING_GOODS,
    "retailer_incorrect_parcel": I.NOT_CARRIABLE,
    "retailer_incorrect_dimensions": I.NOT_CARRIABLE,
    "retailer_packaging_issue": I.NOT_CARRIABLE,
    "consignee_refused": I.REFUSED,
    "consignee_business_closed": I.CLOSED,
    "consignee_not_available": I.ABSENT,
    "consignee_not_home": I.ABSENT,
    "consignee_cancelled": I.REFUSED,
    "consignee_verification_failed": I.ID_MISSING,
    "consignee_incorrect_address": I.ADDRESS_WRONG,
    "consignee_access_restricted": I.ACCESS_RESTRICTED,
    "consignee_safe_place_unavailable": I.ABSENT,
    "customs_delay": I.CUSTOMS_HOLD,
    "customs_documentation": I.DOCUMENTS_MISSING,
    "customs_duties_unpaid": I.CUSTOMS_PAYMENT,
    "customs_prohibited": I.NOT_CARRIABLE,
    "customs_inspection": I.CUSTOMS_HOLD,
    "weather_delay": I.FORCE_MAJEURE,
    "natural_disaster": I.FORCE_MAJEURE,
    "force_majeure": I.FORCE_MAJEURE,
    "parcel_being_researched": I.LOST,
    "security_issue": I.HELD,
    "regulatory_hold": I.HELD,
    "unknown": I.UNKNOWN,
}

_STAMPS = ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")
_DATES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %H:%M %p", "%Y-%m-%d")
_MISSING = re.compile(r"\b404\b|not.?found|no.(?:such|shipment|tracking|result|record|data)", re.IGNORECASE)
_LATER = re.compile(r"\b(?:408|429|5[0-9][0-9])\b|SDK_INTERNAL|too.?many|time.?out|unavailable", re.IGNORECASE)


def tracked_from(code: str, details: Sequence[Any], zone: tzinfo) -> Tracked:
    """What the carrier said of the parcel. ``zone``: of the carrier's clocks, which karrio does not keep."""
    named = [found for found in details if str(getattr(found, "tracking_number", "")).upper() == code]
    if not named and len(details) > 1:
        return Tracked(code, problem="not_found")
    found = (named or details)[0]
    rows = [(row, moment) for row in getattr(found, "events", None) or () if (moment := _moment(row, zone))]
    # Many of karrio's carriers say how the parcel stands, and not what each event meant: then the newest event means
    # that, and the older ones move nothing.
    silent = not any(getattr(row, "status", None) for row, _moment in rows)
    newest = max((moment for _row, moment in rows), default=None)
    events = []
    for row, moment in rows:
        status = getattr(row, "status", None)
        if silent:
            status = getattr(found, "status", None) if moment == newest else "-"
        events.append(_event(row, moment, str(status or "")))
    return Tracked(code, in_order(events, lambda event: event.state == S.RETURNING))


def problem_from(code: str, messages: Sequence[Any], said: str) -> Tracked:
    """Why there are no details: not found, or one of the errors. ``said``: the messages, fit to be shown."""
    told = " ".join(f"{getattr(one, 'code', '')} {getattr(one, 'message', '')}" for one in messages)
    if not messages or (_MISSING.search(told) and not _LATER.search(told)):
        return Tracked(code, problem="not_found")
    raise (AdapterUnavailable if _LATER.search(told) else AdapterRejected)(said)


def _event(row: Any, moment: datetime, status: str) -> TrackingEvent:
    # "-": no status of its own, where no event has one.
    meaning = Meaning(S.INFO) if status == "-" else meaning_of(STATUSES, status)
    reason = getattr(row, "reason", None)
    return TrackingEvent(
        code=re.sub(r"[^0-9A-Za-z_./-]", "", str(getattr(row, "code", None) or status))[:60] or "?",
        occurred_at=moment,
        state=meaning.state,
        text=clean(getattr(row, "description", None)),
        place=clean(getattr(row, "location", None), 200),
        incident=REASONS.get(str(reason), I.UNKNOWN) if reason else meaning.incident,
    )


def _moment(row: Any, zone: tzinfo) -> datetime | None:
    stamp = str(getattr(row, "timestamp", None) or "").removesuffix("Z")
    date, time = (str(getattr(row, name, None) or "") for name in ("date", "time"))
    return local_time(stamp, *_STAMPS, zone=zone) or local_time(f"{date} {time}", *_DATES, zone=zone)
