"""A shop's own steps: transitions of its flow that need nothing but a status, a reason and a history row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import StatusChange

from .door import move

#: Transitions that write more than a status. Moving them without their service would leave stock or money behind.
WITH_SERVICE = frozenset(
    {
        "authorize_payment",
        "approve_payment",
        "capture_payment",
        "reopen_payment",
        "refund_payment",
        "cancel_payment",
        "release",
        "invoice",
        "cancel_invoice",
        "dispatch",
        "deliver",
        "return",
        "hand_over",
        "cancel_shipment",
        "receive_return",
        "send_replacement",
        "restore",
        "cancel",
    }
)


def run_transition(
    *,
    order: Any,
    machine: str,
    action: str,
    actor: Actor,
    target: str = "",
    reason: str = "",
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Take one step of the shop's own flow, with its guards and vetoes.

    ``target`` chooses the state where the step has several. :class:`ValueError` for a step that has a service of its
    own; :class:`InvalidInput` for a target the step does not have.
    """
    if action in WITH_SERVICE:
        raise ValueError(f"{action} has a service of its own")

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            transition = step.machines[machine].transitions[action]
            chosen = target or (transition.targets[0] if len(transition.targets) == 1 else "")
            if chosen not in transition.targets:
                raise InvalidInput({"target": [_("Choose what comes next.")]})
            if machine == "shipping" and chosen in ("dispatched", "delivered", "cancelled", "returned"):
                # A declaration that ends where goods move would skip the stock.
                step.refuse(Reason("needs_goods", _("This step would move goods: it needs a service of its own.")))
                continue
            step.targets[machine] = chosen

    return move(
        order,
        Move(machine, action),
        actor=actor,
        reason=clean_text("reason", reason),
        effect=effect,
        expected_version=expected_version,
        key=key,
    )
