"""Goods that are not sent as they were to be: a shipment is taken back, or the rest of an order is not sent at all.

==========================  ==============================  ==================  =====================================
given up                    what else the order has         goods               order
==========================  ==============================  ==================  =====================================
a shipment, goods kept      no other shipment               wait for a release  received
a shipment, goods kept      others, all still here          wait for a release  as :func:`name_pending` says of those
a shipment, goods kept      others, some have left          wait for a release  partially_dispatched
a shipment, goods dropped   neither shipment nor waiting    --                  refused: the order is to be cancelled
a shipment, goods dropped   no shipment, some goods wait    free again          received
a shipment, goods dropped   others, all still here          free again          as :func:`name_pending` says of those
a shipment, goods dropped   others left, some still here    free again          partially_dispatched
                            or goods wait
a shipment, or the rest     all others have left            free again          dispatched, delivered or returned
the rest                    nothing has left                --                  refused: the order is to be cancelled
==========================  ==============================  ==================  =====================================

Goods of a valid fiscal document are not given up: it is taken back first. The money of goods that are dropped is paid
back by a person: a problem and a follow-up say how much. Until then what is asked for, charged and counted as too much
goes by ``selectors.given_up``.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Hold, Invoice, Packing, Parcel, Shipment, StatusChange
from oscar_fulfillment.models.shipment import CANCELLED, PENDING
from oscar_fulfillment.selectors.given_up import needed

from . import carrier_orders, followups, late_money, ledger, notes, stock
from .cancelling import REFUND_DUE
from .door import move
from .return_outcomes import reopen_returns
from .shipments import ShipmentBook, create_shipments, name_pending, resolve_shipping_status

CANCEL_SHIPMENT = Move("shipping", "cancel_shipment")


def cancel_shipment(
    *,
    order: Any,
    shipment: int,
    keep: bool,
    reason: str,
    actor: Actor,
    for_customer: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Take a shipment back that is still here; a reason is required.

    ``keep``: its goods stay reserved and wait to be released again. Else they are not sent at all: they are free for
    others, and count as dealt with. ``for_customer`` is mailed to the customer and shown in the account.
    """
    return _give_up(order, shipment, keep, actor, reason, for_customer, expected_version, key)


