"""Money found to be in, held, or not coming."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import OrderFulfillment, StatusChange

from . import followups, ledger, messages, money, oscar_events
from .cancelling import close_payments
from .door import move

APPROVE = Move("payment", "approve_payment")


def approve_effect(steps: Sequence[Step]) -> None:
    """The ledger (what was not in yet, is), Oscar's payment event and the customer's mail."""
    reference = steps[0].context.get("reference", "") if len(steps) == 1 else ""
    had_some = ledger.receive_rest(steps, reference)
    end_of_waiting([step for step in steps if step.subject.pk in had_some or _has_clock(step)])
    # Over the provider's head: what is open there is closed, so that nobody pays twice.
    if overridden := [step for step in steps if step.context.get("override")]:
        close_payments(overridden)
    oscar_events.record_payments(steps, oscar_events.PAID, reference)
    for step in steps:
        if step.context.get("notify", True):
            messages.mail(step, messages.PAYMENT_APPROVED)


def _has_clock(step: Step) -> bool:
    method = step.subject.payment_method
    return method is not None and method.has_clock


def end_of_waiting(steps: Sequence[Step]) -> None:
    """The clock stops, and nobody need call any more."""
    if steps:
        ids = [step.subject.pk for step in steps]
        # An approval writes without locking first. Whoever touches these rows holds the fulfillment row, so take it
        # before them; the write compares versions, as ever.
        lock_rows(OrderFulfillment._default_manager.filter(pk__in=ids))
        money.end_terms(*ids)
        followups.close_for_orders(ids, followups.ABOUT_PAYING, "done", steps[0].actor.label)


def approve_payment(
    *,
    order: Any,
    actor: Actor,
    reference: str = "",
    reason: str = "",
    override: bool = False,
    notify: bool = True,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Say that the money is in. A person does so for manual methods; a provider's order needs ``override``.

    ``reference`` is the bank's or provider's (at most 128 characters). An override needs a written reason and shows
    as such in the history; the caller checks the permission ``override_payment``.
    """
    reference = clean_text("reference", reference, limit=128)
    reason = clean_text("reason", reason, required=override)
    return move(
        order,
        APPROVE,
        actor=actor,
        reason=reason,
        data=_facts(order, actor, reference, override),
        context={"reference": reference, "override": override, "notify": notify},
        effect=approve_effect,
        # It asks providers to close what is open: rows that are written under the lock only.
        lock=override,
        expected_version=expected_version,
        key=key,
    )


def _facts(order: Any, actor: Actor, reference: str, override: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"amount": str(order.total_incl_tax), "currency": order.currency}
    if reference:
        data["reference"] = reference
    if override:
        if actor.kind != USER:
            raise InvalidInput({"override": [_("Only a person overrides a provider.")]})
        data["override"] = True
    return data
