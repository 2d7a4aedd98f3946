"""What all that write returns share: the step under the order's lock, the units that may come back, the new row.

Whoever writes to a return holds the lock of its order's fulfillment row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Return, ReturnLine, StatusChange
from oscar_fulfillment.models.returns import REASON_LABELS
from oscar_fulfillment.selectors.return_units import Balance, balances, too_late

from .door import move

UNDELIVERABLE = "undeliverable"
#: Units and reason per order line pk.
Wanted = Mapping[int, tuple[int, str]]


def move_return(
    ret: Return,
    move_: Move,
    *,
    actor: Actor,
    sources: Sequence[str],
    write: Callable[[Step, Return], None],
    **options: Any,
) -> Return:
    """Take a step with a return that is in one of ``sources``, under its order's lock; the return as it is then."""

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            row = find_return(step, ret.pk, sources)
            if row is None:
                continue
            name_return(step, row)
            write(step, row)
            if not step.reasons:
                row.save()

    move(ret.fulfillment.order, move_, actor=actor, effect=effect, lock=True, **options)
    return Return._default_manager.select_related("fulfillment__order").get(pk=ret.pk)


def find_return(step: Step, pk: int, sources: Sequence[str]) -> Return | None:
    """The return as it is under the lock; the step is refused where it is in none of ``sources``."""
    row = Return._default_manager.filter(pk=pk, fulfillment=step.subject).first()
    if row is None:
        step.refuse(Reason("no_return", _("This order has no such return.")))
    elif row.status not in sources:
        message = _("Not possible: the return is “%(state)s”.") % {"state": row.status_label}
        step.refuse(Reason("return_state", message))
        return None
    return row


def name_return(step: Step, row: Return) -> None:
    """What history and signals say of the return that a step is about."""
    step.data |= {"return": row.pk, "return_number": row.number}
    step.context["announce"] = {**step.context.get("announce", {}), "return_id": row.pk}


def read_lines(lines: Wanted, *, by_customer: bool = False) -> dict[int, tuple[int, str]]:
    """The lines with units, their units and reasons checked."""
    for pk, (units, reason) in lines.items():
        if units < 0:
            raise InvalidInput({f"line_{pk}": [_("Enter a number of units, or leave it empty.")]})
        if units and (reason not in REASON_LABELS or (by_customer and reason == UNDELIVERABLE)):
            raise InvalidInput({f"reason_{pk}": [_("Choose one of the reasons.")]})
    wanted = {pk: (units, reason) for pk, (units, reason) in lines.items() if units}
    if not wanted:
        raise InvalidInput({"lines": [_("Choose at least one unit.")]})
    return wanted


def check_units(step: Step, wanted: Wanted, *, by_customer: bool = False) -> None:
    """Refuse what was never sent, or is back or announced already; for a customer also what is out of time."""
    found = balances(step.subject.pk, now=step.now)
    titles = dict(step.subject.order.lines.values_list("pk", "title"))
    if set(wanted) - set(titles):
        raise InvalidInput({"lines": [_("A line does not belong to this order.")]})
    if not found:
        step.refuse(Reason("nothing_sent", _("Nothing of this order has been sent yet.")))
        return
    errors = {}
    for pk, (units, _reason) in wanted.items():
        balance = found.get(pk, Balance())
        if units > balance.returnable:
            told = {"most": balance.returnable, "title": titles[pk]}
            errors[f"line_{pk}"] = [_("At most %(most)d of “%(title)s” can come back.") % told]
        elif by_customer and units > balance.in_time:
            errors[f"line_{pk}"] = [too_late().message]
    if errors:
        raise InvalidInput(errors)


def write_return(step: Step, wanted: Wanted, *, key: str = "", **values: Any) -> Return:
    """A new return of the order with its lines, in the step's transaction."""
    last = Return._default_manager.filter(fulfillment=step.subject).aggregate(Max("number"))["number__max"] or 0
    row = Return._default_manager.create(
        fulfillment=step.subject,
        number=last + 1,
        created_at=step.now,
        created_by=step.actor.user,
        created_by_label=step.actor.label,
        key=key if len(key) <= 64 and key.isprintable() else hashlib.sha256(key.encode(errors="replace")).hexdigest(),
        **values,
    )
    ReturnLine._default_manager.bulk_create(
        ReturnLine(of=row, line_id=pk, quantity=units, reason=reason) for pk, (units, reason) in wanted.items()
    )
    name_return(step, row)
    return row


def made_by(change: StatusChange) -> Return:
    """The return that a step was about which is only repeated."""
    return Return._default_manager.select_related("fulfillment__order").get(pk=change.data["return"])
