"""Notes on an order: internal ones for the team, and those the customer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.selectors.customer import CUSTOMER_NOTE_TYPE

from . import messages
from .door import move

INTERNAL = Move("note", "add_note", is_record=True)
FOR_CUSTOMER = Move("note", "tell_customer", is_record=True)
PROBLEM_SETTLED = Move("problem", "resolve_problem", is_record=True)


def add_note(*, order: Any, actor: Actor, text: str, visible_to_customer: bool = False, key: str = "") -> StatusChange:
    """Write a note, as Oscar's ``OrderNote`` too. One for the customer is mailed and shown in the account."""
    text = clean_text("text", text, required=True)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if visible_to_customer:
                tell_customer(step, text)
            else:
                _write(step, text, get_model("order", "OrderNote").INFO)

    return move(order, FOR_CUSTOMER if visible_to_customer else INTERNAL, actor=actor, reason=text, effect=effect,
                key=key)  # fmt: skip


def tell_customer(step: Step, text: str) -> None:
    """Part of a step: a note that the customer reads, by mail and in the account."""
    note = _write(step, text, CUSTOMER_NOTE_TYPE)
    messages.mail(step, messages.CUSTOMER_NOTE, note_id=note.pk)


def _write(step: Step, text: str, kind: str) -> Any:
    note = get_model("order", "OrderNote")._default_manager.create(
        order=step.subject.order, user=step.actor.user, message=text, note_type=kind
    )
    step.data["note"] = note.pk
    return note


def resolve_problem(
    *, order: Any, actor: Actor, reason: str, expected_version: int | None = None, key: str = ""
) -> StatusChange:
    """Say that the order's problem is settled, and how."""

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if not step.subject.problem:
                step.refuse(Reason("no_problem", _("This order has no open problem.")))
                continue
            step.data["problem"] = step.subject.problem
            step.fields["problem"] = ""

    return move(order, PROBLEM_SETTLED, actor=actor, reason=clean_text("reason", reason, required=True),
                effect=effect, expected_version=expected_version, key=key)  # fmt: skip
