"""The one door: every change of a status goes through :func:`apply` (one object) or :func:`apply_many` (a batch).

Read (locked where stock or money moves); in one transaction ask version, state, guards and vetoes, let the service
write what belongs to the step (its *effect*), compare-and-set the head of the object, append the history row, write
the outgoing messages. After the commit the signals are sent. Nothing here calls the network.

A step is at most once: a second call with the same idempotency key returns the first one's history row, by a unique
constraint in the database.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, router, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import heads, outbox, reading
from .actors import USER, Actor
from .commit import after_commit
from .exceptions import FulfillmentError, StaleVersion, TransitionNotAllowed
from .models import HistoryRow
from .rows import Change, Row, plain
from .statemachine import Reason, StateMachine, Transition


@dataclass(frozen=True)
class Aggregate:
    """What the door must know of a kind of object. One instance per app, see ``oscar_fulfillment.services.door``."""

    model: type[models.Model]
    history: type[HistoryRow]
    #: The machines an object follows, by name. The status column of machine "x" is "x_status".
    machines: Callable[[Any], Mapping[str, StateMachine]]
    select_related: tuple[str, ...] = ()
    #: Machines of history rows that do not make an open form stale (notes, printed documents).
    harmless: frozenset[str] = frozenset()
    #: Called with the steps after their effects, inside the transaction, for what follows from any change.
    follow: Callable[[Sequence[Step]], None] = lambda steps: None
    #: Called after the guards; raises ValidationError to veto.
    veto: Callable[[Step], None] = lambda step: None
    #: Called once per object after the commit.
    announce: Callable[[Step], None] = lambda step: None


@dataclass(frozen=True)
class Move:
    """One entry of the history: an action on a machine. Without such a transition it is a record of an event."""

    machine: str
    action: str
    is_record: bool = False


@dataclass(frozen=True)
class Told:
    """What is told of one object of a batch, beside what is told of all: its key and reason instead of theirs, its data
    and context on top of theirs, and the version that its caller has seen."""

    key: str = ""
    reason: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    expected_version: int | None = None


@dataclass
class Step:
    """One object on its way through the door. Effects may write to all but ``subject`` and ``actor``."""

    subject: Any
    moves: Sequence[Move]
    actor: Actor
    now: datetime
    context: dict[str, Any]
    reason: str = ""
    key: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    #: machine -> new state; filled from transitions with one target, by effects for the others.
    targets: dict[str, str] = field(default_factory=dict)
    #: other columns of the object, written with the compare-and-set.
    fields: dict[str, Any] = field(default_factory=dict)
    messages: list[outbox.OutboxMessage] = field(default_factory=list)
    #: rows of other tables and changes of other objects, written in the same statement: an effect that only adds here
    #: costs no statement of its own.
    rows: list[Row] = field(default_factory=list)
    updates: list[Change] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    changes: list[Any] = field(default_factory=list)
    replayed: bool = False
    #: Scratch space shared by the guards of one page or batch, so that none asks the database twice.
    cache: dict[str, Any] = field(default_factory=dict)
    machines: Mapping[str, StateMachine] = field(default_factory=dict)

    def refuse(self, reason: Reason) -> None:
        """Say no. The object stays as it is; in a batch the others go on."""
        self.reasons.append(reason)

    def state(self, machine: str) -> str:
        """The state before this step."""
        return getattr(self.subject, f"{machine}_status")

    def new_state(self, machine: str) -> str:
        """The state after this step."""
        return self.targets.get(machine, self.state(machine))

    @property
    def change(self) -> Any:
        """The first history row of this step, or None when it was refused."""
        return self.changes[0] if self.changes else None


_USED_KEY = _("This form was already used for another step.")

Effect = Callable[[Sequence[Step]], None]


class _LostRace(StaleVersion):
    """The compare-and-set found another version than was read."""


def refusals(step: Step, machine: StateMachine, transition: Transition) -> list[Reason]:
    """Why this transition is not possible; empty when it is. The state first, then every guard."""
    state = step.state(machine.name)
    if state not in transition.sources:
        return [_wrong_state(machine, transition, state)]
    return [reason for guard in transition.guards if (reason := guard(step)) is not None]


def _wrong_state(machine: StateMachine, transition: Transition, state: str) -> Reason:
    if state in transition.targets:
        return Reason("already_done", _("Already done: %(state)s.") % {"state": machine.label(state)})
    if not machine.from_state(state):
        return Reason("final_state", _("Nothing more can be done: %(state)s.") % {"state": machine.label(state)})
    before = [t.label for t in machine.leading_to(transition.sources) if state in t.sources and not t.aside]
    message = _("Not possible while the status is “%(state)s”.") % {"state": machine.label(state)}
    remedy = _("First: %(steps)s.") % {"steps": ", ".join(str(label) for label in before)} if before else ""
    return Reason("wrong_state", message, remedy)


def apply(
    aggregate: Aggregate,
    pk: Any,
    *moves: Move,
    actor: Actor,
    reason: str = "",
    data: dict[str, Any] | None = None,
    key: str = "",
    expected_version: int | None = None,
    effect: Effect | None = None,
    context: dict[str, Any] | None = None,
    lock: bool = False,
    subject: Any = None,
) -> Step:
    """Move one object, or say why not.

    ``key`` makes the call idempotent, ``expected_version`` refuses it when somebody else was faster. ``subject`` is the
    object if the caller has just read it with ``select_related``: it need not be read again, since the write compares.
    Raises :class:`TransitionNotAllowed` (with reasons), :class:`StaleVersion`, or the model's ``DoesNotExist``.
    """
    key = _storable(key)
    while True:
        try:
            # Without a lock the read may stay outside: the transaction is then the one statement of the write.
            found = None if lock else [subject] if subject is not None else _read(aggregate, [pk], lock=False)
            with transaction.atomic(using=router.db_for_write(aggregate.model)):
                found = _read(aggregate, [pk], lock=True) if found is None else found
                if not found:
                    raise aggregate.model.DoesNotExist(  # type: ignore[attr-defined]
                        f"no {aggregate.model.__name__} {pk}"
                    )
                steps = _begin(found, moves, actor, reason, data, key, context)
                _run(aggregate, steps, expected_version, effect)
                if steps[0].reasons:
                    raise TransitionNotAllowed(steps[0].reasons)
                return steps[0]
        except (FulfillmentError, IntegrityError) as error:
            # Whatever refused it: a step that was done under this key already has its result.
            earlier = _first_result(aggregate, pk, key)
            if earlier is not None:
                return _replay(aggregate, earlier, moves, actor, key)
            if not isinstance(error, _LostRace) or lock:
                raise
            # Somebody was faster between our read and our write. Ask again under lock: the answer is then either the
            # reason why it is no longer possible, or (they only wrote a note) it is done.
            lock = True


def _replay(aggregate: Aggregate, earlier: Any, moves: Sequence[Move], actor: Actor, key: str) -> Step:
    if (earlier.machine, earlier.action) != (moves[0].machine, moves[0].action):
        raise FulfillmentError(_USED_KEY) from None
    subject = getattr(earlier, aggregate.history.subject_field)
    return Step(subject, moves, actor, timezone.now(), {}, key=key, changes=[earlier], replayed=True)


def apply_many(
    aggregate: Aggregate,
    pks: Iterable[Any],
    *moves: Move,
    actor: Actor,
    reason: str = "",
    data: dict[str, Any] | None = None,
    key: str = "",
    effect: Effect | None = None,
    context: dict[str, Any] | None = None,
    each: Mapping[Any, Told] | None = None,
) -> list[Step]:
    """Move a batch in a constant number of statements; each step says whether it was done or why not.

    ``key`` is shared by the batch: an object that was already moved under it is reported as done, not moved again.
    ``each`` tells more of single objects, by their pk; one of another version than expected there is refused
    (``stale``).
    Keep a batch at 500 or less, since its rows stay locked until the commit.
    """
    wanted = list(dict.fromkeys(pks))
    with transaction.atomic(using=router.db_for_write(aggregate.model)):
        found = _read(aggregate, wanted, lock=True)
        steps = _begin(found, moves, actor, reason, data, _storable(key), context, each or {})
        _mark_replays(aggregate, steps)
        for step in steps:
            _refuse_stale(aggregate, step, (each or {}).get(step.subject.pk, Told()).expected_version)
        _run(aggregate, steps, None, effect)
        return steps


def _read(aggregate: Aggregate, pks: Sequence[Any], *, lock: bool) -> list[Any]:
    return reading.read(aggregate.model, aggregate.select_related, pks, lock=lock)


def _begin(
    subjects: Iterable[Any],
    moves: Sequence[Move],
    actor: Actor,
    reason: str,
    data: dict[str, Any] | None,
    key: str,
    context: dict[str, Any] | None,
    each: Mapping[Any, Told] | None = None,
) -> list[Step]:
    now, nothing = timezone.now(), Told()
    steps = []
    for subject in subjects:
        told = (each or {}).get(subject.pk, nothing)
        about, facts = {**(context or {}), **told.context}, {**(data or {}), **told.data}
        own = _storable(told.key) or key
        steps.append(Step(subject, moves, actor, now, about, told.reason or reason, own, facts))
    return steps


def _run(aggregate: Aggregate, steps: Sequence[Step], expected_version: int | None, effect: Effect | None) -> None:
    open_steps = []
    for step in steps:
        if step.replayed or step.reasons:
            continue
        if expected_version is not None:
            _check_version(aggregate, step.subject, expected_version)
        _ask(aggregate, step)
        if not step.reasons:
            open_steps.append(step)
    if effect and open_steps:
        effect(open_steps)
        open_steps = [step for step in open_steps if not step.reasons]
    if open_steps:
        for step in open_steps:
            _check_targets(step)
        aggregate.follow(open_steps)
        _write(aggregate, open_steps)


def _check_version(aggregate: Aggregate, subject: Any, expected: int) -> None:
    if subject.version == expected:
        return
    since = aggregate.history._default_manager.filter(
        **{aggregate.history.subject_field: subject},
        sequence__gt=expected,
    ).exclude(machine__in=aggregate.harmless)
    last = since.order_by("-sequence").first()
    if last is not None or subject.version < expected:
        raise StaleVersion(last)


def _refuse_stale(aggregate: Aggregate, step: Step, expected: int | None) -> None:
    """In a batch whoever was overtaken is left out, and the others go on."""
    if expected is None or step.replayed or step.reasons:
        return
    try:
        _check_version(aggregate, step.subject, expected)
    except StaleVersion:
        step.refuse(Reason("stale", _("Changed by somebody else at the same moment.")))


def _ask(aggregate: Aggregate, step: Step) -> None:
    step.machines = aggregate.machines(step.subject)
    for move in step.moves:
        if move.is_record:
            continue
        machine = step.machines[move.machine]
        transition = machine.transitions.get(move.action)
        if transition is None:
            step.refuse(Reason("not_in_flow", _("This order's flow has no step “%(step)s”.") % {"step": move.action}))
            continue
        step.reasons += refusals(step, machine, transition)
        if len(transition.targets) == 1:
            step.targets[move.machine] = transition.targets[0]
    if not step.reasons:
        try:
            aggregate.veto(step)
        except ValidationError as error:
            step.reasons += [Reason(error.code or "vetoed", message) for message in error.messages]


def _check_targets(step: Step) -> None:
    """An effect that resolves to a state its transition does not list is our mistake, not the caller's."""
    for move in step.moves:
        if move.is_record:
            continue
        transition = step.machines[move.machine].transitions[move.action]
        target = step.targets.get(move.machine)
        if target not in transition.targets:
            raise AssertionError(f"{move.action} may not end in {target!r}")


