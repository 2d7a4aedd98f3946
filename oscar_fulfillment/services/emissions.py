"""What the services around our own NF-e share: their moves, the lane of a state, the hand-over to the workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterUnavailable
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.transitions import Effect, Move, Step
from oscar_fulfillment.models import NfeEmission, StatusChange

from .door import move

#: The machine of these history rows.
MACHINE = "nfe"
ISSUE = Move(MACHINE, "issue_nfe", is_record=True)
MEND = Move(MACHINE, "mend_nfe", is_record=True)
AUTHORISED = Move(MACHINE, "nfe_authorised", is_record=True)
REJECTED = Move(MACHINE, "nfe_rejected", is_record=True)
DENIED = Move(MACHINE, "nfe_denied", is_record=True)
NOT_ENTERED = Move(MACHINE, "nfe_not_entered", is_record=True)
ENTERED = Move(MACHINE, "nfe_entered", is_record=True)
GIVE_UP = Move(MACHINE, "give_up_nfe", is_record=True)
VOIDED = Move(MACHINE, "nfe_voided", is_record=True)
CANCEL = Move(MACHINE, "cancel_nfe", is_record=True)
CANCELLED = Move(MACHINE, "nfe_cancelled", is_record=True)
CORRECT = Move(MACHINE, "correct_nfe", is_record=True)
CORRECTED = Move(MACHINE, "nfe_corrected", is_record=True)
REFUSED = Move(MACHINE, "nfe_event_refused", is_record=True)

#: The order's problems that notes cause (``selectors.orders.PROBLEMS``).
PROBLEM_REJECTED, PROBLEM_DENIED, PROBLEM_NOT_ENTERED = "nfe_rejected", "nfe_denied", "nfe_not_entered"
PROBLEMS = (PROBLEM_REJECTED, PROBLEM_DENIED, PROBLEM_NOT_ENTERED)

#: Seconds for which one worker has a note to itself: longer than all its calls can take.
CLAIM = 300
#: Kinds of messages in a state's lane.
NOTE, EVENT, VOID = "nfe", "nfe_event", "nfe_void"


def lane(state: str) -> str:
    """The outbox destination of a state's tax office: one that is down delays no other."""
    return f"sefaz:{state.lower()}"


def tax_office(state: str) -> Actor:
    """The one who answers."""
    return Actor.provider(f"SEFAZ {state}")


def note_message(emission: NfeEmission, state: str, *, delay: float = 0) -> OutboxMessage:
    """Let a worker go on with a note; each asking is a message of its own."""
    key = f"{emission.pk}:{emission.attempts}:{timezone.now().timestamp():.3f}"
    return OutboxMessage(lane(state), NOTE, key, {"emission": emission.pk}, delay, emission.fulfillment_id)


def record(emission: NfeEmission, entry: Move, *, actor: Actor, reason: str = "", effect: Effect | None = None,
           key: str = "", **options: Any) -> StatusChange:  # fmt: skip
    """A row in the order's history about a note, with what ``effect`` writes."""
    data = {"emission": emission.pk, "number": str(emission.number), "series": str(emission.series)}
    if emission.access_key:
        data["access_key"] = emission.access_key
    data |= options.pop("data", {})
    return move(
        emission.fulfillment.order, entry, actor=actor, reason=reason, data=data, effect=effect, key=key, lock=True,
        **options,
    )  # fmt: skip


def set_problem(steps: Sequence[Step], problem: str) -> None:
    """Show a problem of ours on the orders; a worse one of others stays."""
    for step in steps:
        if not step.subject.problem or step.subject.problem in PROBLEMS:
            step.fields["problem"] = problem


def settle_problem(steps: Sequence[Step]) -> None:
    """A problem of ours is over, unless another note of the order has one too."""
    for step in steps:
        if step.subject.problem in PROBLEMS:
            step.fields["problem"] = ""


def claim(rows: Any, pk: int, open_: Any) -> Any:
    """The row for this worker alone, whose ``open_`` (a Q) holds; as it is where it does not.

    :class:`AdapterUnavailable` while somebody else has it. None when it is gone.
    """
    now = timezone.now()
    taken = rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=now), open_, pk=pk).update(
        claimed_until=now + timedelta(seconds=CLAIM), attempts=F("attempts") + 1
    )
    found = rows.filter(pk=pk).first()
    if found is not None and not taken and rows.filter(open_, pk=pk).exists():
        raise AdapterUnavailable("somebody else is asking the tax office")
    return found


def release(row: Any, **values: Any) -> None:
    """Give the row back, if the claim is still ours."""
    type(row)._default_manager.filter(pk=row.pk, claimed_until=row.claimed_until).update(claimed_until=None, **values)


def wake(emission: NfeEmission, state: str, *, delay: float = 0) -> None:
    """Let a worker go on with it."""
    outbox.enqueue([note_message(emission, state, delay=delay)])
