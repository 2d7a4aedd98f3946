"""Carriage ordered from a carrier: asked for in a step, sent by the workers, its number taken over when it comes.

    request (row + outbox message, in the step's transaction) -> run_message: the carrier is called, at most once in
    effect -> settle: the number goes to the shipment's box and to the customer.

When an answer is lost, the next try looks for our reference before it orders again. Carriers that answer "accepted" are
asked until they give the number (:func:`watch_orders`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.carriers import carriers, suggest
from oscar_fulfillment.carriers.base import Capability, Carrier
from oscar_fulfillment.carriers.events import CarrierOrderState, RemoteOrder
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import (
    AdapterRejected,
    AdapterUnanswered,
    AdapterUnavailable,
    InvalidInput,
)
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import CarrierOrder, Shipment, StatusChange
from oscar_fulfillment.models.shipment import PENDING

from . import carrier_numbers, carrier_requests
from .carrier_requests import lane
from .door import move

logger = logging.getLogger("oscar_fulfillment.carriers")

ORDER = Move("carrier", "order_carriage", is_record=True)
CANCEL = Move("carrier", "cancel_carriage", is_record=True)

#: The problem of a row whose call went out and was not answered.
_LOST = "unanswered"
#: Seconds for which one worker has an order to itself: longer than its calls can take.
CLAIM = 120
#: Seconds between two questions for a number that comes later; the last repeats.
CHECKS = (5, 15, 60, 300, 900)


def orders_itself(order: Any) -> str:
    """The alias of the carrier from which this order's carriage is ordered at release, "" if none."""
    alias = suggest(order)
    if not alias:
        return ""
    adapter = carriers.get(alias)
    return alias if adapter.creates_orders and Capability.CREATE_ORDER in adapter.capabilities else ""


def order_at_release(pairs: Sequence[tuple[Step, Shipment]]) -> None:
    """Order the carriage of shipments that were just made, where the carrier is switched so. Part of the release."""
    for step, shipment in pairs:
        if alias := orders_itself(step.subject.order):
            _ask_for(step, shipment, alias)


def _ask_for(step: Step, shipment: Shipment, alias: str) -> CarrierOrder:
    tries = CarrierOrder._default_manager.filter(shipment=shipment).count()
    row = CarrierOrder._default_manager.create(
        shipment=shipment,
        carrier=alias,
        reference=carrier_requests.reference_of(step.subject.number, shipment, tries + 1),
        requested_at=step.now,
        requested_by_label=step.actor.label[:150],
    )
    step.messages.append(
        OutboxMessage(lane(alias), "order", row.reference, {"carrier_order": row.pk}, order_id=step.subject.pk)
    )
    return row


