"""Returns: which of them a person sees, the pages of their list, and the one that a scanned or typed text means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, IntegerField, Prefetch, Q, QuerySet, Value, When

from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import PaymentOperation, Return, ReturnLine, Shipment, StatusChange
from oscar_fulfillment.models.returns import APPROVED, OPEN_RETURN, RECEIVED, REQUESTED

from .orders import fulfillments_for_user
from .scans import Cursor, parts_of, read_parts

TO_APPROVE, AWAITED, TO_SETTLE, ALL = "to-approve", "awaited", "to-settle", "all"
#: Tab -> the statuses it holds; None: every one.
TABS: dict[str, str | None] = {TO_APPROVE: REQUESTED, AWAITED: APPROVED, TO_SETTLE: RECEIVED, ALL: None}
PAGE_SIZE = 50
#: Longest text that is looked for.
MAX_QUERY = 200
#: An order's number and the number of a return of it: "100012-R1", "#100012 R 1".
_NUMBERED = re.compile(r"#?(.+?)[-\s]*[rR]\s*([0-9]{1,5})", re.ASCII)


def returns_for_user(user: Any) -> QuerySet[Return]:
    """Staff see all, a partner's people those of their orders."""
    rows = Return._default_manager.select_related("fulfillment__order")
    return rows if user.is_staff else rows.filter(fulfillment__in=fulfillments_for_user(user).values("pk"))


def of_tab(rows: QuerySet[Return], tab: str) -> QuerySet[Return]:
    """Those of a tab."""
    status = TABS[tab]
    return rows if status is None else rows.filter(status=status)


def count_tabs(user: Any, cap: int, tabs: Sequence[str] = tuple(TABS)) -> dict[str, int]:
    """How many returns each tab holds, at most ``cap + 1`` ("more than cap"), in one statement."""
    parts = []
    for tab in tabs:
        rows = of_tab(returns_for_user(user), tab).select_related(None).order_by().values_list(Value(1))[: cap + 1]
        for sql, params in parts_of([rows]):
            counted = f"SELECT %s AS name, COUNT(*) AS returns FROM ({sql}) AS counted"  # noqa: S608
            parts.append((counted, (tab, *params)))
    return dict.fromkeys(tabs, 0) | {str(name): int(count) for name, count in (read_parts(parts) if parts else ())}


def count_open(user: Any, cap: int) -> int:
    """How many returns wait for the shop or for their goods, at most ``cap + 1``. One statement, partial index."""
    return returns_for_user(user).filter(status__in=OPEN_RETURN).order_by()[: cap + 1].count()


def search(rows: QuerySet[Return], text: str) -> QuerySet[Return]:
    """Those that a typed or scanned text means: the code of a return slip, an order's number (or its beginning), a
    return's number, the tracking code of the parcel that comes back."""
    return rows.filter(_meant(text, "fulfillment__number__startswith")) if text.strip() else rows


def _meant(text: str, number: str) -> Q:
    """The condition of a text; ``number`` is the look-up by the order's number."""
    typed = text.strip()[:MAX_QUERY]
    if code := scan_codes.parse(typed):
        return _of_code(code)
    found = Q(**{number: typed.removeprefix("#").strip()}) | Q(tracking_code__iexact=typed)
    if match := _NUMBERED.fullmatch(typed):
        found |= Q(fulfillment__number=match[1].strip(), number=int(match[2]))
    return found


def _of_code(code: scan_codes.ScanCode) -> Q:
    if code.kind == scan_codes.RETURN:
        return Q(pk=code.pk)
    if code.kind == scan_codes.ORDER:
        return Q(fulfillment=code.pk)
    # A packing slip with its return form: whatever comes back of that shipment's order.
    return Q(fulfillment__in=Shipment._default_manager.filter(pk=code.pk).values("fulfillment"))


def find_return(text: str, user: Any = None) -> Return | None:
    """The one return that a scanned or typed text means; for ``user`` only one that this person may see.

    Of several (an order's number, the return form on its packing slip) the one whose goods are awaited: approved ones
    first, then those asked for; the latest of them. None where nothing is found.
    """
    rows = Return._default_manager.select_related("fulfillment__order") if user is None else returns_for_user(user)
    if not text.strip() or "\x00" in text:
        return None
    awaited = Case(
        When(status=APPROVED, then=Value(0)), When(status=REQUESTED, then=Value(1)),
        When(status=RECEIVED, then=Value(2)), default=Value(3), output_field=IntegerField(),
    )  # fmt: skip
    return rows.filter(_meant(text, "fulfillment__number")).order_by(awaited, "-pk").first()


@dataclass(frozen=True)
class ReturnsPage:
    """A page of the list."""

    rows: list[Return]
    has_previous: bool
    has_next: bool

    def cursor(self, position: int) -> Cursor:
        row = self.rows[position]
        return Cursor(row.created_at, row.pk)


def read_returns(
    rows: QuerySet[Return], *, oldest_first: bool, after: Cursor | None = None, before: Cursor | None = None,
    size: int = PAGE_SIZE,
) -> ReturnsPage:  # fmt: skip
    """A page with the lines of its returns: two statements, however far in the list."""
    backwards = before is not None
    place = before or after
    up = oldest_first is not backwards
    if place is not None:
        way = "gt" if up else "lt"
        tied = Q(**{"created_at": place.placed_at, f"pk__{way}": place.order_id})
        rows = rows.filter(**{f"created_at__{way}e": place.placed_at}).filter(
            tied | Q(**{f"created_at__{way}": place.placed_at})
        )
    sign = "" if up else "-"
    lines = Prefetch("lines", ReturnLine._default_manager.select_related("line"))
    found = list(rows.prefetch_related(lines).order_by(f"{sign}created_at", f"{sign}pk")[: size + 1])
    more = len(found) > size
    found = found[:size]
    if backwards:
        return ReturnsPage(found[::-1], has_previous=more, has_next=True)
    return ReturnsPage(found, has_previous=after is not None, has_next=more)


def history_of(ret: Return) -> list[StatusChange]:
    """What happened to this return, newest first."""
    rows = StatusChange._default_manager.filter(fulfillment=ret.fulfillment_id, data__return=ret.pk)
    found = list(rows.order_by("-sequence"))
    for row in found:
        row.fulfillment = ret.fulfillment  # whose flow has the words for it
    return found


def refund_operation(ret: Return) -> PaymentOperation | None:
    """The refund that a provider was asked for this return, if one was."""
    asked = StatusChange._default_manager.filter(
        fulfillment=ret.fulfillment_id, action="request_refund", data__return=ret.pk
    ).order_by("-sequence")
    pk = asked.values_list("data__operation", flat=True).first()
    return PaymentOperation._default_manager.filter(pk=pk).select_related("payment").first() if pk else None


def returns_of(order_id: int) -> list[Return]:
    """The returns of an order with their lines, the latest first."""
    lines = Prefetch("lines", ReturnLine._default_manager.select_related("line"))
    return list(Return._default_manager.filter(fulfillment=order_id).prefetch_related(lines).order_by("-number"))


def replacements_of(ret: Return) -> list[Shipment]:
    """What was sent, or is prepared, instead of the goods of this return."""
    return list(ret.replacements.order_by("number"))
