"""A system beside the shop, in memory: for tests of a shop and of this app, with every accident on demand.

connectors.get("crm").lose_answers(1)     # the next call is done, its answer lost
connectors.get("crm").move("100042", "WON")   # a person moves the order over there
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from oscar_fulfillment.connectors.base import ANY_MOVE, CREDIT, DELIVERY, ORDER, PAYMENT, STATE, Capability, Connector
from oscar_fulfillment.connectors.records import Change, Notice, OutsideState, Page, Pushed, Rule, Task
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.signatures import verify_token

TOKEN = "let me in"  # noqa: S105 (a test double's)
_KINDS = frozenset({ORDER, STATE, PAYMENT, DELIVERY, CREDIT})
_STATES = {"NEW": "New", "WORK": "In work", "SENT": "Sent", "WON": "Won", "LOST": "Lost"}


class FakeConnector(Connector):
    """Takes orders, payments and notes; shows a status and can be moved. ``effects`` counts what really happened.

    ``able``: which capabilities it has; all but FETCHED and CONNECT by default.
    """

    name = "Demo system"
    kind = "crm"
    told: Mapping[str, frozenset[str]] = {
        PAYMENT: frozenset({"approve_payment"}),
        DELIVERY: frozenset({"dispatch"}),
        CREDIT: frozenset({"refund_payment"}),
        STATE: frozenset({ANY_MOVE}),
    }
    rules: Sequence[Rule] = (
        Rule("in", "WORK", step="release"),
        Rule("in", "SENT", step="dispatch"),
        Rule("in", "WON", step="deliver"),
        Rule("in", "LOST", step="cancel"),
        Rule("out", "NEW", shipping="received"),
        Rule("out", "WORK", shipping="released"),
        Rule("out", "SENT", shipping="dispatched"),
        Rule("out", "WON", shipping="delivered"),
        Rule("out", "LOST", shipping="cancelled"),
    )

    def __init__(self, *, able: Sequence[str] | None = None, told: Sequence[str] = (STATE,), **options: Any):
        super().__init__(**options)
        self.extra_capabilities = frozenset(
            set(Capability) - {Capability.FETCHED, Capability.CONNECT} if able is None else able
        )
        self.told = {kind: actions for kind, actions in type(self).told.items() if kind in told}
        self._books = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.things: dict[str, dict[str, Any]] = {}
        self.effects: list[tuple[str, str]] = []
        self.changes: list[Change] = []
        self._ids = itertools.count(1)
        self._lost = self._down = 0
        self._refusal = ""

    def lose_answers(self, number: int) -> None:
        """So many of the next calls are done, and not answered."""
        self._lost = number

    def be_down(self, number: int) -> None:
        """So many of the next calls cannot be made."""
        self._down = number

    def refuse(self, why: str) -> None:
        """Refuse everything from now on; "" to end that."""
        self._refusal = why

    def move(self, number: str, state: str, *, at: datetime | None = None, **facts: Any) -> Change:
        """A person moves the order over there."""
        with self._books:
            thing = self.things[f"{number}:order:0"]
            thing["state"] = state
            return self._changed(thing, number, state, at, **facts)

    def _changed(self, thing: dict[str, Any], number: str, state: str, at: datetime | None, **facts: Any) -> Change:
        change = Change(
            key=f"{thing['id']}:{len(self.changes) + 1}", at=at or timezone.now(), external_id=thing["id"],
            reference=number, state=state, label=_STATES.get(state, state), **facts,
        )  # fmt: skip
        self.changes.append(change)
        return change

    def push(self, task: Task) -> Pushed:
        with self._books:
            if self._down:
                self._down -= 1
                raise AdapterUnavailable("the demo system is down")
            if self._refusal:
                raise AdapterRejected(self._refusal)
            found = self._take(task)
            if self._lost:
                self._lost -= 1
                raise AdapterUnanswered("the demo system did not answer")
            return found

    def _take(self, task: Task) -> Pushed:
        if task.kind not in _KINDS:
            return super().push(task)
        number = task.order.number
        if task.kind == STATE:
            found = next(each for each in self.things.values() if each["id"] == task.known.external_id)
            if found["state"] != task.state:
                found["state"] = task.state
                self.effects.append((STATE, f"{number}:{task.state}"))
                self._changed(found, number, task.state, None)
            return Pushed(found["id"], state=task.state)
        known = self.things.get(task.key) if Capability.IDEMPOTENT in self.capabilities else None
        thing: dict[str, Any] = known or {}
        if known is None:
            thing = {"id": f"D{next(self._ids)}", "state": task.state, "total": task.order.total_incl_tax}
            self.things[task.key] = thing
            self.effects.append((task.kind, number))
        return self._pushed(thing)

    def _pushed(self, thing: Mapping[str, Any]) -> Pushed:
        return Pushed(thing["id"], f"No {thing['id']}", thing["state"], f"https://demo.example/{thing['id']}")

    def find(self, task: Task) -> Pushed | None:
        thing = self.things.get(task.key)
        return self._pushed(thing) if thing else None

    def pull(self, cursor: str) -> Page:
        start = int(cursor or 0)
        found = tuple(self.changes[start : start + 10])
        return Page(found, str(start + len(found)), more=start + len(found) < len(self.changes))

    def fetch(self, external_id: str) -> Change | None:
        return next((change for change in reversed(self.changes) if change.external_id == external_id), None)

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> None:
        verify_token(headers.get("x-demo-token"), [TOKEN])

    def parse_notification(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Notice:
        try:
            document = json.loads(body)
            return Notice(str(document["event"]), read_again=(str(document["id"]),))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise AdapterRejected("this is no notification of the demo system") from error

    def states(self) -> Sequence[OutsideState]:
        return [OutsideState(code, label) for code, label in _STATES.items()]