def _write(aggregate: Aggregate, steps: Sequence[Step]) -> None:
    history = aggregate.history
    updates = []
    for step in steps:
        subject, previous, version = step.subject, step.subject.history_hash, step.subject.version
        guard = {"version": version}
        for position, move in enumerate(step.moves):
            before = after = ""
            if not move.is_record:
                before, after = step.state(move.machine), step.targets[move.machine]
                guard[f"{move.machine}_status"] = before
            version += 1
            row = history(
                **{f"{history.subject_field}_id": subject.pk},
                sequence=version,
                machine=move.machine,
                action=move.action,
                from_status=before,
                to_status=after,
                actor_id=step.actor.user.pk if step.actor.kind == USER and step.actor.user else None,
                actor_kind=step.actor.kind,
                actor_label=step.actor.label,
                reason=step.reason,
                data=plain(step.data) if position == 0 else {},
                idempotency_key=step.key if position == 0 else "",
                created_at=step.now,
            )
            row.hash = previous = row.compute_hash(previous)
            step.changes.append(row)
        values = {f"{machine}_status": state for machine, state in step.targets.items()} | step.fields
        values |= {"version": version, "history_hash": previous}
        updates.append((subject, guard, values))
    if not heads.write_steps(
        updates,
        [row for step in steps for row in step.changes],
        [message for step in steps for message in step.messages],
        [row for step in steps for row in step.rows],
        [change for step in steps for change in step.updates],
    ):
        raise _LostRace(_last_change(aggregate, steps[0].subject) if len(steps) == 1 else None)
    for step, (subject, _guard, values) in zip(steps, updates, strict=True):
        for name, value in values.items():
            setattr(subject, name, value)
        for row in step.changes:
            setattr(row, history.subject_field, subject)
        after_commit(aggregate.announce, step)


