"""The journal: what came in, what went back, which documents were made, by the moment it happened.

Every kind of entry is read along its own index, a page at a time, and the kinds are merged: a month costs the same in a
shop of ten thousand orders and in one of a million, and the memory it takes does not depend on how long it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

T = TypeVar("T")

PAYMENT, REFUND, INVOICE, CANCELLED, CREDIT = "payment", "refund", "invoice", "cancelled", "credit"
KINDS = (PAYMENT, REFUND, INVOICE, CANCELLED, CREDIT)
MONEY = frozenset({PAYMENT, REFUND})
#: Rows of a page.
PAGE = 1000


@dataclass(frozen=True)
class Scope:
    """Which entries: from ``begin`` on, before ``end``. Empty ``currency`` and ``flow``: all of them."""

    begin: datetime
    end: datetime
    kinds: frozenset[str] = frozenset(KINDS)
    currency: str = ""
    flow: str = ""


@dataclass(slots=True)
class Entry:
    """One thing that happened. ``uid`` is the same in every export; ``amount`` is below zero where it is in the
    customer's favour, None where nobody has said what a document is over.

    ``place`` orders what happened at the same moment.
    """

    at: datetime
    place: tuple[int, ...]
    uid: str
    kind: str
    order_id: int
    currency: str
    amount: Decimal | None
    reference: str = ""
    source_id: int | None = None
    transaction_id: int | None = None
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[datetime, tuple[int, ...]]:
        """The place in the journal."""
        return self.at, self.place


def entries(scope: Scope, page: int = PAGE) -> Iterator[Entry]:
    """All entries of a scope, the oldest first, in an order that is the same each time."""
    from . import journal_documents, journal_money

    streams: list[Iterator[Entry]] = []
    if scope.kinds & MONEY:
        streams.append(journal_money.movements(scope, page))
    streams += journal_documents.streams(scope, page)
    return merge(*streams, key=lambda entry: entry.key)


def walk(rows: QuerySet[Any], moment: str, scope: Scope, columns: Iterable[str], page: int) -> Iterator[list[Any]]:
    """The rows whose ``moment`` is in the scope, page by page along the index of that column."""
    names, after = (*columns, moment, "pk"), None
    while True:
        query = rows.filter(
            **{f"{moment}__lt": scope.end, f"{moment}__gte": scope.begin if after is None else after[0]}
        )
        if after is not None:
            query = query.filter(Q(**{f"{moment}__gt": after[0]}) | Q(pk__gt=after[1]))
        found = list(query.order_by(moment, "pk").values(*names)[:page])
        if found:
            yield found
        if len(found) < page:
            return
        after = (found[-1][moment], found[-1]["pk"])


def chunks(found: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """Lists of ``size``, the last one shorter."""
    iterator = iter(found)
    while chunk := list(islice(iterator, size)):
        yield chunk
