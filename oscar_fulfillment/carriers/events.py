"""What a carrier says about a parcel, in plain data: events, orders, labels, distances. No model, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum


class TrackingState(StrEnum):
    """Where a parcel is, in our words. Each code of a carrier means exactly one of them."""

    PENDING = "pending"  # announced to the carrier, not in its hands
    PICKED_UP = "picked_up"  # in its hands
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    READY_FOR_PICKUP = "ready_for_pickup"  # waits for the recipient at an office, a shop or a locker
    DELIVERY_FAILED = "delivery_failed"  # an attempt failed, or something stands in the way
    ON_HOLD = "on_hold"  # customs, storage, an order to wait
    DELIVERED = "delivered"
    DELIVERED_IN_PART = "delivered_in_part"
    RETURNING = "returning"  # on its way back to the sender
    RETURNED = "returned"  # back at the sender
    CANCELLED = "cancelled"  # will not be carried
    LOST = "lost"
    INFO = "info"  # says something, and moves nothing
    UNKNOWN = "unknown"  # a code that we do not know: kept, shown, counted, never guessed


#: States after which the carrier is not asked any more.
FINAL = frozenset({TrackingState.DELIVERED, TrackingState.RETURNED, TrackingState.CANCELLED})


class IncidentClass(StrEnum):
    """What went wrong with a parcel, whatever the carrier calls it."""

    ABSENT = "absent"
    CLOSED = "closed"
    ADDRESS_WRONG = "address_wrong"
    ADDRESS_INCOMPLETE = "address_incomplete"
    RECIPIENT_UNKNOWN = "recipient_unknown"
    PHONE_UNREACHABLE = "phone_unreachable"
    REFUSED = "refused"
    REFUSED_PAYMENT = "refused_payment"
    ID_MISSING = "id_missing"
    ACCESS_RESTRICTED = "access_restricted"
    DELIVERY_FAILED = "delivery_failed"
    RESCHEDULED = "rescheduled"
    SOLVED_BY_RECIPIENT = "solved_by_recipient"
    PICKUP_REQUESTED = "pickup_requested"
    AWAITING_PICKUP = "awaiting_pickup"
    PICKUP_EXPIRED = "pickup_expired"
    DAMAGED = "damaged"
    LOST = "lost"
    MISSING_PARCELS = "missing_parcels"
    PARTIAL_DELIVERY = "partial_delivery"
    MISROUTED = "misrouted"
    CARRIER_DELAY = "carrier_delay"
    FORCE_MAJEURE = "force_majeure"
    LOCAL_HOLIDAY = "local_holiday"
    WAITING_GOODS = "waiting_goods"
    CUSTOMS_HOLD = "customs_hold"
    CUSTOMS_PAYMENT = "customs_payment"
    DOCUMENTS_MISSING = "documents_missing"
    NOT_CARRIABLE = "not_carriable"
    HELD = "held"
    RETURNING = "returning"
    RETURNED = "returned"
    CORRECTION = "correction"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Meaning:
    """What a code of a carrier means: one row of its code table.

    ``incident`` is None for a code that tells of no trouble. ``retracts``: it takes the event before it back.
    """

    state: TrackingState
    text: str = ""
    incident: IncidentClass | None = None
    retracts: bool = False


@dataclass(frozen=True)
class TrackingEvent:
    """One thing that happened to a parcel, as the carrier tells it.

    ``text``, ``place`` and ``note`` (the courier's own words) come from strangers: shown as text, never as markup.
    ``is_return``: it belongs to the way back; such a "delivered" is the goods' arrival at the shop.
    """

    code: str  # the carrier's own: "BDE/01", "DELIVERED"
    occurred_at: datetime  # aware
    state: TrackingState
    text: str = ""
    place: str = ""
    note: str = ""
    incident: IncidentClass | None = None
    is_return: bool = False
    retracts: bool = False
    external_id: str = ""  # the carrier's own name of the event, where it has one


@dataclass(frozen=True)
class Tracked:
    """The answer for one tracking code: its events in any order, or why there are none.

    ``problem`` is "" or "not_found" (the carrier does not know the code: yet, or at all).
    """

    code: str
    events: Sequence[TrackingEvent] = ()
    problem: str = ""


@dataclass(frozen=True)
class ParcelHint:
    """What a notification is about. The parcel is read again from the carrier wherever it can be asked.

    ``event_id`` makes the notification unique; empty where the carrier gives none. Empty ``tracking_code`` and
    ``external_id`` (the carrier's name of its order): it concerns no parcel. ``events`` are believed only of a
    notification whose sender is proved and whose carrier cannot be asked.
    """

    event_id: str = ""
    tracking_code: str = ""
    external_id: str = ""
    kind: str = ""
    events: Sequence[TrackingEvent] = ()


@dataclass(frozen=True)
class Address:
    """Where a parcel comes from or goes to. ``country`` is ISO 3166-1 alpha-2."""

    name: str
    line1: str = ""
    line2: str = ""
    district: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""
    company: str = ""
    tax_id: str = ""


@dataclass(frozen=True)
class PackedItem:
    """Goods in a package. ``value``: the price of one unit with tax; ``weight``: grams of one unit, 0 if unknown."""

    title: str
    sku: str
    quantity: int
    value: Decimal = Decimal(0)
    weight: int = 0


@dataclass(frozen=True)
class Package:
    """One box. Grams and centimetres; 0 where nobody has measured, and the adapter's default counts."""

    number: int
    weight: int = 0
    length: int = 0
    width: int = 0
    height: int = 0
    items: Sequence[PackedItem] = ()


@dataclass(frozen=True)
class CarrierOrderRequest:
    """What a carrier is asked to carry. ``reference`` is ours, unique per try, and finds the order again."""

    reference: str
    order_number: str
    recipient: Address
    packages: Sequence[Package]
    currency: str
    #: The order's shipping method, from which an adapter chooses its service (tariff).
    shipping_code: str = ""
    shipping_name: str = ""
    #: Where the recipient collects it, in the carrier's code; empty: to the door.
    pickup_point: str = ""
    #: What the carrier is to collect from the recipient.
    cash_on_delivery: Decimal = Decimal(0)
    comment: str = ""
    language: str = ""


class CarrierOrderState(StrEnum):
    """Where an order at a carrier stands."""

    ACCEPTED = "accepted"  # taken, its number comes later
    CREATED = "created"  # done, with its number
    INVALID = "invalid"  # refused; ``problem`` says why
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RemoteOrder:
    """An order at the carrier as it stands now. ``problem`` holds the carrier's words, for the merchant's eyes."""

    external_id: str
    state: CarrierOrderState
    tracking_code: str = ""
    reference: str = ""
    problem: str = ""
    raw_status: str = ""


@dataclass(frozen=True)
class Distance:
    """From the carrier's office to the address, in kilometres; ``office`` names it where the carrier does."""

    kilometres: Decimal
    office: str = ""


def meaning_of(table: Mapping[str, Meaning], *codes: str) -> Meaning:
    """The first of the codes that the table knows; UNKNOWN for none, which the caller keeps and counts."""
    for code in codes:
        if code in table:
            return table[code]
    return Meaning(TrackingState.UNKNOWN, incident=IncidentClass.UNKNOWN)


#: What an adapter's events and answers hold is bounded: longer texts of a carrier are cut.
MAX_TEXT = 500


def clean(text: object, limit: int = MAX_TEXT) -> str:
    """A stranger's text on one line, without control characters, cut at ``limit``; "" for what is no text."""
    if text is None:
        return ""
    words = "".join(c if c.isprintable() else " " for c in str(text)[: limit * 4])
    return " ".join(words.split())[:limit].rstrip()


def word(value: object, limit: int = 64) -> str:
    """A stranger's code as a key: only ASCII letters, digits and ``. _ -``, cut at ``limit``; "" for what has none."""
    text = str(value)[: limit * 4] if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return "".join(c for c in text if c.isascii() and (c.isalnum() or c in "._-"))[:limit]


def moment(value: object, zone: tzinfo) -> datetime | None:
    """A moment in ISO 8601, aware: one without a zone is of ``zone``. None for what is no moment that can be kept."""
    try:
        found = datetime.fromisoformat(value)  # type: ignore[arg-type]
        found = found if found.tzinfo else found.replace(tzinfo=zone)
        found.timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return found
