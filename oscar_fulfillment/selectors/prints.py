"""Which papers of an order were printed, when and by whom: read from its history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from oscar_fulfillment.models import StatusChange


@dataclass(frozen=True)
class Print:
    """A document was printed: ``by`` is the person's name, ``shipments`` are the pks of those it was printed for (none:
    of all that there were)."""

    document: str
    at: datetime
    by: str
    shipments: frozenset[int]

    def covers(self, document: str, shipment: int | None = None) -> bool:
        """Whether this was a printing of this document, for this shipment where one is asked for."""
        return self.document == document and (shipment is None or not self.shipments or shipment in self.shipments)


def read_prints(order_ids: Iterable[int]) -> dict[int, list[Print]]:
    """Every printing of these orders, oldest first, by the order's pk; one statement."""
    rows = (
        StatusChange._default_manager.filter(fulfillment__in=list(order_ids), machine="document", action="print")
        .order_by("fulfillment", "sequence")
        .values_list("fulfillment_id", "data", "created_at", "actor_label")
    )
    found: dict[int, list[Print]] = {}
    for pk, data, at, by in rows:
        shipments = data.get("shipments") or []
        found.setdefault(pk, []).append(Print(str(data.get("document", "")), at, by, frozenset(shipments)))
    return found
