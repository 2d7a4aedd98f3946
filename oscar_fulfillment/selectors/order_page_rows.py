"""What the order page shows of lines, shipments and returns, as it has read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oscar_fulfillment.models import CarrierOrder, Return, ReturnLine, Shipment
from oscar_fulfillment.models.shipment import CANCELLED


@dataclass
class LineRow:
    """An order line and how far its units have come. ``image`` is a URL, "" if the product has no picture."""

    line: Any
    image: str = ""
    released: int = 0
    sent: int = 0
    delivered: int = 0
    #: Of those that were sent, so many came back.
    returned: int = 0
    #: Not sent at all.
    given_up: int = 0


@dataclass
class ShipmentRow:
    """A shipment and what is in it: (order line, units)."""

    shipment: Shipment
    contents: list[tuple[Any, int]] = field(default_factory=list)

    @property
    def parcels(self) -> list[Any]:
        """Its boxes, cancelled ones left out."""
        return [parcel for parcel in self.shipment.parcels.all() if parcel.status != CANCELLED]

    @property
    def units(self) -> int:
        return sum(quantity for _line, quantity in self.contents)

    @property
    def carriage(self) -> CarrierOrder | None:
        """The order at a carrier that stands, else the last there was."""
        found = list(self.shipment.carrier_orders.all())
        return next((each for each in found if each.status in CarrierOrder.STANDING), found[-1] if found else None)


@dataclass
class ReturnRow:
    """A return and what is in it: (order line, line of the return)."""

    ret: Return
    contents: list[tuple[Any, ReturnLine]] = field(default_factory=list)
