"""Goods reach the customer, at the door or at the counter, and what is paid there."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.models import Shipment
from oscar_fulfillment.models.shipment import DELIVERED, DISPATCHED

from . import cash, messages, oscar_events, parcels
from .leaving import chosen
from .shipments import ShipmentBook


def deliver_effect(steps: Sequence[Step]) -> None:
    """Dispatched shipments have arrived."""
    arrive(steps)
    for step in steps:
        if step.reasons:
            continue
        cash.paid_at_the_door(step)
        if step.context.get("notify", True):
            messages.mail(step, messages.ORDER_DELIVERED)


def arrive(steps: Sequence[Step]) -> None:
    """What is under way, or the shipment that was chosen, is with the customer; nothing under way is refused."""
    book = ShipmentBook([step.subject.pk for step in steps])
    events, changed = [], []
    for step in steps:
        moving = chosen(step, book, DISPATCHED)
        if not moving:
            step.refuse(Reason("nothing_under_way", _("Nothing of this order is under way.")))
            continue
        for shipment in moving:
            shipment.status = DELIVERED
            shipment.delivered_at = step.context.get("delivered_at") or step.now
        changed += moving
        events.append((step.subject.order, book.quantities(moving), ""))
        step.data["shipments"] = [shipment.pk for shipment in moving]
        step.targets["shipping"] = book.resolve(
            step.subject.pk, has_backorder=step.subject.has_backorder, pending=step.state("shipping")
        )
    if changed:
        Shipment._default_manager.bulk_update(changed, ["status", "delivered_at"])
        parcels.arrive_with(changed, DELIVERED, steps[0].now)
        oscar_events.record_shipping(oscar_events.DELIVERED, events)
