"""Two-way status rules: which status over there moves which of ours, which of ours shows as which of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.records import Rule
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.locks import lock_name
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import OrderFulfillment, StatusRule

from . import cancelling, generic, payments, release, shipping

WINS: dict[str, Any] = {
    StatusRule.LATER: gettext_lazy("The later one"),
    StatusRule.OURS: gettext_lazy("The shop"),
    StatusRule.THEIRS: gettext_lazy("The other system"),
}
#: The most rules of one connector.
MOST = 200


@dataclass(frozen=True)
class OutsideStep:
    """A step that a status over there may take. ``run(order=, actor=, reason=, key=)``.

    ``past``: shipping statuses of orders that have it behind them.
    """

    label: Any
    run: Callable[..., Any]
    past: frozenset[str] = frozenset()


def _cancel(*, order: Any, actor: Actor, reason: str, key: str) -> Any:
    return cancelling.cancel_order(order=order, actor=actor, reason=reason, key=key)


_RELEASED = frozenset({"invoiced", "dispatched", "delivered", "returned"})
_STEPS: dict[str, OutsideStep] = {
    "approve_payment": OutsideStep(gettext_lazy("Approve payment"), payments.approve_payment),
    "release": OutsideStep(gettext_lazy("Release, or take into work"), release.release_order, _RELEASED),
    "dispatch": OutsideStep(gettext_lazy("Dispatch"), shipping.dispatch_order),
    "deliver": OutsideStep(gettext_lazy("Mark as delivered"), shipping.deliver_order),
    "cancel": OutsideStep(gettext_lazy("Cancel the order"), _cancel),
}


def steps() -> dict[str, OutsideStep]:
    """Every step a rule may name: the built-in ones, and those of a shop's own that have no service."""
    found = dict(_STEPS)
    for flow in flows().values():
        for machine in flow.machines.values():
            for name, transition in machine.transitions.items():
                if name not in found and name not in generic.WITH_SERVICE:
                    found[name] = OutsideStep(transition.label, _own(machine.name, name))
    return found


def _own(machine: str, action: str) -> Callable[..., Any]:
    def run(*, order: Any, actor: Actor, reason: str, key: str) -> Any:
        return generic.run_transition(order=order, machine=machine, action=action, actor=actor, reason=reason, key=key)

    return run


def rules_of(alias: str) -> list[Rule]:
    """The rules of a connector: the merchant's, or those it brings with it while there are none. 1 query."""
    rows = list(StatusRule._default_manager.filter(connector=alias))
    if rows:
        return [Rule(row.direction, row.outside, row.step, row.payment, row.shipping, row.wins) for row in rows]
    return list(connectors.get(alias).rules) if alias in connectors else []


def rule_in(rules: Sequence[Rule], state: str) -> Rule | None:
    """The rule for a status over there."""
    return next((rule for rule in rules if rule.direction == StatusRule.IN and rule.outside == state), None)


def heard(alias: str, rules: Sequence[Rule], state: str) -> Rule | None:
    """The rule for a status that a connector tells of: one for its very pipeline goes before one for all."""
    found = rule_in(rules, state)
    if found is None and alias in connectors:
        found = rule_in(rules, connectors.get(alias).plain_state(state))
    return found


def shown(alias: str, rules: Sequence[Rule], fulfillment: OrderFulfillment) -> str:
    """What an order's two statuses are at a connector, in the pipeline that its orders go to; "" where no rule says."""
    state = state_out(rules, fulfillment)
    if not state or alias not in connectors:
        return state
    return connectors.get(alias).state_for(state, fulfillment.flow, fulfillment.currency)


def state_out(rules: Sequence[Rule], fulfillment: OrderFulfillment) -> str:
    """What an order's two statuses are over there, "" where no rule says. A rule that names both goes before one that
    names one; among equals the first in the list."""
    fitting = [
        rule
        for rule in rules
        if rule.direction == StatusRule.OUT
        and rule.payment in ("", fulfillment.payment_status)
        and rule.shipping in ("", fulfillment.shipping_status)
    ]
    fitting.sort(key=lambda rule: bool(rule.payment) + bool(rule.shipping), reverse=True)
    return fitting[0].outside if fitting else ""


def save_rules(*, connector: str, rules: Sequence[Mapping[str, str]]) -> list[StatusRule]:
    """Replace the rules of a connector by these; an empty list takes those back that it brings with it.

    Each has direction, outside, step, payment, shipping, wins (see ``StatusRule``). Raises :class:`InvalidInput` with
    an entry per row ("2": [...]) and nothing written.
    """
    if connector not in connectors:
        raise InvalidInput({"": [_("There is no such system.")]})
    if len(rules) > MOST:
        raise InvalidInput({"": [_("These are too many rules.")]})
    found: list[StatusRule] = []
    errors: dict[str, list[Any]] = {}
    for place, given in enumerate(rules):
        row, problems = _read(connector, given, place)
        if any(_same(row, other) for other in found):
            problems.append(_("Another rule says what becomes of the same status."))
        if problems:
            errors[str(place)] = problems
        found.append(row)
    if errors:
        raise InvalidInput(errors)
    with transaction.atomic():
        lock_name(f"rules:{connector}")
        StatusRule._default_manager.filter(connector=connector).delete()
        return StatusRule._default_manager.bulk_create(found)


def _read(connector: str, given: Mapping[str, str], place: int) -> tuple[StatusRule, list[Any]]:
    problems: list[Any] = []
    outside = ""
    try:
        outside = clean_text("outside", given.get("outside"), limit=100)
    except InvalidInput as error:
        problems += error.errors["outside"]
    direction = given.get("direction", "")
    row = StatusRule(connector=connector, direction=direction, outside=outside, position=place)
    row.wins = given.get("wins") or StatusRule.LATER
    if not outside:
        problems.append(_("Name the status of the other system."))
    if row.wins not in WINS:
        problems.append(_("Choose who wins."))
    if direction == StatusRule.IN:
        row.step = given.get("step", "")
        if row.step not in steps():
            problems.append(_("Choose a step."))
    elif direction == StatusRule.OUT:
        row.payment, row.shipping = given.get("payment", ""), given.get("shipping", "")
        if row.payment not in {"", *states("payment")} or row.shipping not in {"", *states("shipping")}:
            problems.append(_("Choose a status."))
        elif not row.payment and not row.shipping:
            problems.append(_("Choose a payment status, a shipping status, or both."))
    else:
        problems.append(_("Choose a direction."))
    return row, problems


def _same(row: StatusRule, other: StatusRule) -> bool:
    if row.direction != other.direction:
        return False
    if row.direction == StatusRule.IN:
        return row.outside == other.outside
    return (row.payment, row.shipping) == (other.payment, other.shipping)


def states(machine: str) -> dict[str, str]:
    """Every status of a machine in any flow, with what each flow calls it, in the active language."""
    found: dict[str, list[str]] = {}
    for flow in flows().values():
        for name, state in flow.machines[machine].states.items():
            labels = found.setdefault(name, [])
            if str(state.label) not in labels:
                labels.append(str(state.label))
    return {name: " / ".join(labels) for name, labels in found.items()}
