"""The events that Oscar and its plugins know, left behind by our steps: one statement per kind, for any number."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import connections, router, transaction
from django.db.models.signals import post_delete, post_migrate, post_save
from oscar.core.loading import get_model

from oscar_fulfillment.core.rows import Row
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.gateways import gateways

PAID, DISPATCHED, DELIVERED, RETURNED = "Paid", "Dispatched", "Delivered", "Returned"
#: Source types of money outside any provider.
BY_HAND, BANK = "By hand", "Bank transfer"

#: Seconds for which an event type is remembered: another process may have deleted it.
_REMEMBERED = 60
_types: dict[tuple[str, str], tuple[int, float]] = {}


def type_id(app: str, model_name: str, name: str) -> int:
    """The pk of an event type or source type, made where it is missing, remembered once it is committed."""
    found, since = _types.get((model_name, name), (None, 0.0))
    if found is None or time.monotonic() - since > _REMEMBERED:
        found = get_model(app, model_name)._default_manager.get_or_create(name=name)[0].pk
        transaction.on_commit(lambda: _types.__setitem__((model_name, name), (found, time.monotonic())), robust=True)
    return found


def forget(sender: Any = None, **kwargs: Any) -> None:
    """Look the event types up again."""
    _types.clear()


def make_types(using: str, **kwargs: Any) -> None:
    """Make the types that every shop needs, after its tables.

    One that is made by a step stays locked until the step is committed: two first steps could wait for each other.
    """
    wanted = (
        ("order", "PaymentEventType", (PAID,)),
        ("order", "ShippingEventType", (DISPATCHED, DELIVERED, RETURNED)),
        ("payment", "SourceType", (BY_HAND, BANK, *gateways)),
    )
    tables = connections[using].introspection.table_names()
    for app, model_name, names in wanted:
        model = get_model(app, model_name)
        if model._meta.db_table in tables and router.allow_migrate_model(using, model):
            for name in names:
                model._default_manager.using(using).get_or_create(name=name[:128])


def connect() -> None:
    """Make the usual types after each migration; forget remembered ones then, and when a shop edits them."""
    post_migrate.connect(
        make_types, sender=apps.get_app_config("oscar_fulfillment"), dispatch_uid="fulfillment_make_types"
    )
    post_migrate.connect(forget, dispatch_uid="fulfillment_event_types")
    for app, name in (("order", "PaymentEventType"), ("order", "ShippingEventType"), ("payment", "SourceType")):
        model = get_model(app, name)
        for signal in (post_save, post_delete):
            signal.connect(forget, sender=model, dispatch_uid=f"fulfillment_{name}_{id(signal)}")


def record_payments(steps: Sequence[Step], name: str, reference: str = "", amount: Decimal | None = None) -> None:
    """A PaymentEvent with each step, over ``amount`` or the order's total."""
    PaymentEvent = get_model("order", "PaymentEvent")
    common = {"event_type_id": type_id("order", "PaymentEventType", name), "reference": reference[:128]}
    for step in steps:
        order = step.subject.order
        step.rows.append(
            Row(
                PaymentEvent,
                {"order_id": order.pk, "amount": order.total_incl_tax if amount is None else amount, **common},
            )
        )


def record_shipping(name: str, per_order: Sequence[tuple[Any, Mapping[int, int], str]]) -> None:
    """A ShippingEvent per (order, quantity per line pk, note), with its quantities."""
    ShippingEvent, Quantity = get_model("order", "ShippingEvent"), get_model("order", "ShippingEventQuantity")
    kind = type_id("order", "ShippingEventType", name)
    events = ShippingEvent._default_manager.bulk_create(
        ShippingEvent(order=order, event_type_id=kind, notes=note) for order, _quantities, note in per_order
    )
    Quantity._default_manager.bulk_create(
        Quantity(event=event, line_id=line_id, quantity=quantity)
        for event, (_order, quantities, _note) in zip(events, per_order, strict=True)
        for line_id, quantity in quantities.items()
        if quantity
    )
