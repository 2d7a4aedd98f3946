"""The shipments of many orders at once, and the order's status resolved from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.models import Shipment, ShipmentLine
from oscar_fulfillment.models.shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING, RETURNED


def resolve_shipping_status(statuses: Iterable[str], *, has_backorder: bool, pending: str) -> str:
    """The order's shipping status from its shipments' (cancelled ones do not count).

    ============================ =========== ======================
    shipments                    backorder   order
    ============================ =========== ======================
    none, or all pending         any         ``pending`` (as :func:`name_pending` or the caller says)
    some left, some pending      any         partially_dispatched
    all left                     yes         partially_dispatched
    all left, some under way     no          dispatched
    all left, some delivered     no          delivered, once none is under way
    all returned                 yes         partially_dispatched: the rest is still to be sent
    all returned                 no          returned
    ============================ =========== ======================
    """
    found = {status for status in statuses if status != CANCELLED}
    if not found - {PENDING}:
        return pending
    if PENDING in found or has_backorder:
        return "partially_dispatched"
    if found == {RETURNED}:
        return "returned"
    return "dispatched" if DISPATCHED in found else "delivered"


def name_pending(invoiced: Iterable[bool], states: Container[str]) -> str:
    """What an order is called of which nothing has left, by which of its shipments have their fiscal document.

    ======================= =====================================================================
    with a document         order
    ======================= =====================================================================
    none (or no shipments)  released
    some                    partially_invoiced; released where the flow's ``states`` have no such
    all                     invoiced
    ======================= =====================================================================
    """
    found = set(invoiced)
    if True not in found:
        return "released"
    if False not in found:
        return "invoiced"
    return "partially_invoiced" if "partially_invoiced" in states else "released"


class ShipmentBook:
    """The shipments of a batch of orders, read once and kept up with what the step changes."""

    def __init__(self, order_ids: Sequence[int]):
        self.by_order: dict[int, list[Shipment]] = defaultdict(list)
        #: Cancelled for good: their goods are not sent, and not to be released again.
        self.dropped: dict[int, list[Shipment]] = defaultdict(list)
        found = Shipment._default_manager.filter(fulfillment__in=order_ids).exclude(status=CANCELLED, is_dropped=False)
        for shipment in found.order_by("pk").prefetch_related("lines"):
            rows = self.dropped if shipment.status == CANCELLED else self.by_order
            rows[shipment.fulfillment_id].append(shipment)

    def of(self, order_id: int, status: str | None = None) -> list[Shipment]:
        """The shipments of an order, cancelled ones left out; of one status where given."""
        return [s for s in self.by_order[order_id] if status is None or s.status == status]

    def quantities(self, shipments: Iterable[Shipment]) -> dict[int, int]:
        """Units per order line pk."""
        total: dict[int, int] = defaultdict(int)
        for shipment in shipments:
            for line in shipment.lines.all():
                total[line.line_id] += line.quantity
        return total

    def covered(self, order_id: int) -> dict[int, int]:
        """Units per order line pk that need no release any more: in a shipment, sent or not, or given up."""
        found = [*self.by_order[order_id], *self.dropped[order_id]]
        return self.quantities(shipment for shipment in found if shipment.replaces_id is None)

    def resolve(self, order_id: int, *, has_backorder: bool, pending: str) -> str:
        return resolve_shipping_status(
            (s.status for s in self.by_order[order_id]), has_backorder=has_backorder, pending=pending
        )


def create_shipments(per_order: Sequence[tuple[Any, dict[int, int]]], now: Any) -> list[Shipment]:
    """A pending shipment for each (step, units per line pk), with its lines: three statements for any number."""
    numbers: dict[int, int] = defaultdict(int)
    ids = [step.subject.pk for step, _quantities in per_order]
    for order_id, number in Shipment._default_manager.filter(fulfillment__in=ids).values_list(
        "fulfillment_id", "number"
    ):
        numbers[order_id] = max(numbers[order_id], number)
    rows = []
    for order_id in ids:
        numbers[order_id] += 1
        rows.append(Shipment(fulfillment_id=order_id, number=numbers[order_id], created_at=now))
    shipments = Shipment._default_manager.bulk_create(rows)
    ShipmentLine._default_manager.bulk_create(
        ShipmentLine(shipment=shipment, line_id=line_id, quantity=quantity)
        for shipment, (_step, quantities) in zip(shipments, per_order, strict=True)
        for line_id, quantity in quantities.items()
    )
    return shipments


def split_off(
    book: ShipmentBook, step: Step, shipments: Sequence[Shipment], wanted: Mapping[int, int]
) -> list[Shipment]:
    """Take ``wanted`` units (per line pk) out of these shipments; what is left stays behind in one of its own.

    The boxes that are there stay with what goes. Returns the shipments that now hold exactly what is wanted; refuses
    the step when they do not hold it.
    """
    left = dict(wanted)
    going, parts = [], []
    for shipment in shipments:
        held = book.quantities([shipment])
        taken = {pk: min(quantity, left[pk]) for pk, quantity in held.items() if left.get(pk)}
        left |= {pk: left[pk] - quantity for pk, quantity in taken.items()}
        if taken:
            going.append(shipment)
            rest = {pk: quantity - taken.get(pk, 0) for pk, quantity in held.items() if quantity > taken.get(pk, 0)}
            parts.append((shipment, taken, rest))
    if any(left.values()) or not going or any(quantity < 0 for quantity in wanted.values()):
        step.refuse(Reason("wrong_quantity", _("This is not what waits to be sent.")))
        return []
    parts = [part for part in parts if part[2]]
    if parts:
        divide(step, parts)
        book.by_order[step.subject.pk] = ShipmentBook([step.subject.pk]).by_order[step.subject.pk]
    leaving = {shipment.pk for shipment in going}
    return [shipment for shipment in book.of(step.subject.pk) if shipment.pk in leaving]


def divide(step: Step, parts: Sequence[tuple[Shipment, dict[int, int], dict[int, int]]]) -> list[Shipment]:
    """Leave ``taken`` in each shipment and put its ``rest`` into a new one: with the same fiscal document, and the same
    return where it replaces what came back. The new ones."""
    rests = create_shipments([(step, rest) for _shipment, _taken, rest in parts], step.now)
    for new, (shipment, _taken, _rest) in zip(rests, parts, strict=True):
        new.invoice_id, new.replaces_id = shipment.invoice_id, shipment.replaces_id
    Shipment._default_manager.bulk_update(rests, ["invoice", "replaces"])
    ShipmentLine._default_manager.filter(shipment__in=[shipment for shipment, *_more in parts]).delete()
    ShipmentLine._default_manager.bulk_create(
        ShipmentLine(shipment=shipment, line_id=pk, quantity=quantity)
        for shipment, taken, _rest in parts
        for pk, quantity in taken.items()
    )
    return rests


__all__ = [
    "CANCELLED",
    "DELIVERED",
    "DISPATCHED",
    "PENDING",
    "RETURNED",
    "ShipmentBook",
    "create_shipments",
    "divide",
    "name_pending",
    "resolve_shipping_status",
    "split_off",
]
