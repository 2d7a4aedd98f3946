"""The files of the tax office as the pages list them: by state, by verdict, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from oscar_fulfillment.conf import settings
from oscar_fulfillment.fiscal import access_key
from oscar_fulfillment.fiscal.nfe_order_checks import CHOOSE, DIFFERS, GOOD, LOOK, WAIT
from oscar_fulfillment.models import NfeFile

PAGE_SIZE = 50
EVERY, OPEN, FILED, REFUSED = "all", "open", "filed", "refused"
#: Tab -> states.
TABS: dict[str, tuple[str, ...]] = {
    EVERY: (),
    OPEN: (NfeFile.CHECKED, NfeFile.RECEIVED, NfeFile.QUEUED),
    FILED: (NfeFile.APPLIED, NfeFile.SUPERSEDED),
    REFUSED: (NfeFile.REFUSED,),
}
#: Verdicts that a file may have which waits for a person.
OPEN_VERDICTS = (GOOD, LOOK, CHOOSE, DIFFERS, WAIT)


def all_files() -> QuerySet[NfeFile]:
    """Without their contents, which no list needs."""
    return NfeFile._default_manager.defer("content").select_related("fulfillment", "invoice")


def of_batch(batch: str) -> QuerySet[NfeFile]:
    return all_files().filter(batch=batch)


def of_tab(rows: QuerySet[NfeFile], tab: str) -> QuerySet[NfeFile]:
    states = TABS[tab]
    return rows.filter(status__in=states) if states else rows


def narrowed(rows: QuerySet[NfeFile], *, verdict: str = "", typed: str = "") -> QuerySet[NfeFile]:
    """Only this verdict; only the note of this key, of this number, or of orders whose number begins so."""
    if verdict in OPEN_VERDICTS:
        rows = rows.filter(verdict=verdict, status=NfeFile.CHECKED)
    typed = typed.strip().removeprefix("#")[:200]
    if not typed or "\0" in typed:
        return rows
    key = access_key.normalise(typed)
    if len(key) == access_key.LENGTH:
        return rows.filter(access_key=key)
    return rows.filter(Q(fulfillment__number__startswith=typed) | Q(facts__number=typed.lstrip("0")))


def count_tabs(rows: QuerySet[NfeFile], tabs: tuple[str, ...]) -> dict[str, int]:
    """How many files each tab holds, at most CAPPED_COUNT + 1 ("more than that")."""
    most = settings.CAPPED_COUNT + 1
    plain = rows.select_related(None).order_by()
    return {tab: of_tab(plain, tab)[:most].count() for tab in tabs}


def count_verdicts(rows: QuerySet[NfeFile]) -> dict[str, int]:
    """How many files that wait for a person have which verdict."""
    waiting = rows.filter(status=NfeFile.CHECKED).select_related(None).order_by()
    return dict(waiting.values_list("verdict").annotate(Count("pk")))


@dataclass(frozen=True)
class NotePage:
    """A page, newest first; ``newer`` and ``older`` are where the next ones begin, None where there are none."""

    rows: list[NfeFile]
    newer: int | None = None
    older: int | None = None


def read_page(rows: QuerySet[NfeFile], *, before: int = 0, after: int = 0, size: int = PAGE_SIZE) -> NotePage:
    """The files before (older than) or after this id; the newest without either. One statement, however far."""
    if after:
        found: list[Any] = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
        more, found = len(found) > size, found[:size][::-1]
        return NotePage(found, newer=found[0].pk if more else None, older=found[-1].pk if found else None)
    listed = rows.filter(pk__lt=before) if before else rows
    found = list(listed.order_by("-pk")[: size + 1])
    more, found = len(found) > size, found[:size]
    newer = found[0].pk if found and before else None
    return NotePage(found, newer=newer, older=found[-1].pk if more else None)
