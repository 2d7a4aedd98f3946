"""The engine of outbox and inbox: take due messages lane by lane, hand each to its handler, note the result.

A lane is a destination or a source. Lanes take turns, so that a long or slow one delays no other by more than a turn;
a lane that is down rests (see ``circuit``). Handlers run outside any transaction and lock.

A message is handed over at least once: between the handler's return and the note that it did lies a moment in which a
``kill -9`` leads to a second try. The note is written at once for slow handlers and at most ``NOTE_EVERY`` seconds late
for fast ones. A lane with ``at_most_once`` is never tried again by itself after its worker died.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import InterfaceError, OperationalError, connections, router
from django.db.models import Min, Model
from django.utils import timezone

from oscar_fulfillment.conf import settings

from . import circuit, leases
from .exceptions import AdapterRejected, AdapterUnavailable
from .leases import Outcome, Words

logger = logging.getLogger("oscar_fulfillment.messages")

Handler = Callable[[Any], Any]
# Messages a worker takes at once from a lane.
BATCH = 25
# Seconds a finished message may go unnoted while the rest of its batch is handled.
NOTE_EVERY = 0.1
MAX_ERROR = 2000


@dataclass(frozen=True)
class Lane:
    """A destination or source. ``backoff``: seconds between its tries, where they are not the pump's."""

    name: str
    handler: Handler
    at_most_once: bool = False
    backoff: tuple[float, ...] | None = None


@dataclass
class Pump:
    """One table of messages and the handlers of its lanes. ``setting`` is OUTBOX or INBOX.

    ``lanes`` are registered when the app starts. A function of ``families`` returns those that come and go while it
    runs; it is asked at every turn.
    """

    model_name: str
    words: Words
    setting: str
    lanes: dict[str, Lane] = field(default_factory=dict)
    on_dead: list[Handler] = field(default_factory=list)
    families: list[Callable[[], Iterable[Lane]]] = field(default_factory=list)

    @property
    def model(self) -> type[Model]:
        return apps.get_model("oscar_fulfillment", self.model_name)

    @property
    def backoff(self) -> Sequence[float]:
        return getattr(settings, f"{self.setting}_BACKOFF")

    @property
    def lease(self) -> float:
        return getattr(settings, f"{self.setting}_LEASE")

    def known(self) -> dict[str, Lane]:
        """Every lane by name, as it is now."""
        return {lane.name: lane for family in self.families for lane in family()} | self.lanes

    def health_name(self, lane: str) -> str:
        return f"{self.setting.lower()}:{lane}"

    def due(self) -> bool:
        """Whether a registered lane that is not resting has a message due now."""
        now = timezone.now()
        resting = {name for name, rest in circuit.states().items() if rest.paused_until > now}
        awake = [lane for lane in self.known() if self.health_name(lane) not in resting]
        return bool(leases.lanes_with_work(self.model, self.words, awake))

    def lag(self) -> float:
        """Seconds by which the oldest message that is due is late; 0.0 when nothing is. For health checks."""
        words, now = self.words, timezone.now()
        open_ = self.model._base_manager.filter(status__in=[words.waiting, words.busy], next_attempt_at__lte=now)
        oldest = open_.aggregate(oldest=Min("next_attempt_at"))["oldest"]
        return (now - oldest).total_seconds() if oldest else 0.0

    def orphans(self) -> list[str]:
        """Lanes with open messages that nobody handles: a typing error, or an app that was removed."""
        words = self.words
        open_ = self.model._base_manager.filter(status__in=[words.waiting, words.busy])
        return list(
            open_.exclude(**{f"{words.lane}__in": list(self.known())})
            .order_by()
            .values_list(words.lane, flat=True)
            .distinct()[:20]
        )

    def tell_dead(self, row: Any, outcome: Outcome) -> None:
        """Tell the hooks that a message is given up, before that is noted: a crash between tells twice, not never."""
        row.status, row.error = outcome.status, outcome.error
        for hook in self.on_dead:
            try:
                hook(row)
            except Exception:
                logger.exception("%s is dead, and %r could not deal with that", row, hook)

    def run(self, limit: int = 100, only: str | None = None, budget: float | None = None) -> Counter[str]:
        """Handle up to ``limit`` messages, taking turns between lanes, for about ``budget`` seconds.

        Returns how many ended in which state; ``Counter()`` when nothing was due.
        """
        deadline = time.monotonic() + (settings.DRAIN_BUDGET if budget is None else budget)
        total: Counter[str] = Counter()
        lanes = self.known()
        names = leases.lanes_with_work(self.model, self.words, [only] if only is not None else list(lanes))
        # Two workers that begin with the same lane would both be stuck in it when it is slow.
        random.shuffle(names)
        states = circuit.states() if names else {}
        queue = [lanes[name] for name in names]
        while queue and total.total() < limit and time.monotonic() < deadline:
            for lane in list(queue):
                room = limit - total.total()
                if room <= 0 or time.monotonic() >= deadline:
                    break
                rest = states.pop(self.health_name(lane.name), None)
                turn = Turn(self, lane, min(room, BATCH), deadline, rest)
                total += turn.run()
                if turn.finished:
                    queue.remove(lane)
        return total