def request_carriage(
    *,
    order: Any,
    shipment: int,
    actor: Actor,
    carrier: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Order the carriage of a shipment that is still here; ``carrier`` defaults to the shipping method's.

    Refused while one stands; :class:`InvalidInput` for a carrier that takes no orders.
    """
    alias = carrier or suggest(order)
    if alias not in carriers or Capability.CREATE_ORDER not in carriers.get(alias).capabilities:
        raise InvalidInput({"carrier": [_("This carrier takes no orders from here.")]})

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            row = Shipment._default_manager.filter(pk=shipment, fulfillment=step.subject, status=PENDING).first()
            if row is None:
                step.refuse(Reason("not_pending", _("This shipment does not wait to be sent.")))
                continue
            if row.carrier_orders.filter(status__in=CarrierOrder.STANDING).exists():
                step.refuse(Reason("ordered_already", _("The carriage of this shipment is ordered already.")))
                continue
            made = _ask_for(step, row, alias)
            step.data |= {"carrier": alias, "shipment": row.pk, "reference": made.reference}

    try:
        return move(order, ORDER, actor=actor, effect=effect, expected_version=expected_version, key=key, lock=True)
    except IntegrityError as error:
        raise InvalidInput({"shipment": [_("The carriage of this shipment is ordered already.")]}) from error


def cancel_carriage(
    *, order: Any, carrier_order: int, actor: Actor, reason: str, expected_version: int | None = None, key: str = ""
) -> StatusChange:
    """Take the order at the carrier back; a reason is required. The carrier is called by the workers."""
    reason = clean_text("reason", reason, required=True)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            row = CarrierOrder._default_manager.filter(
                pk=carrier_order, shipment__fulfillment=step.subject, status__in=CarrierOrder.STANDING
            ).first()
            if row is None:
                step.refuse(Reason("not_ordered", _("There is no order at the carrier that stands.")))
                continue
            step.data |= {"carrier": row.carrier, "reference": row.reference}
            ask_to_cancel(step, [row])

    return move(
        order, CANCEL, actor=actor, reason=reason, effect=effect, expected_version=expected_version, key=key, lock=True
    )


def ask_to_cancel(step: Step, rows: Sequence[CarrierOrder]) -> None:
    """Part of a step: these orders are to be taken back, because a person says so or their goods stay here."""
    for row in rows:
        CarrierOrder._default_manager.filter(pk=row.pk, status__in=CarrierOrder.STANDING).update(
            status=CarrierOrder.CANCELLING, next_check_at=None
        )
        step.messages.append(
            OutboxMessage(
                lane(row.carrier), "cancel", row.reference, {"carrier_order": row.pk}, order_id=step.subject.pk
            )
        )


def cancel_of_shipments(step: Step, shipments: Sequence[Any]) -> None:
    """Part of a step whose shipments are given up: what was ordered for them is taken back."""
    ask_to_cancel(
        step, list(CarrierOrder._default_manager.filter(shipment__in=shipments, status__in=CarrierOrder.STANDING))
    )


# The workers' side


def run_message(message: Any) -> None:
    """The outbox's handler of a carrier's lane."""
    pk = message.payload["carrier_order"]
    if message.kind == carrier_numbers.ASK:
        row = CarrierOrder._default_manager.filter(pk=pk, status=CarrierOrder.ACCEPTED).first()
        if row is not None and row.carrier in carriers:
            refresh_order(row)
    else:
        run_order(pk, cancel=message.kind == "cancel")


def run_order(pk: int, *, cancel: bool = False) -> CarrierOrder:
    """Call the carrier for one order and settle its answer. Raises :class:`AdapterUnavailable` to be tried again."""
    row = _claim(pk)
    wanted = CarrierOrder.CANCELLING if cancel else CarrierOrder.REQUESTED
    if row.status != wanted:
        _release(row)
        return row
    adapter = carriers.get(row.carrier) if row.carrier in carriers else None
    if adapter is None:
        _release(row)
        raise AdapterUnavailable(f"the carrier {row.carrier!r} is not configured")
    try:
        return _cancel(row, adapter) if cancel else _order(row, adapter)
    except AdapterUnanswered:
        _release(row, _LOST)
        raise
    except AdapterUnavailable as error:
        _release(row, str(error))
        raise
    except AdapterRejected as error:
        return carrier_numbers.settle(row.pk, RemoteOrder("", CarrierOrderState.INVALID, problem=str(error)))
    except Exception as error:
        _release(row, type(error).__name__)
        raise


def _order(row: CarrierOrder, adapter: Carrier) -> CarrierOrder:
    remote = _find(row, adapter) if row.attempts > 1 else None
    if remote is None:
        request = carrier_requests.build_request(row)
        remote = adapter.create_order(request, key=row.reference)
    return carrier_numbers.settle(row.pk, remote)


def _find(row: CarrierOrder, adapter: Carrier) -> RemoteOrder | None:
    """An earlier try may have been done. Where the carrier cannot be searched, a person decides."""
    if Capability.FIND_ORDER in adapter.capabilities:
        return adapter.find_order(row.reference)
    if row.problem == _LOST:
        raise AdapterRejected(_("The carrier's answer was lost. Look there whether the order exists."))
    return None


def _cancel(row: CarrierOrder, adapter: Carrier) -> CarrierOrder:
    external_id = row.external_id
    if not external_id and Capability.FIND_ORDER in adapter.capabilities:
        found = adapter.find_order(row.reference)
        external_id = found.external_id if found is not None else ""
    # Without a number it never got there.
    remote = adapter.cancel_order(external_id) if external_id else RemoteOrder("", CarrierOrderState.CANCELLED)
    return carrier_numbers.settle(row.pk, remote)


def _claim(pk: int) -> CarrierOrder:
    now = timezone.now()
    rows = CarrierOrder._default_manager.filter(pk=pk)
    taken = rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=now), status__in=CarrierOrder.STANDING).update(
        claimed_until=now + timedelta(seconds=CLAIM), attempts=F("attempts") + 1
    )
    found = rows.select_related("shipment__fulfillment__order__shipping_address__country").first()
    if found is None:
        raise AdapterRejected("the order at the carrier is gone")
    if not taken and found.status in CarrierOrder.STANDING:
        raise AdapterUnavailable("somebody else is asking the carrier")
    return found


def _release(row: CarrierOrder, error: str = "") -> None:
    CarrierOrder._default_manager.filter(pk=row.pk, claimed_until=row.claimed_until).update(
        claimed_until=None, problem=error[:500] if error else row.problem
    )


def watch_orders(*, budget: float) -> int:
    """Ask for orders whose number is still to come; how many were asked for."""
    now, ends, asked = timezone.now(), time.monotonic() + budget, 0
    down: set[str] = set()
    for row in CarrierOrder._default_manager.filter(next_check_at__lte=now).order_by("next_check_at")[:200]:
        if time.monotonic() >= ends:
            break
        if row.carrier in down or row.carrier not in carriers:
            continue
        following = now + timedelta(seconds=CHECKS[min(row.attempts, len(CHECKS) - 1)])
        taken = CarrierOrder._default_manager.filter(pk=row.pk, next_check_at=row.next_check_at)
        if not taken.update(next_check_at=following, attempts=F("attempts") + 1):
            continue
        asked += 1
        try:
            refresh_order(row)
        except AdapterUnavailable as error:
            down.add(row.carrier)
            logger.warning("order %s cannot be asked for: %s", row.reference, error)
        except Exception:
            logger.exception("order %s could not be settled", row.reference)
    return asked


def refresh_order(row: CarrierOrder) -> CarrierOrder:
    """Ask the carrier how an order stands, and settle it. Raises what the adapter raises."""
    adapter = carriers.get(row.carrier)
    remote = adapter.fetch_order(row.external_id) if row.external_id else adapter.find_order(row.reference)
    return row if remote is None else carrier_numbers.settle(row.pk, remote)


def label(carrier_order: CarrierOrder) -> bytes:
    """The carrier's own label as PDF. Raises what the adapter raises, and AdapterRejected before there is a number."""
    if not carrier_order.external_id or carrier_order.status != CarrierOrder.CREATED:
        raise AdapterRejected(_("The carrier has not given its number yet."))
    return carriers.get(carrier_order.carrier).label(carrier_order.external_id)
