"""The events that webhooks tell: every public signal has one. Written with the step that causes them.

A signal is sent after the commit, and a crash in that moment loses it; a webhook's message is a row of the outbox in
the step's own statement. It names what happened (the order, its history rows, sums); the body is made when it is first
sent, see ``services.webhook_bodies``. A shop without webhooks pays nothing: who wants what is kept in memory.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from oscar_fulfillment import signals
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.models import CarrierOrder, OutboundMessage, Parcel, Shipment, WebhookEndpoint
from oscar_fulfillment.models.webhook import LANE

#: Seconds for which who wants what is not read again: other processes hear of a new webhook so late at most.
FRESH = 5.0

ORDERS, PAYMENTS, GOODS, RETURNS, OTHER = "orders", "payments", "goods", "returns", "other"
GROUPS: dict[str, Any] = {
    ORDERS: _("Orders"),
    PAYMENTS: _("Payments"),
    GOODS: _("Goods"),
    RETURNS: _("Returns"),
    OTHER: _("Other"),
}


@dataclass(frozen=True)
class EventType:
    """An event by the name of its signal. ``extra``: what its ``data`` holds beside order and change, for the docs."""

    name: str
    signal: str
    group: str
    label: Any
    extra: str = ""


STATUS_CHANGED, LATE, TRACKED, DIED, PING = (
    "order.status_changed", "payment.late", "parcel.tracked", "message.died", "ping",
)  # fmt: skip
READY, CARRIAGE = "shipment.ready_for_pickup", "shipment.carriage_ordered"
_CARRIAGE = "`carriage`: `carrier`, `reference`, `tracking_code`"
_PARCEL = "`parcel`, with its `tracking`; no `change`"
_MESSAGE = "`message`: `id`, `destination`, `kind`, `tries`; no `change`; `order` where it is about one"
_EVENTS = (
    EventType("order.recorded", "order_recorded", ORDERS, _("An order was placed")),
    EventType(STATUS_CHANGED, "status_changed", ORDERS, _("A status has changed"), "`changes`: every row of the step"),
    EventType("order.edited", "order_edited", ORDERS, _("An order was changed before it left"), "`difference`"),
    EventType("order.released", "order_released", ORDERS, _("An order was released, or taken into work")),
    EventType("order.invoiced", "order_invoiced", ORDERS, _("A fiscal document was entered")),
    EventType("order.cancelled", "order_cancelled", ORDERS, _("An order was cancelled")),
    EventType("order.restored", "order_restored", ORDERS, _("A cancelled order was taken up again")),
    EventType("hold.placed", "hold_placed", ORDERS, _("An order was put on hold")),
    EventType("hold.released", "hold_released", ORDERS, _("A hold has ended")),
    EventType("payment.approved", "payment_approved", PAYMENTS, _("The money is in")),
    EventType("payment.authorized", "payment_authorized", PAYMENTS, _("A provider holds the money")),
    EventType("payment.refunded", "payment_refunded", PAYMENTS, _("Money was refunded"), "`amount`"),
    EventType("payment.cancelled", "payment_cancelled", PAYMENTS, _("No money will come")),
    EventType(LATE, "late_payment", PAYMENTS, _("Money came for a cancelled order"), "`amount`"),
    EventType("shipment.dispatched", "order_dispatched", GOODS, _("Goods have left"), "`shipments`: their ids"),
    EventType(READY, "pickup_ready", GOODS, _("Goods can be collected"), "`shipments`: their ids"),
    EventType("shipment.delivered", "order_delivered", GOODS, _("Goods have arrived")),
    EventType(CARRIAGE, "carriage_ordered", GOODS, _("A carrier gave the number of an order"), _CARRIAGE),
    EventType(TRACKED, "parcel_tracked", GOODS, _("A carrier says something new of a parcel"), _PARCEL),
    EventType("order.returned", "order_returned", RETURNS, _("An order came back as a whole")),
    EventType("return.requested", "return_requested", RETURNS, _("A return was asked for"), "`return`"),
    EventType("return.received", "return_received", RETURNS, _("Returned goods were inspected"), "`return`"),
    EventType("return.settled", "return_settled", RETURNS, _("A return came to its end"), "`return`"),
    EventType(DIED, "message_died", OTHER, _("A message of the shop was given up"), _MESSAGE),
)
EVENTS: dict[str, EventType] = {event.name: event for event in _EVENTS}
#: Sent by the test button alone; nobody subscribes to it.
PING_LABEL = pgettext_lazy("webhook", "Test")

_NAMES = {id(signal): name for name, signal in vars(signals).items() if isinstance(signal, signals.Signal)}
_BY_SIGNAL = {event.signal: event.name for event in EVENTS.values()}
#: Where a step keeps events that are none of its moves: (event, facts).
_NOTED = "webhook_events"


def event_of(action: str) -> str:
    """The event of an action of the history, "" where it has none."""
    signal = signals.BY_ACTION.get(action)
    return _BY_SIGNAL.get(_NAMES.get(id(signal), ""), "") if signal is not None else ""


def label(event: str) -> Any:
    """The event in words; a name of another version of this app as it is."""
    if event == PING:
        return PING_LABEL
    return EVENTS[event].label if event in EVENTS else event


class Subscribers:
    """Who wants what, read at most every :data:`FRESH` seconds."""

    def __init__(self) -> None:
        self._found: tuple[tuple[str, frozenset[str] | None], ...] = ()
        self._read_at = float("-inf")
        setting_changed.connect(self._settings_changed)

    def _settings_changed(self, *, setting: str, **kwargs: Any) -> None:
        if setting == "DATABASES":
            self.forget()

    def forget(self) -> None:
        """Read it anew when next asked."""
        self._read_at = float("-inf")

    def _known(self) -> tuple[tuple[str, frozenset[str] | None], ...]:
        now = time.monotonic()
        if now - self._read_at > FRESH:
            rows = WebhookEndpoint._default_manager.filter(is_active=True).values_list("pk", "all_events", "events")
            self._found = tuple((f"{LANE}{pk}", None if all_ else frozenset(events)) for pk, all_, events in rows)
            self._read_at = now
        return self._found

    def prime(self) -> None:
        """Read now what is due to be read: before a transaction, which may then be a single statement."""
        self._known()

    def __bool__(self) -> bool:
        return bool(self._known())

    def of(self, event: str) -> list[str]:
        """The destinations that want this event."""
        return [lane for lane, wanted in self._known() if wanted is None or event in wanted]


subscribers = Subscribers()


def new_id() -> str:
    """The id of an event: the same for all who are told, and for all tries."""
    return f"msg_{uuid.uuid4().hex}"


def messages_for(event: str, payload: Mapping[str, Any], order_id: int | None = None) -> list[OutboxMessage]:
    """The rows that tell this event to all who want it."""
    lanes = subscribers.of(event)
    key = new_id() if lanes else ""
    return [OutboxMessage(lane, event, key, dict(payload), order_id=order_id) for lane in lanes]


def note(step: Step, event: str, **facts: Any) -> None:
    """Let a step tell an event that is none of its moves. For effects."""
    step.context.setdefault(_NOTED, []).append((event, facts))


def add_messages(steps: Sequence[Step]) -> None:
    """Put what webhooks are to be told into the steps' messages; called when their moves are final. No query."""
    if not subscribers:
        return
    for step in steps:
        pk, first = step.subject.pk, step.subject.version + 1
        facts = plain_facts(step.context.get("announce", {}))
        for position, move in enumerate(step.moves):
            if event := event_of(move.action):
                payload = {"order": pk, "sequence": first + position, "facts": facts}
                step.messages += messages_for(event, payload, pk)
        for event, more in step.context.get(_NOTED, ()):
            payload = {"order": pk, "sequence": first, "facts": plain_facts(more)}
            step.messages += messages_for(event, payload, pk)
        moved = [first + position for position, move in enumerate(step.moves) if not move.is_record]
        if moved:
            payload = {"order": pk, "sequence": moved[0], "sequences": moved, "facts": facts}
            step.messages += messages_for(STATUS_CHANGED, payload, pk)