class Turn:
    """One worker's stay in one lane."""

    def __init__(self, pump: Pump, lane: Lane, room: int, deadline: float, rest: Any):
        self.pump, self.lane, self.words, self.rest = pump, lane, pump.words, rest
        self.room = room
        self.backoff: Sequence[float] = pump.backoff if lane.backoff is None else lane.backoff
        self.ends = min(deadline, time.monotonic() + settings.DRAIN_TURN)
        self.finished = False
        self.failures = 0

    def run(self) -> Counter[str]:
        if self.rest is not None:
            if not circuit.begin_probe(self.rest):
                self.finished = True
                return Counter()
            self.room = 1
        if self.lane.at_most_once:
            leases.give_up_expired(self.pump.model, self.words, self.lane.name)
        counts: Counter[str] = Counter()
        while self.room > 0 and not self.finished and (not counts or time.monotonic() < self.ends):
            # At most once means one at a time: what is merely waiting in a dead worker's hands is not "unknown".
            size = 1 if self.lane.at_most_once else self.room
            rows = leases.claim(
                self.pump.model, self.words, self.lane.name, size, self.pump.lease, take_over=not self.lane.at_most_once
            )
            if not rows:
                self.finished = True
                if self.rest is not None:
                    circuit.probe_found_nothing(self.rest)
                break
            handled = self._handle(rows)
            counts += handled
            self.room -= size
            if handled.total() == len(rows) < size:
                self.finished = True  # that were all that are due
        return counts

    def _handle(self, rows: list[Any]) -> Counter[str]:
        token = rows[0].lease
        counts: Counter[str] = Counter()
        unnoted: list[Outcome] = []
        begun = 0
        noted_at = time.monotonic()
        try:
            for row in rows:
                if self.finished or (begun and time.monotonic() >= self.ends):
                    break
                begun += 1
                outcome = self._one(row)
                if outcome.status == self.words.dead:
                    self.pump.tell_dead(row, outcome)
                counts[outcome.status] += 1
                unnoted.append(outcome)
                if time.monotonic() - noted_at >= NOTE_EVERY:
                    # A slow handler is followed by its note; a hundred fast ones share one.
                    self._note(token, unnoted)
                    unnoted, noted_at = [], time.monotonic()
        finally:
            # Also when the queue's time-out or a signal ends the task: what is done is noted, what was not begun is
            # free for others, and the one in between stays leased, because nobody knows.
            self._note(token, unnoted)
            leases.give_back(self.pump.model, self.words, token, [row.pk for row in rows[begun:]])
        return counts

    def _one(self, row: Any) -> Outcome:
        words = self.words
        if row.attempts > len(self.backoff) + 1:
            # It was claimed more often than it was settled: it takes its worker down with it.
            return Outcome(row.pk, words.dead, "its worker died at every try")
        began = time.monotonic()
        try:
            status = self.lane.handler(row)
        except AdapterRejected as error:
            self._answered()
            return Outcome(row.pk, words.dead, describe(error))
        except AdapterUnavailable as error:
            self.failures += 1
            slow = time.monotonic() - began >= settings.DRAIN_TURN
            wants_rest = slow or error.retry_after > 0
            if wants_rest or self.rest is not None or self.failures >= settings.CIRCUIT_FAILURES:
                name = self.pump.health_name(self.lane.name)
                circuit.trip(name, self.rest, describe(error), self.backoff, error.retry_after)
                self.finished = True
            return self._again(row, describe(error), error.retry_after)
        except Exception as error:
            logger.exception("%s to %s failed", row, self.lane.name)
            self._answered()  # a bug of ours says nothing against the other side
            if self.lane.at_most_once:
                return Outcome(row.pk, words.unknown, describe(error))
            return self._again(row, describe(error))
        self._answered()
        return Outcome(row.pk, status if isinstance(status, str) and status else words.done)

    def _answered(self) -> None:
        self.failures = 0
        if self.rest is not None:
            circuit.close(self.rest)
            self.rest = None

    def _again(self, row: Any, error: str, at_least: float = 0) -> Outcome:
        if row.attempts > len(self.backoff):
            return Outcome(row.pk, self.words.dead, error)
        # Jitter: a thousand messages that failed together must not come back together.
        delay = self.backoff[row.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311
        if at_least > 0:
            delay = max(delay, at_least * random.uniform(1, 1.2))  # noqa: S311
        return Outcome(row.pk, self.words.waiting, error, delay)

    def _note(self, token: str, outcomes: Iterable[Outcome]) -> None:
        """Settle, and try again if the database went away: an unnoted message would be sent twice."""
        outcomes = list(outcomes)
        if not outcomes:
            return
        connection = connections[router.db_for_write(self.pump.model)]
        for pause in (0.5, 2.0, 5.0, None):
            try:
                return leases.settle(self.pump.model, self.words, token, outcomes)
            except (OperationalError, InterfaceError):
                if pause is None or connection.in_atomic_block:
                    raise
                logger.warning("the database is away; %d messages wait to be noted", len(outcomes))
                connection.close()
                time.sleep(pause)


def describe(error: BaseException) -> str:
    """An error as one text for people, without the NUL that PostgreSQL refuses."""
    return f"{type(error).__name__}: {error}".replace("\x00", "")[:MAX_ERROR]
