"""Goods leave, arrive, or come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Shipment, StatusChange
from oscar_fulfillment.models.shipment import DELIVERED, DISPATCHED, PENDING, RETURNED

from . import cancelling, ledger, messages, operations, oscar_events, payments, stock
from .door import move
from .shipments import ShipmentBook, split_off

DISPATCH = Move("shipping", "dispatch")
DELIVER = Move("shipping", "deliver")
RETURN = Move("shipping", "return")
CHANGE_TRACKING = Move("shipment", "change_tracking", is_record=True)


def read_tracking(*, carrier: str, tracking_code: str, language: str = "") -> dict[str, str]:
    """Carrier and code as typed, checked by the carrier: ``carrier, tracking_code, tracking_url``.

    The code may be empty (own van, pick-up). :class:`InvalidInput` for an unknown carrier or a code it cannot be.
    """
    if not carrier and not tracking_code:
        return {"carrier": "", "tracking_code": "", "tracking_url": ""}
    if carrier not in carriers:
        raise InvalidInput({"carrier": [_("Choose one of the shop's carriers.")]})
    adapter = carriers.get(carrier)
    if not tracking_code.strip():
        return {"carrier": carrier, "tracking_code": "", "tracking_url": ""}
    try:
        code = adapter.normalise_tracking_code(tracking_code)
    except ValueError as error:
        raise InvalidInput({"tracking_code": [str(error)]}) from error
    return {"carrier": carrier, "tracking_code": code, "tracking_url": adapter.tracking_url(code, language)[:500]}


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
        typed = step.context["tracking"]
        for shipment in going:
            shipment.status, shipment.dispatched_at = DISPATCHED, step.now
            for name, value in typed.items():
                setattr(shipment, name, value)
        leaving += going
        for pk, quantity in quantities.items():
            used[pk] = quantity
        events.append((step.subject.order, quantities, typed["tracking_code"]))
        step.targets["shipping"] = book.resolve(
            step.subject.pk, has_backorder=step.subject.has_backorder, pending=step.state("shipping")
        )
        _tell(step, going, typed)
        if step.state("payment") == "authorized":
            operations.capture_at_dispatch(step)
    if not events:
        return
    stock.consume(locked, used)
    Shipment._default_manager.bulk_update(
        leaving, ["status", "dispatched_at", "carrier", "tracking_code", "tracking_url"]
    )
    oscar_events.record_shipping(oscar_events.DISPATCHED, events)


def _tell(step: Step, going: Sequence[Shipment], typed: dict[str, str]) -> None:
    ids = [shipment.pk for shipment in going]
    step.data |= {"shipments": ids, **{k: v for k, v in typed.items() if v}}
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
    notify: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that the goods have left; ``shipment`` (its id) for one of several. The customer is mailed unless not.

    With ``quantities`` (units per line pk) only these leave; the rest stays behind as a shipment of its own.
    """
    typed = read_tracking(carrier=carrier, tracking_code=tracking_code, language=_language(order))
    return move(
        order,
        DISPATCH,
        actor=actor,
        reason=clean_text("reason", reason),
        context={"tracking": typed, "shipment": shipment, "quantities": quantities, "notify": notify},
        effect=dispatch_effect,
        expected_version=expected_version,
        key=key,
    )


def _language(order: Any) -> str:
    fulfillment = getattr(order, "fulfillment", None)
    return fulfillment.language if fulfillment is not None else ""


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
            shipment.delivered_at = step.now if after == DELIVERED else shipment.delivered_at
        changed += moving
        events.append((step.subject.order, book.quantities(moving), ""))
        step.data["shipments"] = [shipment.pk for shipment in moving]
        step.targets["shipping"] = book.resolve(
            step.subject.pk, has_backorder=step.subject.has_backorder, pending=step.state("shipping")
        )
    if changed:
        Shipment._default_manager.bulk_update(changed, ["status", "delivered_at"])
        oscar_events.record_shipping(event, events)
    return book


def deliver_order(
    *,
    order: Any,
    actor: Actor,
    shipment: int | None = None,
    notify: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that the goods have arrived: all that is under way, or one shipment (its id)."""
    return move(
        order,
        DELIVER,
        actor=actor,
        reason=clean_text("reason", reason),
        context={"shipment": shipment, "notify": notify},
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
    back = book.quantities(moving)
    for shipment in moving:
        shipment.status = RETURNED
    Shipment._default_manager.bulk_update(moving, ["status"])
    if steps[0].context["restock"]:
        stock.put_back(locked, back)
    events = []
    for step in steps:
        own = [s for s in moving if s.fulfillment_id == step.subject.pk]
        step.data |= {"shipments": [s.pk for s in own], "restock": step.context["restock"]}
        events.append((step.subject.order, book.quantities(own), ""))
    _nothing_to_pay([step for step in steps if step.subject.is_payable()])
    oscar_events.record_shipping(oscar_events.RETURNED, events)


def _nothing_to_pay(steps: Sequence[Step]) -> None:
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


def change_tracking(
    *,
    order: Any,
    actor: Actor,
    shipment: int,
    carrier: str,
    tracking_code: str,
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Correct the tracking code of a shipment that has left; the customer gets the right link unless not."""
    typed = read_tracking(carrier=carrier, tracking_code=tracking_code, language=_language(order))

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            found = Shipment._default_manager.filter(pk=shipment, fulfillment=step.subject, status=DISPATCHED)
            before = found.first()
            if before is None:
                step.refuse(Reason("not_under_way", _("This shipment is not under way.")))
                continue
            found.update(**typed)
            step.data |= {"shipment": shipment, "before": before.tracking_code, "after": typed["tracking_code"]}
            if step.context["notify"]:
                messages.mail(step, messages.ORDER_DISPATCHED, shipments=[shipment])

    return move(
        order,
        CHANGE_TRACKING,
        actor=actor,
        context={"notify": notify},
        effect=effect,
        expected_version=expected_version,
        key=key,
        lock=True,
    )
