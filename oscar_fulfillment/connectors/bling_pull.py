"""Asking Bling what changed, for what its webhooks did not tell: orders by change, notes by their date of issue.

A round goes through these lists page by page: orders that changed since the last round; notes that are issued, from two
days before it (a note may wait for the tax office); notes that were cancelled, from thirty days before. What a list
shows as it was shown before is not read again: the lists overlap on purpose, and each note costs several calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from . import bling_mapping as mapping
from .bling_reading import ORDERS, Reading
from .records import Change, Page

#: Entries of a page: each may cost five calls, and one worker has the connector for three minutes.
SIZE = 25
#: How far the lists overlap.
AGAIN, NOTES, CANCELLED = timedelta(minutes=10), timedelta(days=2), timedelta(days=30)
#: What the first round looks back.
FIRST = timedelta(days=1)
#: Entries that are remembered.
_MOST = 20_000


@dataclass(frozen=True)
class Place:
    """Where a round is: since when it asks, when it began, which list, which page."""

    since: str
    began: str
    step: int = 0
    page: int = 1


class Asking:
    """The rounds of one connector. One worker at a time asks."""

    def __init__(self, reading: Reading, *, consumer_notes: bool):
        self._reading, self._consumer_notes = reading, consumer_notes
        self._seen: dict[str, str] = {}
        #: Shown on the page that was handed out last: counts once its cursor comes back.
        self._shown: tuple[str, dict[str, str]] = ("", {})

    def pull(self, cursor: str, now: datetime | None = None) -> Page:
        """The next lists, as far as one has something to tell."""
        now = now or datetime.now(UTC)
        place, more, steps = _read(cursor, now), True, self._steps()
        self._believe(cursor)
        changes: list[Change] = []
        shown: dict[str, str] = {}
        while more and not changes:
            kind, situation = steps[place.step] if place.step < len(steps) else steps[0]
            listed = self._listed(kind, situation, place)
            changes = self._told(kind, situation, listed, place, shown)
            place, more = self._next(place, len(listed), len(steps), now)
        answer = json.dumps(asdict(place))
        self._shown = (answer, shown)
        return Page(tuple(changes), answer, more=more)

    def _told(
        self, kind: str, situation: int, listed: Sequence[Mapping[str, Any]], place: Place, shown: dict[str, str]
    ) -> list[Change]:
        """What a page of a list tells that was not told before; ``shown`` notes it."""
        changes: list[Change] = []
        for one in listed:
            if (number := mapping.number_of(one.get("id"))) == 0:
                continue
            if kind == "order":
                changes += self._order(number, one, place, shown)
                continue
            name = f"{kind}:{number}"
            state = "cancelled" if situation in mapping.CANCELLED else "issued"
            if self._seen.get(name) != state:
                changes += self._reading.note_changes(kind, number)
                shown[name] = state
        return changes

    def _believe(self, cursor: str) -> None:
        """What the last page showed is dealt with when its cursor comes back; a worker that died gets it again."""
        answer, shown = self._shown
        if cursor == answer:
            if len(self._seen) + len(shown) > _MOST:
                self._seen.clear()
            self._seen |= shown
        self._shown = ("", {})

    def _steps(self) -> list[tuple[str, int]]:
        kinds = ["nfe", "nfce"] if self._consumer_notes else ["nfe"]
        notes = [(kind, situation) for kind in kinds for situation in sorted(mapping.ISSUED | mapping.CANCELLED)]
        return [("order", 0), *notes]

    def _listed(self, kind: str, situation: int, place: Place) -> list[Mapping[str, Any]]:
        since = datetime.fromisoformat(place.since)
        query: dict[str, Any] = {"pagina": place.page, "limite": SIZE}
        if kind == "order":
            query["dataAlteracaoInicial"] = mapping.stamp(since - AGAIN)
            if self._reading.terms.store:
                query["idLoja"] = self._reading.terms.store
            return self._reading.wire.listed(ORDERS, query)
        back = CANCELLED if situation in mapping.CANCELLED else NOTES
        query |= {"situacao": situation, "dataEmissaoInicial": mapping.stamp(since - back)}
        return self._reading.wire.listed(f"/{kind}", query)

    def _order(self, number: int, one: Mapping[str, Any], place: Place, shown: dict[str, str]) -> list[Change]:
        """An order is read each time, as the list does not show its tracking codes; its situation is told once."""
        if not mapping.reference_of(one, self._reading.terms):
            return []
        name, news = f"order:{number}", []
        for change in self._reading.order_changes(number, place.since):
            if change.state:
                if self._seen.get(name) == change.state:
                    continue
                shown[name] = change.state
            news.append(change)
        return news

    def _next(self, place: Place, listed: int, steps: int, now: datetime) -> tuple[Place, bool]:
        if listed >= SIZE:
            return Place(place.since, place.began, place.step, place.page + 1), True
        if place.step + 1 < steps:
            return Place(place.since, place.began, place.step + 1), True
        return Place(place.began, now.isoformat()), False


def _read(cursor: str, now: datetime) -> Place:
    try:
        found = json.loads(cursor)
        place = Place(str(found["since"]), str(found["began"]), int(found["step"]), int(found["page"]))
        datetime.fromisoformat(place.since)
        if place.step or place.page > 1:
            return place
        # A new round begins now.
        return Place(place.since, now.isoformat())
    except (ValueError, KeyError, TypeError):
        return Place((now - FIRST).isoformat(), now.isoformat())
