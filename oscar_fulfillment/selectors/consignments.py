"""What goes out together, of many orders, as the papers that go with it need it: a constant number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, QuerySet
from oscar.core.loading import get_model

from oscar_fulfillment.models import OrderFulfillment, Parcel, Shipment
from oscar_fulfillment.models.shipment import CANCELLED, PENDING

#: Order lines with their units.
Contents = list[tuple[Any, int]]


@dataclass(frozen=True)
class Consignment:
    """A shipment of an order, or the whole order while it has none.

    ``place`` is the shipment's number and the highest one; ``before`` are the units of each line (by pk) in shipments
    with a lower number, ``later`` what was ordered and is in no shipment yet.
    """

    fulfillment: Any
    shipment: Any
    place: tuple[int, int] | None
    contents: Contents
    before: dict[int, int]
    later: Contents

    @property
    def order(self) -> Any:
        return self.fulfillment.order

    @property
    def parcels(self) -> list[Any]:
        """The boxes that somebody named; none of a shipment that is not packed yet."""
        return list(self.shipment.parcels.all()) if self.shipment else []


def read_consignments(
    order_ids: Sequence[int],
    *,
    shipment: int | None = None,
    waiting: bool = False,
    lines: QuerySet[Any] | None = None,
    also: Sequence[str] = (),
) -> list[Consignment]:
    """What goes out of these orders, in the order of ``order_ids``; see :func:`choose` for which.

    ``lines`` is the queryset that order lines are read with, ``also`` names what else is read with many orders.
    """
    Line = get_model("order", "Line")
    if lines is None:
        lines = Line._default_manager.select_related("stockrecord")
    shipments = Shipment._default_manager.select_related("invoice").prefetch_related(
        "lines", Prefetch("parcels", Parcel._default_manager.order_by("number"))
    )
    rows = (
        OrderFulfillment._default_manager.filter(pk__in=order_ids)
        .select_related("order__site", "order__shipping_address__country", "order__billing_address__country")
        .prefetch_related(Prefetch("order__lines", lines.order_by("pk")), Prefetch("shipments", shipments), *also)
    )
    found = {row.pk: row for row in rows}
    ordered = [found[pk] for pk in dict.fromkeys(order_ids) if pk in found]
    return [consignment for row in ordered for consignment in _consignments(row, shipment, waiting)]


def choose(shipments: Iterable[Any], number: int | None = None, *, waiting: bool = False) -> list[Any]:
    """The shipments that papers are made for: the one of this number, else those that wait to be sent, else (not where
    only what is ``waiting`` is asked for) all that were sent. Cancelled ones have none."""
    active = [shipment for shipment in shipments if shipment.status != CANCELLED]
    if number is not None:
        return [shipment for shipment in active if shipment.number == number]
    pending = [shipment for shipment in active if shipment.status == PENDING]
    return pending if pending or waiting else active


def read_chosen(order_ids: Iterable[int], number: int | None = None, *, waiting: bool = False) -> dict[int, list[int]]:
    """The pks of the shipments that papers are made for, of each order that has any; one statement."""
    by_order: dict[int, list[Any]] = {}
    for shipment in Shipment._default_manager.filter(fulfillment__in=list(order_ids)).order_by("number"):
        by_order.setdefault(shipment.fulfillment_id, []).append(shipment)
    return {
        pk: [shipment.pk for shipment in choose(shipments, number, waiting=waiting)]
        for pk, shipments in by_order.items()
        if any(shipment.status != CANCELLED for shipment in shipments)
    }


def _consignments(row: Any, number: int | None, waiting: bool) -> list[Consignment]:
    lines = {line.pk: line for line in row.order.lines.all()}
    shipments = sorted(row.shipments.all(), key=lambda shipment: shipment.number)
    active = [shipment for shipment in shipments if shipment.status != CANCELLED]
    if not active:
        everything = [(line, line.quantity) for line in lines.values() if line.quantity]
        return [Consignment(row, None, None, everything, {}, [])] if number is None and everything else []
    # Given up for good counts as dealt with; what replaces returned goods was not ordered once more.
    covered = _units(
        shipment
        for shipment in shipments
        if shipment.replaces_id is None and (shipment.status != CANCELLED or shipment.is_dropped)
    )
    rest = [(line, line.quantity - covered.get(pk, 0)) for pk, line in lines.items()]
    later = [(line, quantity) for line, quantity in rest if quantity > 0]
    made = []
    for shipment in choose(active, number, waiting=waiting):
        contents = [(lines[part.line_id], part.quantity) for part in shipment.lines.all() if part.line_id in lines]
        before = _units(other for other in active if other.number < shipment.number and other.replaces_id is None)
        place = (shipment.number, active[-1].number)
        if contents:
            made.append(Consignment(row, shipment, place, contents, before, later))
    return made


def _units(shipments: Iterable[Any]) -> dict[int, int]:
    total: dict[int, int] = {}
    for shipment in shipments:
        for part in shipment.lines.all():
            total[part.line_id] = total.get(part.line_id, 0) + part.quantity
    return total
