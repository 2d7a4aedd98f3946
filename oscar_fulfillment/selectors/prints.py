"""Which papers of an order were printed, when and by whom: read from its history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

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


#: Rows of the history that say so.
PRINTED = Q(machine="document", action="print")


def read_prints(order_ids: Iterable[int]) -> dict[int, list[Print]]:
    """Every printing of these orders, oldest first, by the order's pk; one statement."""
    rows = StatusChange._default_manager.filter(PRINTED, fulfillment__in=list(order_ids))
    rows = rows.only("fulfillment", "sequence", "machine", "action", "data", "created_at", "actor_label")
    by_order: dict[int, list[StatusChange]] = {}
    for row in rows:
        by_order.setdefault(row.fulfillment_id, []).append(row)
    return {pk: prints_of(found) for pk, found in by_order.items()}


def prints_of(rows: Iterable[StatusChange]) -> list[Print]:
    """The printings among these rows of one order, oldest first."""
    printed = [row for row in rows if (row.machine, row.action) == ("document", "print")]
    return [_print(row) for row in sorted(printed, key=lambda row: row.sequence)]


def _print(row: StatusChange) -> Print:
    shipments = frozenset(row.data.get("shipments") or ())
    return Print(str(row.data.get("document", "")), row.created_at, row.actor_label, shipments)
