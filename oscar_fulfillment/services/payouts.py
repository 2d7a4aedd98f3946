"""The payout of provider payments: card money is in once the provider has paid it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import StatusChange

from .door import move

CONFIRM = Move("provider", "confirm_payout", is_record=True)


def confirm_payout(
    *, order: Any, actor: Actor, reference: str = "", expected_version: int | None = None, key: str = ""
) -> StatusChange:
    """Say that the provider has paid an order's money out; a delivered order is completed by it.

    ``reference`` is the payout's (at most 128 characters).
    """
    reference = clean_text("reference", reference, limit=128)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if not step.subject.awaits_payout:
                step.refuse(Reason("no_payout", _("No payout is awaited for this order.")))
                continue
            step.fields["awaits_payout"] = False

    return move(
        order, CONFIRM, actor=actor, data={"reference": reference}, effect=effect,
        expected_version=expected_version, key=key, lock=True,
    )  # fmt: skip
