"""Shipments as the order page shows them: their boxes, what carriers say of them, and what can be done with each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.models import CarrierOrder, Parcel
from oscar_fulfillment.models.shipment import DISPATCHED, PENDING
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.order_page import OrderPage
from oscar_fulfillment.selectors.order_page_rows import ShipmentRow

from . import tracking_words
from .page_forms_shipments import carriers_that_take_orders
from .page_steps import REST, PageSteps

CARRIAGE_TONES = {
    CarrierOrder.REQUESTED: "info",
    CarrierOrder.ACCEPTED: "info",
    CarrierOrder.CREATED: "success",
    CarrierOrder.REFUSED: "danger",
    CarrierOrder.CANCELLING: "warning",
    CarrierOrder.CANCELLED: "secondary",
}


@dataclass(frozen=True)
class Link:
    """Something that can be done with a shipment. ``name`` is the form's."""

    name: str
    label: Any
    url: str
    danger: bool = False


@dataclass
class Box:
    """A parcel as the page shows it."""

    parcel: Parcel
    #: The link to change its code, "" where that cannot be done.
    change_url: str = ""
    #: Whether it is told apart from others of its shipment.
    is_one_of_several: bool = False
    #: Whether its own status says more than its shipment's and its carrier.
    differs: bool = False

    @property
    def tone(self) -> str:
        return tracking_words.tone(self.parcel.tracking_state)

    @property
    def incident(self) -> Any:
        return tracking_words.incident(self.parcel.incident)

    @property
    def problem(self) -> Any:
        return tracking_words.problem(self.parcel.tracking_problem)

    @property
    def can_be_asked(self) -> bool:
        return can_be_asked(self.parcel)


@dataclass
class Carriage:
    """A shipment's order at a carrier, with what can be done about it."""

    row: CarrierOrder
    label_url: str = ""
    cancel_url: str = ""

    @property
    def carrier_name(self) -> str:
        return str(carriers.get(self.row.carrier).name) if self.row.carrier in carriers else self.row.carrier

    @property
    def tone(self) -> str:
        return CARRIAGE_TONES.get(self.row.status, "secondary")


@dataclass
class ShipmentCard:
    """One shipment of the page. ``links`` are in its menu, ``main`` beside its name."""

    row: ShipmentRow
    boxes: list[Box] = field(default_factory=list)
    carriage: Carriage | None = None
    links: list[Link] = field(default_factory=list)
    main: list[Link] = field(default_factory=list)
    #: Where the carrier can be asked now, "" where it cannot.
    ask_url: str = ""
    #: Where all that was told is shown, "" while nothing was.
    events_url: str = ""


def can_be_asked(parcel: Parcel) -> bool:
    """Whether the parcel's carrier tells of it when asked."""
    adapter = parcel.adapter
    return bool(parcel.tracking_code) and adapter is not None and Capability.TRACK in adapter.capabilities