def plain_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """What receivers of the signal get beside the order, as JSON has it."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, CarrierOrder):
            found["carriage"] = {
                "carrier": value.carrier, "reference": value.reference, "tracking_code": value.tracking_code,
            }  # fmt: skip
        elif isinstance(value, Decimal):
            found[name] = str(value)
        elif isinstance(value, str | int | list | tuple) or value is None:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def tell_tracked(parcels: Sequence[Parcel]) -> int:
    """Tell of parcels about which their carriers say something new, in the caller's transaction."""
    if not parcels or not subscribers.of(TRACKED):
        return 0
    shipments = Shipment._default_manager.filter(pk__in={parcel.shipment_id for parcel in parcels})
    orders = dict(shipments.values_list("pk", "fulfillment_id"))
    found: list[OutboxMessage] = []
    for parcel in parcels:
        order_id = orders.get(parcel.shipment_id)
        at = parcel.tracking_at.isoformat() if parcel.tracking_at else None
        payload = {
            "order": order_id,
            "parcel": parcel.pk,
            # As it is now: the next word of the carrier may come before this one is sent.
            "tracking": {"state": parcel.tracking_state, "incident": parcel.incident, "at": at},
            "private": {"text": parcel.tracking_text, "place": parcel.tracking_place},
        }
        found += messages_for(TRACKED, payload, order_id)
    return outbox.enqueue(found)


def tell_death(message: OutboundMessage) -> None:
    """Tell of a message that was given up; not of webhooks' own, which would never end. Hook of the outbox."""
    if message.destination.startswith(LANE):
        return
    payload = {
        "facts": {
            "message": {
                "id": message.pk, "destination": message.destination, "kind": message.kind,
                "tries": message.attempts,
            },
        },
        "private": {"error": message.error},
    }  # fmt: skip
    outbox.enqueue(messages_for(DIED, {"order": message.order_id, **payload}, message.order_id))
