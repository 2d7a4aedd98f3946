"""Orders as fiscal notes are compared with them: buyer, address, and what still lacks its note. Many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step, refusals
from oscar_fulfillment.fiscal.nfe_cover import Owed, OwedLine, OwedShipment
from oscar_fulfillment.fiscal.nfe_order_checks import OrderFacts
from oscar_fulfillment.models import Invoice, NfeFile, OrderFulfillment, Shipment
from oscar_fulfillment.models.shipment import CANCELLED, PENDING


@dataclass(frozen=True)
class NoteOrder:
    """An order, read once for all that is asked of it."""

    fulfillment: OrderFulfillment
    facts: OrderFacts
    owed: Owed

    def worth_of(self, invoice_id: int) -> Decimal:
        """What the goods cost that a document covers."""
        covered = [one for one in self.fulfillment.shipments.all() if one.invoice_id == invoice_id]
        return sum((self.owed.worth(_units(one, self.owed.lines)) for one in covered), Decimal(0))

    def refuses(self, action: str, actor: Actor) -> list[Reason]:
        """Why this step of the order's shipping machine is not possible now; empty where it is. Asks no database."""
        machine = self.fulfillment.flow_definition.shipping
        transition = machine.transitions.get(action)
        step = Step(self.fulfillment, [Move(machine.name, action)], actor, timezone.now(), {})
        if transition is None:
            return [Reason("not_in_flow", _("Its flow has no such step."))]
        return refusals(step, machine, transition)


def read_note_orders(order_ids: Iterable[int]) -> dict[int, NoteOrder]:
    """These orders by their id. Six statements for any number of them."""
    ids = sorted(set(order_ids))
    if not ids:
        return {}
    shipments = Shipment._default_manager.order_by("number").prefetch_related("lines")
    rows = OrderFulfillment._default_manager.filter(pk__in=ids).select_related(
        "order__shipping_address", "payment_method"
    )
    rows = rows.prefetch_related(Prefetch("shipments", queryset=shipments))
    lines: dict[int, dict[int, OwedLine]] = defaultdict(dict)
    for line in get_model("order", "Line")._default_manager.filter(order__in=ids).order_by("pk"):
        lines[line.order_id][line.pk] = _line(line)
    invoices: dict[int, list[Invoice]] = defaultdict(list)
    for invoice in Invoice._default_manager.filter(fulfillment__in=ids, cancelled_at=None):
        invoices[invoice.fulfillment_id].append(invoice)
    sums = _sums([invoice.pk for listed in invoices.values() for invoice in listed])
    return {row.pk: NoteOrder(row, _facts(row), _owed(row, lines[row.pk], invoices[row.pk], sums)) for row in rows}


def _line(line: Any) -> OwedLine:
    codes = {str(code).strip().casefold() for code in (line.partner_sku, line.upc) if code}
    return OwedLine(line.pk, line.title, frozenset(codes), line.quantity, line.line_price_incl_tax)


def _facts(row: OrderFulfillment) -> OrderFacts:
    address = row.order.shipping_address
    return OrderFacts(
        number=row.number,
        tax_id=row.tax_id,
        currency=row.currency or row.order.currency,
        postcode=(address.postcode or "") if address else "",
        placed_at=row.placed_at,
    )


def _sums(invoice_ids: Sequence[int]) -> dict[int, Decimal]:
    """What these invoices are over, as far as their notes are here."""
    rows = NfeFile._default_manager.filter(invoice__in=invoice_ids, kind=NfeFile.NOTE, status=NfeFile.APPLIED)
    return {pk: Decimal(total) for pk, total in rows.values_list("invoice", "facts__total") if total}


def _owed(
    row: OrderFulfillment, lines: Mapping[int, OwedLine], invoices: Sequence[Invoice], sums: Mapping[int, Decimal]
) -> Owed:
    shipments = list(row.shipments.all())
    there = [one for one in shipments if one.status != CANCELLED]
    counted = [one for one in shipments if (one.status != CANCELLED or one.is_dropped) and one.replaces_id is None]
    covered: dict[int, int] = defaultdict(int)
    for shipment in counted:
        for line in shipment.lines.all():
            covered[line.line_id] += line.quantity
    waiting = [one for one in there if one.status == PENDING and one.invoice_id is None]
    owed = Owed(
        total=row.order.total_incl_tax,
        lines=lines,
        shipments=[OwedShipment(one.pk, one.number, _units(one, lines)) for one in waiting],
        has_notes=bool(invoices),
        is_all=all(covered[pk] >= line.quantity for pk, line in lines.items()),
    )
    # A note that was typed by hand says no sum: it is taken for what its shipments cost.
    typed = {one.pk for one in invoices} - set(sums)
    worth = sum((owed.worth(_units(one, lines)) for one in there if one.invoice_id in typed), Decimal(0))
    known = sum((sums[one.pk] for one in invoices if one.pk in sums), Decimal(0))
    return Owed(
        total=owed.total, lines=lines, shipments=owed.shipments, invoiced=known + worth, has_notes=owed.has_notes,
        is_all=owed.is_all,
    )  # fmt: skip


def _units(shipment: Shipment, lines: Mapping[int, OwedLine]) -> dict[int, int]:
    return {line.line_id: line.quantity for line in shipment.lines.all() if line.line_id in lines}
