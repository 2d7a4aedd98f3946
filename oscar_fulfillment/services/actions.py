"""What can be done with an order now, by this person, and why the rest cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step, refusals
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.permissions import user_may

#: Steps that programs do, not people on the order page.
_HIDDEN = frozenset({"authorize_payment", "cancel_payment", "reopen_payment", "receive_return", "send_replacement"})
#: Steps that are taken where a shipment is shown, not among the order's.
OF_SHIPMENTS = frozenset({"cancel_shipment"})


@dataclass(frozen=True)
class ActionState:
    """One step as the page shows it: a button, or a disabled one with its reasons."""

    machine: str
    name: str
    label: Any
    form: str
    allowed: bool
    reasons: list[Reason] = field(default_factory=list)
    #: The one prominent next step of the flow.
    is_next: bool = False
    danger: bool = False
    #: Whether it makes sense to show it at all in this state, if only disabled.
    relevant: bool = True


def available_actions(order: Any, user: Any, *, only: str = "") -> list[ActionState]:
    """Every step of the order's flow (or ``only`` this one), in the flow's order, for this user; at most 2 queries."""
    fulfillment: OrderFulfillment = order.fulfillment
    flow, actor = fulfillment.flow_definition, Actor.from_user(user)
    cache: dict[Any, Any] = {}
    found = []
    is_collected = fulfillment.is_collected
    for machine in flow.machines.values():
        for transition in machine.transitions.values():
            if transition.name in _HIDDEN or (only and transition.name != only):
                continue
            if transition.name == "hand_over" and not only and not is_collected:
                continue
            step = Step(fulfillment, [Move(machine.name, transition.name)], actor, timezone.now(), {}, cache=cache)
            reasons = refusals(step, machine, transition)
            if not user_may(user, transition.name):
                reasons = [no_permission(), *reasons]
            found.append((machine, transition, reasons))
    position = {name: index for index, name in enumerate(way_of(fulfillment))}
    found.sort(key=lambda item: position.get(item[1].name, len(position)))
    next_name = _next_step(fulfillment, found, position)
    return [
        ActionState(
            machine.name,
            transition.name,
            transition.label,
            transition.form or "confirm",
            not reasons,
            reasons,
            is_next=transition.name == next_name,
            danger=transition.danger,
            relevant=not any(r.code in ("already_done", "final_state", "all_released") for r in reasons),
        )
        for machine, transition, reasons in found
    ]


def way_of(fulfillment: OrderFulfillment) -> list[str]:
    """The flow's steps in the order that this order takes them: where the goods leave first, the money comes last."""
    steps = list(fulfillment.flow_definition.steps)
    if "hand_over" in fulfillment.flow_definition.shipping.transitions and fulfillment.is_collected:
        # The customer comes: what is handed over has left and arrived at once.
        steps = ["hand_over" if step == "dispatch" else step for step in steps if step != "deliver"]
    if fulfillment.ships_before_payment and "approve_payment" in steps:
        steps.remove("approve_payment")
        steps.append("approve_payment")
    return steps


def _next_step(fulfillment: OrderFulfillment, found: list[Any], position: dict[str, int]) -> str:
    """The first step of the flow that starts in the present states, possible or not (then it says why)."""
    states = {"payment": fulfillment.payment_status, "shipping": fulfillment.shipping_status}
    if states["shipping"] == "cancelled" or states["payment"] == "cancelled":
        return ""
    for machine, transition, reasons in found:
        if transition.name not in position or states[machine.name] not in transition.sources:
            continue
        if any(reason.code in ("all_released", "nothing_to_invoice", "nothing_under_way") for reason in reasons):
            continue
        if transition.name == "approve_payment" and states["payment"] == "authorized":
            continue  # the money is safe: the goods may go on
        return transition.name
    return ""


def no_permission() -> Reason:
    """The refusal that has nothing to do with the order."""
    return Reason("no_permission", _("You do not have the permission for this step."), _("Ask a manager"))
