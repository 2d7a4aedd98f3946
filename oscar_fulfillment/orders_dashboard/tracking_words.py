"""What carriers say of parcels, in words: states with their colours, incidents, why there is no answer."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from oscar_fulfillment.carriers.events import IncidentClass, TrackingState

TONES = {
    TrackingState.PICKED_UP: "info",
    TrackingState.IN_TRANSIT: "primary",
    TrackingState.OUT_FOR_DELIVERY: "primary",
    TrackingState.READY_FOR_PICKUP: "info",
    TrackingState.DELIVERY_FAILED: "danger",
    TrackingState.ON_HOLD: "warning",
    TrackingState.DELIVERED: "success",
    TrackingState.DELIVERED_IN_PART: "warning",
    TrackingState.RETURNING: "dark",
    TrackingState.RETURNED: "dark",
    TrackingState.CANCELLED: "danger",
    TrackingState.LOST: "danger",
    TrackingState.UNKNOWN: "warning",
}

INCIDENTS: dict[str, Any] = {
    IncidentClass.ABSENT: _("Nobody was there"),
    IncidentClass.CLOSED: _("It was closed"),
    IncidentClass.ADDRESS_WRONG: _("Wrong address"),
    IncidentClass.ADDRESS_INCOMPLETE: _("Incomplete address"),
    IncidentClass.RECIPIENT_UNKNOWN: _("Recipient unknown there"),
    IncidentClass.PHONE_UNREACHABLE: _("Nobody answers the phone"),
    IncidentClass.REFUSED: _("Refused by the recipient"),
    IncidentClass.REFUSED_PAYMENT: _("Not paid at the door"),
    IncidentClass.ID_MISSING: _("No proof of identity"),
    IncidentClass.ACCESS_RESTRICTED: _("No access"),
    IncidentClass.DELIVERY_FAILED: _("Delivery failed"),
    IncidentClass.RESCHEDULED: _("Another date was agreed"),
    IncidentClass.SOLVED_BY_RECIPIENT: _("Solved by the recipient"),
    IncidentClass.PICKUP_REQUESTED: _("The recipient collects it"),
    IncidentClass.AWAITING_PICKUP: _("Waits to be collected"),
    IncidentClass.PICKUP_EXPIRED: _("Not collected in time"),
    IncidentClass.DAMAGED: pgettext_lazy("parcel", "Damaged"),
    IncidentClass.LOST: pgettext_lazy("parcel", "Lost"),
    IncidentClass.MISSING_PARCELS: _("A parcel is missing"),
    IncidentClass.PARTIAL_DELIVERY: _("Delivered in part"),
    IncidentClass.MISROUTED: _("Sent the wrong way"),
    IncidentClass.CARRIER_DELAY: _("Delayed by the carrier"),
    IncidentClass.FORCE_MAJEURE: _("Force majeure"),
    IncidentClass.LOCAL_HOLIDAY: _("Holiday there"),
    IncidentClass.WAITING_GOODS: _("The carrier waits for the goods"),
    IncidentClass.CUSTOMS_HOLD: _("Held by the customs"),
    IncidentClass.CUSTOMS_PAYMENT: _("The customs want to be paid"),
    IncidentClass.DOCUMENTS_MISSING: _("Papers are missing"),
    IncidentClass.NOT_CARRIABLE: _("Not carried"),
    IncidentClass.HELD: _("Held"),
    IncidentClass.RETURNING: _("On its way back"),
    IncidentClass.RETURNED: _("Back at the sender"),
    IncidentClass.CORRECTION: _("Correction"),
    IncidentClass.UNKNOWN: _("Something that we do not know"),
}


def tone(state: str) -> str:
    """The colour of a state's badge."""
    return TONES.get(state, "secondary")  # type: ignore[call-overload]


def incident(code: str) -> Any:
    """An incident in words; "" for none."""
    return INCIDENTS.get(code, code)


def problem(code: str) -> Any:
    """Why a carrier had no answer for a parcel: a word of ours, or the carrier's own."""
    return _("The carrier does not know this code, or not yet.") if code == "not_found" else code