class ShipmentCards:
    """The shipments of a page for this user. No query beyond the page's."""

    def __init__(self, page: OrderPage, user: Any, steps: PageSteps):
        self.page, self.user, self.steps = page, user, steps

    def __iter__(self) -> Iterator[ShipmentCard]:
        return iter(self.cards)

    @cached_property
    def cards(self) -> list[ShipmentCard]:
        return [self._card(row) for row in self.page.shipments]

    @cached_property
    def links(self) -> list[Link]:
        """What concerns several shipments, or the order's rest."""
        found = []
        if self._may("merge_shipments") and len(self.page.shipments_of(PENDING)) > 1:
            found.append(Link("merge_shipments", _("Merge shipments"), self._url("order-shipments-merge")))
        left = any(row.shipment.dispatched_at for row in self.page.shipments)
        waits = self.page.fulfillment.has_backorder or self.page.shipments_of(PENDING)
        if left and waits and self._may_give_up:
            url = self._step_url("cancel_shipment", REST)
            found.append(Link("cancel_shipment", _("Cancel the rest"), url, danger=True))
        return found

    def _may(self, action: str) -> bool:
        return user_may(self.user, action)

    @cached_property
    def _may_give_up(self) -> bool:
        transition = self.page.flow.shipping.transitions.get("cancel_shipment")
        starts = transition is not None and self.page.fulfillment.shipping_status in transition.sources
        return starts and self._may("cancel_shipment")

    def _url(self, name: str, **kwargs: Any) -> str:
        return reverse(f"dashboard:{name}", kwargs={"number": self.page.order.number, **kwargs})

    def _step_url(self, action: str, shipment: Any) -> str:
        return f"{self._url('order-step', action=action)}?shipment={shipment}"

    def _card(self, row: ShipmentRow) -> ShipmentCard:
        shipment, boxes = row.shipment, row.parcels
        card = ShipmentCard(row, [self._box(row, parcel) for parcel in boxes])
        card.carriage = self._carriage(row)
        if shipment.status in (PENDING, DISPATCHED) and self._may("check_tracking") and any(map(can_be_asked, boxes)):
            card.ask_url = self._url("order-tracking-ask", shipment=shipment.pk)
        if any(parcel.tracking_state for parcel in boxes):
            card.events_url = self._url("order-tracking-events", shipment=shipment.pk)
        if shipment.status == PENDING:
            self._while_it_is_here(card)
        elif shipment.status == DISPATCHED:
            self._while_it_is_under_way(card)
        return card

    def _box(self, row: ShipmentRow, parcel: Parcel) -> Box:
        differs = parcel.status not in (row.shipment.status, parcel.tracking_state)
        box = Box(parcel, is_one_of_several=len(row.parcels) > 1, differs=differs)
        if parcel.status == DISPATCHED and self._may("change_tracking"):
            box.change_url = self._url("order-parcel-tracking", parcel=parcel.pk)
        return box

    def _carriage(self, row: ShipmentRow) -> Carriage | None:
        found = row.carriage
        if found is None:
            return None
        known = carriers.get(found.carrier).capabilities if found.carrier in carriers else frozenset()
        carriage = Carriage(found)
        if found.status == CarrierOrder.CREATED and Capability.LABEL in known and self._may("print_carriage"):
            carriage.label_url = self._url("order-carriage-label", carriage=found.pk)
        stands = found.status in CarrierOrder.STANDING and found.status != CarrierOrder.CANCELLING
        if stands and Capability.CANCEL_ORDER in known and self._may("cancel_carriage"):
            carriage.cancel_url = self._url("order-carriage-cancel", carriage=found.pk)
        return carriage

    def _while_it_is_here(self, card: ShipmentCard) -> None:
        pk = card.row.shipment.pk
        dispatch = self.steps.by_name.get("dispatch")
        is_one_of_several = len(self.page.shipments_of(PENDING)) > 1
        is_ready = any(row is card.row for row in self.page.to_dispatch)
        if dispatch is not None and dispatch.allowed and is_one_of_several and is_ready:
            card.main.append(Link("dispatch", dispatch.label, self._step_url("dispatch", pk)))
        stands = card.carriage is not None and card.carriage.row.status in CarrierOrder.STANDING
        if not stands and carriers_that_take_orders() and self._may("order_carriage"):
            card.links.append(
                Link("order_carriage", _("Order at the carrier"), self._url("order-carriage", shipment=pk))
            )
        if self._may("change_parcels"):
            card.links.append(Link("change_parcels", _("Name the parcels"), self._url("order-parcels", shipment=pk)))
        if card.row.units > 1 and self._may("split_shipment"):
            card.links.append(Link("split_shipment", _("Split"), self._url("order-shipment-split", shipment=pk)))
        if self._may_give_up:
            url = self._step_url("cancel_shipment", pk)
            card.links.append(Link("cancel_shipment", _("Cancel this shipment"), url, danger=True))

    def _while_it_is_under_way(self, card: ShipmentCard) -> None:
        pk = card.row.shipment.pk
        deliver = self.steps.by_name.get("deliver")
        if deliver is not None and deliver.allowed:
            card.links.append(Link("deliver", deliver.label, self._step_url("deliver", pk)))
        if not card.boxes and self._may("change_tracking"):
            url = self._url("order-tracking", shipment=pk)
            card.links.append(Link("change_tracking", _("Change the tracking code"), url))
        if card.boxes and self._may("change_parcels"):
            card.links.append(Link("change_parcels", _("Change the parcels"), self._url("order-parcels", shipment=pk)))