def cancel_rest(
    *,
    order: Any,
    reason: str,
    actor: Actor,
    for_customer: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Send nothing more of an order that was sent in part: what is still here and what it still waits for.

    The order is then dispatched or delivered as a whole. A reason is required; refused while nothing has left.
    """
    return _give_up(order, None, False, actor, reason, for_customer, expected_version, key)


def _give_up(
    order: Any, shipment: int | None, keep: bool, actor: Actor, reason: str, text: str, version: int | None, key: str
) -> StatusChange:
    return move(
        order,
        CANCEL_SHIPMENT,
        actor=actor,
        reason=clean_text("reason", reason, required=True),
        context={"shipment": shipment, "keep": keep, "for_customer": clean_text("for_customer", text)},
        effect=cancel_effect,
        expected_version=version,
        key=key,
    )


def cancel_effect(steps: Sequence[Step]) -> None:
    """See :func:`cancel_shipment` and :func:`cancel_rest` (``shipment`` None)."""
    ids = [step.subject.pk for step in steps]
    locked = stock.lock_stock(ids)
    book = ShipmentBook(ids)
    for step in steps:
        wanted, keep = step.context["shipment"], step.context["keep"]
        pending = book.of(step.subject.pk, PENDING)
        given_up = [each for each in pending if wanted in (None, each.pk)]
        others = [each for each in book.of(step.subject.pk) if each not in given_up]
        covered = book.covered(step.subject.pk)
        waiting = {
            line.pk: line.quantity - covered.get(line.pk, 0)
            for line in locked.lines_of(step.subject.pk)
            if line.quantity > covered.get(line.pk, 0)
        }
        if reason := _why_not(step, given_up, others, waiting):
            step.refuse(reason)
            continue
        units = book.quantities(given_up)
        if wanted is None and waiting:
            given_up += _drop_waiting(step, waiting)
            units = {pk: units.get(pk, 0) + waiting.get(pk, 0) for pk in {*units, *waiting}}
        _close(step, given_up, dropped=not keep)
        has_backorder = keep or bool(waiting and wanted is not None)
        _name(step, others, has_backorder)
        step.data |= {
            "shipments": [each.pk for each in given_up],
            "lines": {str(pk): quantity for pk, quantity in units.items()},
            "keep": keep,
        }
        if not keep:
            stock.free(locked, units)
            _money_is_due(step)
        if text := step.context["for_customer"]:
            notes.tell_customer(step, text)


def _why_not(
    step: Step, given_up: Sequence[Shipment], others: Sequence[Shipment], waiting: dict[int, int]
) -> Reason | None:
    is_rest, keep = step.context["shipment"] is None, step.context["keep"]
    if not given_up and not (is_rest and waiting):
        return Reason("not_pending", _("This shipment does not wait to be sent."))
    documents = [each.invoice_id for each in given_up if each.invoice_id]
    valid = Invoice._default_manager.filter(pk__in=documents, cancelled_at=None).exclude(kind="none")
    if documents and valid.exists():
        return Reason("invoice_valid", _("These goods have a valid fiscal document."), _("Take the invoice back first"))
    if keep and any(each.replaces_id for each in given_up):
        return Reason("replacement", _("What replaces returned goods cannot be released again."))
    has_left = any(each.status != PENDING for each in others)
    if (is_rest and not has_left) or (not keep and not others and not waiting):
        return Reason("nothing_left", _("Nothing of this order would be sent."), _("Cancel this order"))
    return None


def _drop_waiting(step: Step, waiting: dict[int, int]) -> list[Shipment]:
    """What was never released is given up as a shipment of its own, so that it counts as dealt with."""
    return create_shipments([(step, waiting)], step.now)


def _close(step: Step, given_up: Sequence[Shipment], *, dropped: bool) -> None:
    carrier_orders.cancel_of_shipments(step, given_up)
    Packing._default_manager.filter(shipment__in=given_up).delete()
    boxes = Parcel._default_manager.filter(shipment__in=given_up).exclude(status=CANCELLED)
    boxes.update(status=CANCELLED, next_check_at=None)
    Shipment._default_manager.filter(pk__in=[each.pk for each in given_up]).update(
        status=CANCELLED, is_dropped=dropped, ready_at=None, pickup_code=""
    )
    # What was to go out again for goods that came back: what comes of them is to be decided anew.
    reopen_returns(given_up)


def _name(step: Step, others: Sequence[Shipment], has_backorder: bool) -> None:
    """The order's status from what it has left; see the table above."""
    machine = step.machines["shipping"]
    pending = machine.initial
    if others:
        documents = [each.invoice_id is not None for each in others]
        pending = name_pending(documents, machine.transitions[CANCEL_SHIPMENT.action].targets)
    status = resolve_shipping_status((each.status for each in others), has_backorder=has_backorder, pending=pending)
    step.targets["shipping"] = status
    step.fields["has_backorder"] = has_backorder
    if not has_backorder and not any(each.status == PENDING for each in others) and step.subject.hold_count:
        # Nothing is left that could wait.
        Hold._default_manager.filter(fulfillment=step.subject, released_at=None).update(
            released_at=step.now, released_by_label=step.actor.label
        )
        step.fields["hold_count"] = 0


def _money_is_due(step: Step) -> None:
    """The money of what is not sent is in: a problem to settle, and a follow-up that says how much."""
    fulfillment, order = step.subject, step.subject.order
    paid = fulfillment.payment_status in ("paid", "partially_refunded")
    money = ledger.totals(fulfillment.pk) if fulfillment.has_money or paid else ledger.Totals()
    # An order that was approved before there was a ledger has its total.
    received = money.net if money.debited or not paid else order.total_incl_tax
    still_needed = needed(fulfillment)
    due = received - still_needed - late_money.credited(fulfillment.pk)
    if due <= Decimal(0):
        return
    step.fields["problem"] = REFUND_DUE
    followups.open_followup(
        kind=followups.OVERPAID,
        key=f"given-up:{fulfillment.pk}:{fulfillment.version}",
        fulfillment_id=fulfillment.pk,
        data={"received": received, "expected": still_needed, "difference": due, "currency": order.currency},
    )
