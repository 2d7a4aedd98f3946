"""Goods leave, arrive, or come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Shipment, ShipmentLine, StatusChange
from oscar_fulfillment.models.shipment import DELIVERED, DISPATCHED, PENDING, RETURNED

from . import cancelling, ledger, messages, operations, oscar_events, parcels, payments, stock
from .door import move
from .shipments import ShipmentBook, split_off

DISPATCH = Move("shipping", "dispatch")
DELIVER = Move("shipping", "deliver")
RETURN = Move("shipping", "return")


def dispatch_effect(steps: Sequence[Step]) -> None:
    """Pending (and invoiced, where the flow invoices) shipments leave; their goods leave the stock."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    book = ShipmentBook(ids)
    used: dict[int, int] = {}
    events, leaving = [], []
    for step in steps:
        going = _chosen(step, book, PENDING)
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


def _chosen(step: Step, book: ShipmentBook, status: str) -> list[Shipment]:
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


def dispatch_order(
    *,
    order: Any,
    actor: Actor,
    carrier: str = "",
    tracking_code: str = "",
    shipment: int | None = None,
    quantities: Mapping[int, int] | None = None,
    boxes: Sequence[Mapping[str, str]] | None = None,
    notify: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that the goods have left; ``shipment`` (its id) for one of several. The customer is mailed unless not.

    With ``quantities`` (units per line pk) only these leave; the rest stays behind as a shipment of its own.
    ``boxes`` name several parcels, each with ``carrier`` and ``tracking_code``. Raises what
    :func:`parcels.read_parcels` raises.
    """
    given = [{"carrier": carrier, "tracking_code": tracking_code}] if boxes is None else boxes
    typed = parcels.read_parcels(given, order=order)
    return move(
        order,
        DISPATCH,
        actor=actor,
        reason=clean_text("reason", reason),
        context={"parcels": typed, "shipment": shipment, "quantities": quantities, "notify": notify},
        effect=dispatch_effect,
        expected_version=expected_version,
        key=key,
    )


def deliver_effect(steps: Sequence[Step]) -> None:
    """Dispatched shipments have arrived."""
    _arrive(steps, DISPATCHED, DELIVERED, oscar_events.DELIVERED)
    for step in steps:
        if step.reasons:
            continue
        _paid_at_the_door(step)
        if step.context.get("notify", True):
            messages.mail(step, messages.ORDER_DELIVERED)


def _paid_at_the_door(step: Step) -> None:
    """Cash on pick-up or delivery: whoever hands the goods over has the money."""
    method = step.subject.payment_method
    if method is None or not method.paid_on_delivery or step.state("payment") != "awaiting_payment":
        return
    if step.targets.get("shipping") != "delivered":
        return
    if payments.APPROVE.action not in step.machines["payment"].transitions:
        return  # a flow of the shop's own
    step.moves = [*step.moves, payments.APPROVE]
    step.targets["payment"] = "paid"
    had_some = ledger.receive_rest([step], type_name=method.name)
    if had_some or method.has_clock:
        payments.end_of_waiting([step])
    oscar_events.record_payments([step], oscar_events.PAID)


def _arrive(steps: Sequence[Step], before: str, after: str, event: str) -> ShipmentBook:
    book = ShipmentBook([step.subject.pk for step in steps])
    events, changed = [], []
    for step in steps:
        moving = _chosen(step, book, before)
        if not moving:
            step.refuse(Reason("nothing_under_way", _("Nothing of this order is under way.")))
            continue
        for shipment in moving:
            shipment.status = after
            if after == DELIVERED:
                shipment.delivered_at = step.context.get("delivered_at") or step.now
        changed += moving
        events.append((step.subject.order, book.quantities(moving), ""))
        step.data["shipments"] = [shipment.pk for shipment in moving]
        step.targets["shipping"] = book.resolve(
            step.subject.pk, has_backorder=step.subject.has_backorder, pending=step.state("shipping")
        )
    if changed:
        Shipment._default_manager.bulk_update(changed, ["status", "delivered_at"])
        parcels.arrive_with(changed, after, steps[0].now)
        oscar_events.record_shipping(event, events)
    return book


def deliver_order(
    *,
    order: Any,
    actor: Actor,
    shipment: int | None = None,
    delivered_at: datetime | None = None,
    notify: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that the goods have arrived: all that is under way, or one shipment (its id).

    ``delivered_at`` by the carrier's clock; default: now.
    """
    return move(
        order,
        DELIVER,
        actor=actor,
        reason=clean_text("reason", reason),
        context={"shipment": shipment, "notify": notify, "delivered_at": delivered_at},
        effect=deliver_effect,
        expected_version=expected_version,
        key=key,
    )


def return_effect(steps: Sequence[Step]) -> None:
    """Every shipment that left has come back; counted into the stock again where asked."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    book = ShipmentBook(ids)
    moving = [s for step in steps for s in book.of(step.subject.pk) if s.status in (DISPATCHED, DELIVERED)]
    # Units that came back before, in a return of their own, are counted already.
    back = {s.pk: {line.line_id: line.quantity - line.returned for line in s.lines.all()} for s in moving}
    for shipment in moving:
        shipment.status = RETURNED
    Shipment._default_manager.bulk_update(moving, ["status"])
    parcels.come_back_with(moving)
    ShipmentLine._default_manager.filter(shipment__in=moving).update(returned=F("quantity"))
    if steps[0].context["restock"]:
        stock.put_back(locked, _sum(back.values()))
    events = []
    for step in steps:
        own = [s for s in moving if s.fulfillment_id == step.subject.pk]
        step.data |= {"shipments": [s.pk for s in own], "restock": step.context["restock"]}
        events.append((step.subject.order, _sum(back[s.pk] for s in own), ""))
    nothing_to_pay([step for step in steps if step.subject.is_payable()])
    oscar_events.record_shipping(oscar_events.RETURNED, events)


def _sum(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Units per order line pk over several shipments."""
    total: dict[int, int] = {}
    for part in parts:
        for pk, units in part.items():
            total[pk] = total.get(pk, 0) + units
    return total


def nothing_to_pay(steps: Sequence[Step]) -> None:
    """Who sent everything back owes nothing: no reminders, no hold. Money that is in stays until it is refunded."""
    cancels = cancelling.CANCEL_PAYMENT
    steps = [
        step for step in steps
        if cancels.action in step.machines["payment"].transitions
        and not (step.subject.has_money and ledger.totals(step.subject.pk).net > 0)
    ]  # fmt: skip
    for step in steps:
        step.moves = [*step.moves, cancels]
        step.targets["payment"] = "cancelled"
    if steps:
        payments.end_of_waiting(steps)
        cancelling.close_payments(steps)


def return_order(
    *,
    order: Any,
    actor: Actor,
    reason: str,
    restock: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that everything came back (refused at the door, not found); a reason is required."""
    return move(
        order,
        RETURN,
        actor=actor,
        reason=clean_text("reason", reason, required=True),
        context={"restock": restock},
        effect=return_effect,
        expected_version=expected_version,
        key=key,
    )
