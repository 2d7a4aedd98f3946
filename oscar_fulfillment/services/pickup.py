"""Goods that the customer comes for: made ready with a code, and handed over by that code.

    ready_for_pickup: a code for the shipment, the mail with code and place
    ->  hand_over_order: code (or the reason why it went without), cash, goods leave and arrive at once

Wrong codes are counted in the order's history; after :data:`MOST_TRIES` of them the code counts for nothing until
:data:`REST` has passed. The goods may still be handed over without it, for a written reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step, refusals
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import Shipment, StatusChange
from oscar_fulfillment.models.shipment import PENDING
from oscar_fulfillment.selectors.pickup import read_pickup_code

from . import cash, messages
from .arriving import arrive
from .door import move
from .leaving import dispatch_effect

READY = Move("shipment", "ready_for_pickup", is_record=True)
HAND_OVER = Move("shipping", "hand_over")
WRONG_CODE = Move("pickup", "wrong_code", is_record=True)
#: Digits of a code: to be said at a counter, and one of a hundred million.
DIGITS = 8
MOST_TRIES = 5
REST = timedelta(minutes=10)
#: The largest sum that a counter takes; keeps absurd numbers away from the database.
_MOST_CASH = Decimal("9999999999.99")


def ready_for_pickup(
    *,
    order: Any,
    actor: Actor,
    shipment: int | None = None,
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that a shipment (its id; else the only one that waits) can be collected. The customer gets the code by mail.

    Refused for what cannot be handed over, and for what is ready already.
    """

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            transition = step.machines[HAND_OVER.machine].transitions.get(HAND_OVER.action)
            if transition is None:
                step.refuse(Reason("no_pick_up", _("The customer does not come for this order: it is sent.")))
                continue
            step.reasons += refusals(step, step.machines[HAND_OVER.machine], transition)
            row = None if step.reasons else _waiting(step, shipment)
            if row is None:
                continue
            if row.ready_at is not None:
                step.refuse(Reason("ready_already", _("The customer knows already that these goods are ready.")))
                continue
            row.pickup_code, row.ready_at = _new_code(), step.now
            row.save(update_fields=["pickup_code", "ready_at"])
            step.data["shipment"] = row.pk
            step.context["announce"] = {"shipments": [row.pk]}
            if step.context["notify"]:
                messages.mail(step, messages.PICKUP_READY, shipments=[row.pk])
                step.data["mailed"] = True

    return move(
        order, READY, actor=actor, context={"notify": notify}, effect=effect, expected_version=expected_version,
        key=key, lock=True,
    )  # fmt: skip


def _waiting(step: Step, shipment: int | None) -> Shipment | None:
    """The shipment that is meant; None once the step is refused."""
    rows = Shipment._default_manager.filter(fulfillment=step.subject, status=PENDING).order_by("number")
    if step.subject.flow_definition.invoices:
        rows = rows.filter(invoice__isnull=False)
    found = list(rows.filter(pk=shipment) if shipment is not None else rows[:2])
    if len(found) == 1:
        return found[0]
    if found:
        step.refuse(Reason("which_shipment", _("Several shipments wait: choose one.")))
    else:
        step.refuse(Reason("not_pending", _("This shipment does not wait to be collected.")))
    return None


def _new_code() -> str:
    """A code that none of the goods that wait has; the constraint has the last word."""
    while True:
        # No zero in front, which people and spreadsheets lose.
        code = str(secrets.randbelow(9 * 10 ** (DIGITS - 1)) + 10 ** (DIGITS - 1))
        if not Shipment._default_manager.filter(pickup_code=code, status=PENDING).exists():
            return code


def hand_over_order(
    *,
    order: Any,
    actor: Actor,
    shipment: int | None = None,
    code: str = "",
    handed_to: str = "",
    cash_taken: Decimal | None = None,
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Give the goods to the customer: they leave and arrive at once. ``shipment`` (its id) for one of several.

    ``code`` is the customer's (typed or scanned); without it a ``reason`` is required: how the person was recognised.
    ``cash_taken`` must be what :func:`cash.due_in_cash` says, where the order is paid at the counter.

    :class:`InvalidInput` for a wrong code (it is counted), a missing reason, or the wrong sum.
    """
    handed_to = clean_text("handed_to", handed_to, limit=150)
    reason = clean_text("reason", reason)
    if cash_taken is not None and not (cash_taken.is_finite() and 0 <= cash_taken <= _MOST_CASH):
        raise InvalidInput({"cash_taken": [_("This is no sum of money.")]})
    proven = _check_code(order, actor, shipment, code) if code.strip() else False
    if not proven and not reason:
        raise InvalidInput({"reason": [_("Without the code: write down how you know that it is the customer.")]})

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            row = _waiting(step, step.context["shipment"])
            if row is None:
                continue
            step.context["shipment"] = row.pk
            dispatch_effect([step])
            if step.reasons:
                continue
            arrive([step])
            cash.paid_at_the_counter(step, cash_taken)
            Shipment._default_manager.filter(pk=row.pk).update(handed_to=handed_to)
            step.data |= {"by_code": proven, **({"handed_to": handed_to} if handed_to else {})}

    return move(
        order,
        HAND_OVER,
        actor=actor,
        reason=reason,
        # The customer is there: no mail says that the goods have left, or that they have arrived.
        context={"shipment": shipment, "parcels": [], "notify": False},
        effect=effect,
        expected_version=expected_version,
        key=key,
    )


def _check_code(order: Any, actor: Actor, shipment: int | None, typed: str) -> bool:
    """Whether the code is that of the goods. Wrong ones are counted, each in a transaction of its own."""
    scanned = scan_codes.parse(typed)
    if scanned is not None:
        raise InvalidInput({"code": [_("This code only says which goods are meant. Ask for the customer's own code.")]})
    rows = Shipment._default_manager.filter(fulfillment=order.pk).exclude(pickup_code="")
    rows = rows.filter(pk=shipment) if shipment is not None else rows
    known = list(rows.values_list("status", "pickup_code"))
    # Where nothing waits any more, that of goods that are gone: the same form sent twice has its first result.
    right = {code for status, code in known if status == PENDING} or {code for _status, code in known}
    if not right:
        raise InvalidInput({"code": [_("These goods have no code yet: nobody has said that they are ready.")]})
    since = timezone.now() - REST
    wrong = StatusChange._default_manager.filter(
        fulfillment=order.pk, machine=WRONG_CODE.machine, action=WRONG_CODE.action, created_at__gt=since
    )
    if wrong.count() >= MOST_TRIES:
        minutes = int(REST.total_seconds() // 60)
        message = _("Too many wrong codes. Try again in %(minutes)d minutes, or hand over for a written reason.")
        raise InvalidInput({"code": [message % {"minutes": minutes}]})
    code = read_pickup_code(typed)
    if any(secrets.compare_digest(code.encode(), each.encode()) for each in right):
        return True
    move(order, WRONG_CODE, actor=actor, data={"shipment": shipment} if shipment else {}, lock=True)
    raise InvalidInput({"code": [_("This is not the code of these goods.")]})
