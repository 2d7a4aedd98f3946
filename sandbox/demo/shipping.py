"""Parcels, returns and goods to be collected, so that each page of the dashboard has something to show."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

from oscar_fulfillment.carriers.events import TrackingEvent, TrackingState
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import CarrierSetup, Parcel
from oscar_fulfillment.services import inspecting, pickup, returns, shipping
from oscar_fulfillment.services.tracking import record_events
from sandbox.shop.stores import STORES

from .people import PEOPLE

if TYPE_CHECKING:
    from .orders import Clock, Maker


def create(maker: Maker, clock: Clock) -> int:
    """The situations; how many orders they took."""
    _in_two_boxes(maker, clock)
    for store in ("br", "ch"):
        _comes_back(maker, clock, store)
    _is_collected(maker, clock)
    return 4


def let_carriers_work() -> None:
    """CDEK is ordered by itself from now on. The demo's own parcels are known to no carrier: nobody asks for them."""
    Parcel._default_manager.update(next_check_at=None)
    CarrierSetup._default_manager.update_or_create(alias="cdek", defaults={"creates_orders": True})


def _released(
    maker: Maker, store: str, skus: list[tuple[str, int]], *, user: Any = None, collected: bool = False
) -> Any:
    person = PEOPLE[store][1]
    order = maker.place(STORES[store], person, skus, user, collected=collected)
    if not order.fulfillment.ships_before_payment:
        maker.pay(order)
    maker.release(order)
    maker.invoice(order)
    return order


def _in_two_boxes(maker: Maker, clock: Clock) -> None:
    """One of the boxes has arrived; at the door of the other nobody was in."""
    clock.set(clock.limit - timedelta(days=5))
    order = _released(maker, "br", [("CT-102", 2), ("CT-101", 1)])
    carrier, first = maker.tracking(order)
    second = maker.tracking(order)[1]
    boxes = [{"carrier": carrier, "tracking_code": code} for code in (first, second)]
    shipping.dispatch_order(order=order, actor=maker.crew.warehouse, boxes=boxes)
    sent = clock.now
    clock.later(days=3)
    for code, state, text, incident in (
        (first, TrackingState.DELIVERED, "Objeto entregue ao destinatário", ""),
        (second, TrackingState.DELIVERY_FAILED, "Carteiro não atendido", "absent"),
    ):
        parcel = Parcel._default_manager.get(tracking_code=code)
        told = [
            TrackingEvent("PO/01", sent, TrackingState.PICKED_UP, "Objeto postado", "São Paulo / SP"),
            TrackingEvent(
                "RO/01", sent + timedelta(days=1), TrackingState.IN_TRANSIT, "Objeto em trânsito", "Curitiba / PR"
            ),
            TrackingEvent("BDE", sent + timedelta(days=3), state, text, "Curitiba / PR", incident=incident or None),
        ]
        record_events([(parcel.pk, told)])


def _comes_back(maker: Maker, clock: Clock, store: str) -> None:
    """In Brazil the customer has asked; in Switzerland the goods are here, one of them broken."""
    clock.set(clock.limit - timedelta(days=9))
    customer = get_user_model().objects.get(email="customer@example.com") if store == "br" else None
    order = _released(maker, store, [("CT-101", 2)], user=customer)
    maker.dispatch(order)
    clock.later(days=2)
    shipping.deliver_order(order=order, actor=maker.crew.warehouse)
    clock.later(days=2)
    line = order.lines.get()
    asked = returns.request_return(
        order=order,
        lines={line.pk: (2, "changed_mind" if store == "br" else "damaged")},
        actor=Actor.customer(order),
        by_customer=True,
        note="Chegou depois do aniversário." if store == "br" else "Une tasse est fêlée.",
    )
    if store == "br":
        return
    returns.approve_return(ret=asked, actor=maker.crew.manager)
    clock.later(days=2)
    asked.refresh_from_db()
    inspecting.receive_return(
        ret=asked, lines={line.pk: (1, 1, "A crack from rim to foot")}, actor=maker.crew.warehouse
    )


def _is_collected(maker: Maker, clock: Clock) -> None:
    """Goods that wait at the counter in Lausanne."""
    clock.set(clock.limit - timedelta(hours=20))
    order = _released(maker, "ch", [("CT-102", 1)], collected=True)
    pickup.ready_for_pickup(order=order, actor=maker.crew.warehouse)
