"""The to-do list: which follow-ups a person sees, and its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet, Value
from django.utils import timezone

from oscar_fulfillment.models import FollowUp

from .orders import fulfillments_for_user
from .scans import Cursor, parts_of, read_parts

OPEN, MINE, DUE, CLOSED = "open", "mine", "overdue", "closed"
TABS = (OPEN, MINE, DUE, CLOSED)
PAGE_SIZE = 50
#: The most colleagues that are offered to assign to.
MOST_COLLEAGUES = 200


def followups_for_user(user: Any) -> QuerySet[FollowUp]:
    """Staff see all, a partner's people those of their orders; what belongs to no order is the staff's."""
    rows = FollowUp._default_manager.select_related("fulfillment", "assignee")
    return rows if user.is_staff else rows.filter(fulfillment__in=fulfillments_for_user(user).values("pk"))


def of_tab(user: Any, tab: str, now: datetime | None = None) -> QuerySet[FollowUp]:
    """The follow-ups of a tab, in no order."""
    rows = followups_for_user(user)
    if tab == CLOSED:
        return rows.filter(closed_at__isnull=False)
    rows = rows.filter(closed_at__isnull=True)
    if tab == MINE:
        return rows.filter(assignee=user)
    return rows.filter(due_at__lte=now or timezone.now()) if tab == DUE else rows


def narrowed(rows: QuerySet[FollowUp], *, kind: str = "", number: str = "") -> QuerySet[FollowUp]:
    """Only this kind, only orders whose number begins so."""
    if kind:
        rows = rows.filter(kind=kind)
    return rows.filter(fulfillment__number__startswith=number) if number else rows


def count_tabs(user: Any, cap: int, tabs: Sequence[str] = TABS) -> dict[str, int]:
    """How many follow-ups each tab holds, at most ``cap + 1`` ("more than cap"), in one statement."""
    now, parts = timezone.now(), []
    for tab in tabs:
        rows = of_tab(user, tab, now).select_related(None).order_by().values_list(Value(1))[: cap + 1]
        for sql, params in parts_of([rows]):
            counted = f"SELECT %s AS name, COUNT(*) AS followups FROM ({sql}) AS counted"  # noqa: S608
            parts.append((counted, (tab, *params)))
    return dict.fromkeys(tabs, 0) | {str(name): int(count) for name, count in (read_parts(parts) if parts else ())}


@dataclass(frozen=True)
class FollowUpPage:
    """A page of the list."""

    rows: list[FollowUp]
    has_previous: bool
    has_next: bool
    is_closed: bool

    def cursor(self, position: int) -> Cursor:
        row = self.rows[position]
        return Cursor((row.closed_at if self.is_closed else row.due_at) or row.due_at, row.pk)


def read_followups(
    rows: QuerySet[FollowUp], tab: str, *, after: Cursor | None = None, before: Cursor | None = None,
    size: int = PAGE_SIZE,
) -> FollowUpPage:  # fmt: skip
    """A page: what is due first comes first; of what is closed the newest. One statement, however far in the list."""
    is_closed = tab == CLOSED
    column, descending = ("closed_at", True) if is_closed else ("due_at", False)
    backwards = before is not None
    place = before or after
    down = descending is not backwards
    if place is not None:
        way = "lt" if down else "gt"
        tied = Q(**{column: place.placed_at, f"pk__{way}": place.order_id})
        behind = tied | Q(**{f"{column}__{way}": place.placed_at})
        rows = rows.filter(**{f"{column}__{way}e": place.placed_at}).filter(behind)
    sign = "-" if down else ""
    found = list(rows.order_by(f"{sign}{column}", f"{sign}pk")[: size + 1])
    more = len(found) > size
    found = found[:size]
    if backwards:
        return FollowUpPage(found[::-1], has_previous=more, has_next=True, is_closed=is_closed)
    return FollowUpPage(found, has_previous=after is not None, has_next=more, is_closed=is_closed)


def colleagues() -> Mapping[int, str]:
    """Members of staff that work can be given to, by id."""
    people = get_user_model()._default_manager.filter(is_active=True, is_staff=True).order_by("pk")[:MOST_COLLEAGUES]
    found = {person.pk: person.get_full_name() or person.get_username() for person in people}
    return dict(sorted(found.items(), key=lambda item: item[1].casefold()))