def _first_result(aggregate: Aggregate, pk: Any, key: str) -> Any:
    if not key:
        return None
    return aggregate.history._default_manager.filter(
        **{f"{aggregate.history.subject_field}_id": pk},
        idempotency_key=key,
    ).first()


def _last_change(aggregate: Aggregate, subject: Any) -> Any:
    found = aggregate.history._default_manager.filter(**{aggregate.history.subject_field: subject})
    return found.order_by("-sequence").first()


def _mark_replays(aggregate: Aggregate, steps: Sequence[Step]) -> None:
    """In a batch the key is looked up first: one clash must not roll back the others."""
    keyed = {step.subject.pk: step for step in steps if step.key}
    if not keyed:
        return
    name = aggregate.history.subject_field
    keys = {step.key for step in keyed.values()}
    for row in aggregate.history._default_manager.filter(**{f"{name}__in": list(keyed)}, idempotency_key__in=keys):
        step = keyed[getattr(row, f"{name}_id")]
        if (row.machine, row.action) == (step.moves[0].machine, step.moves[0].action):
            step.changes, step.replayed = [row], True
        else:
            step.refuse(Reason("key_used", _USED_KEY))


def _storable(key: str) -> str:
    """The key as the column takes it: one that is too long, or holds what no database stores, is hashed."""
    if len(key) <= 100 and key.isprintable():
        return key
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def key_of_form(key: str, typed: Mapping[str, Any]) -> str:
    """The key of exactly this: the same form sent twice is one step. Browsers go back to a form with its old key;
    what was changed there must not pass for the repetition of what was sent before."""
    listed = sorted((name, str(value)) for name, value in typed.items() if name not in ("version", "key"))
    return f"{key}-{hashlib.sha256(repr(listed).encode()).hexdigest()[:16]}"


def new_key() -> str:
    """A fresh idempotency key, for forms."""
    return uuid.uuid4().hex
