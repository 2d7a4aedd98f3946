"""Goods leave the house: the shipments that may go, their stock, their boxes, what the customer is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.models import Shipment
from oscar_fulfillment.models.shipment import DISPATCHED, PENDING

from . import messages, operations, oscar_events, parcels, stock
from .shipments import ShipmentBook, split_off


def dispatch_effect(steps: Sequence[Step]) -> None:
    """Pending (and invoiced, where the flow invoices) shipments leave; their goods leave the stock."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    book = ShipmentBook(ids)
    used: dict[int, int] = {}
    events, leaving = [], []
    for step in steps:
        going = chosen(step, book, PENDING)
        if step.subject.flow_definition.invoices:
            going = [shipment for shipment in going if shipment.invoice_id]
        if not going:
            step.refuse(Reason("nothing_to_dispatch", _("There is no shipment that could leave.")))
            continue
        wanted = step.context.get("quantities")
        quantities = book.quantities(going) if wanted is None else {pk: qty for pk, qty in wanted.items() if qty}
        # Before anything is written: in a batch the refused ones stay as they are while the others go on.
        pending = operations.void_pending(step.subject.pk) if step.state("payment") == "authorized" else None
        if reason := pending or _short(locked, quantities, used):
            step.refuse(reason)
            continue
        if wanted is not None:
            going = split_off(book, step, going, wanted)
            if step.reasons:
                continue
        typed = step.context["parcels"]
        if len(typed) > 1 and len(going) > 1:
            raise InvalidInput({"shipment": [_("Choose the shipment that these parcels belong to.")]})
        for shipment in going:
            shipment.status, shipment.dispatched_at = DISPATCHED, step.now
        leaving += going
        for pk, quantity in quantities.items():
            used[pk] = quantity
        events.append((step.subject.order, quantities, ", ".join(each["tracking_code"] for each in typed)))
        step.targets["shipping"] = book.resolve(
            step.subject.pk, has_backorder=step.subject.has_backorder, pending=step.state("shipping")
        )
        _tell(step, going, typed)
        if step.state("payment") == "authorized":
            operations.capture_at_dispatch(step)
    if not events:
        return
    stock.consume(locked, used)
    Shipment._default_manager.bulk_update(leaving, ["status", "dispatched_at"])
    # The batch shares its context: one form for all.
    parcels.send_parcels(leaving, steps[0].context["parcels"], steps[0].now)
    oscar_events.record_shipping(oscar_events.DISPATCHED, events)


def _tell(step: Step, going: Sequence[Shipment], typed: Sequence[Mapping[str, str]]) -> None:
    ids = [shipment.pk for shipment in going]
    step.data["shipments"] = ids
    if names := sorted({each["carrier"] for each in typed if each["carrier"]}):
        step.data["carrier"] = names[0] if len(names) == 1 else ", ".join(names)
    if codes := [each["tracking_code"] for each in typed if each["tracking_code"]]:
        step.data["tracking_code"] = ", ".join(codes)
    step.context["announce"] = {"shipments": ids}
    if step.context.get("notify", True):
        messages.mail(step, messages.ORDER_DISPATCHED, shipments=ids)
        step.data["mailed"] = True


def chosen(step: Step, book: ShipmentBook, status: str) -> list[Shipment]:
    """The shipments of this status, or the one the person chose."""
    found = book.of(step.subject.pk, status)
    wanted = step.context.get("shipment")
    return found if wanted is None else [s for s in found if s.pk == wanted]


def _short(locked: stock.LockedStock, quantities: dict[int, int], used: dict[int, int]) -> Reason | None:
    """Goods that the stock says do not exist cannot leave."""
    per_record: dict[int, int] = {}
    for pk, quantity in [*used.items(), *quantities.items()]:
        line = locked.lines.get(pk)  # None for a foreign line, which is refused with the quantities
        if line is not None and locked.tracks(line):
            per_record[line.stockrecord_id] = per_record.get(line.stockrecord_id, 0) + quantity
    for pk in quantities:
        line = locked.lines.get(pk)
        if line is None or line.stockrecord_id not in per_record:
            continue
        if per_record[line.stockrecord_id] > (locked.records[line.stockrecord_id].num_in_stock or 0):
            return Reason(
                "short",
                _("Not enough in stock: %(lines)s.") % {"lines": line.title},
                _("Count the stock, or cancel the release"),
            )
    return None
