"""What a carrier's notification is about, and what follows from it."""

from __future__ import annotations

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.carriers.events import ParcelHint
from oscar_fulfillment.models import CarrierOrder, Parcel
from oscar_fulfillment.models.shipment import CANCELLED

from . import carrier_orders
from .tracking import record_events
from .tracking_polls import refresh_parcels


def follow(*, carrier: str, hint: ParcelHint) -> bool:
    """Read the parcel or the order of a hint again; False for one that concerns nothing of ours.

    Only where the carrier cannot be asked, the hint's own events are taken: its sender was proved before.
    Raises what the adapter raises: the notification is then processed again later.
    """
    orders = CarrierOrder._default_manager.filter(carrier=carrier)
    waiting = orders.filter(status__in=[CarrierOrder.ACCEPTED, CarrierOrder.REQUESTED])
    ours = False
    if hint.external_id and (row := waiting.filter(external_id=hint.external_id).first()):
        carrier_orders.refresh_order(row)
        ours = True
    ids = _parcels(carrier, hint)
    if not ids:
        return ours
    if Capability.TRACK in carriers.get(carrier).capabilities:
        refresh_parcels(ids)
    else:
        record_events([(pk, hint.events) for pk in ids])
    return True


def _parcels(carrier: str, hint: ParcelHint) -> list[int]:
    rows = Parcel._default_manager.filter(carrier=carrier).exclude(status=CANCELLED)
    found: set[int] = set()
    if hint.tracking_code:
        found |= set(rows.filter(tracking_code=hint.tracking_code).values_list("pk", flat=True)[:100])
    if hint.external_id:
        shipments = CarrierOrder._default_manager.filter(carrier=carrier, external_id=hint.external_id)
        found |= set(rows.filter(shipment__in=shipments.values("shipment")).values_list("pk", flat=True)[:100])
    return sorted(found)
