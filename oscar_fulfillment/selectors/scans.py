"""Lists of orders that cost the same at ten thousand orders and at a million.

A list is a conjunction of conditions, each a choice of alternatives ("paid or authorized"). Every combination of
alternatives is one *walk* along an index that ends in the keyset (placed_at, order); the walks are merged by the
database, and each stops after a page. So nothing sorts the table, nothing counts it, and page 10,000 is as near as
the first. An ``IN`` over statuses on the date index would read past all the rows it does not want.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache, reduce
from itertools import product
from math import prod
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, router
from django.db.models import Q, QuerySet, Value
from django.db.models.expressions import RawSQL

from oscar_fulfillment.models import OrderFulfillment

#: One of these must hold. No alternative at all: nothing is found.
Alternatives = Sequence[Q]

#: More combinations than this are read by fewer, wider walks.
MAX_WALKS = 64

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"(-?[0-9]{1,17})-([0-9]{1,18})", re.ASCII)


class CursorError(ValueError):
    """The text is no place in a list."""


@dataclass(frozen=True)
class Cursor:
    """A place in the list: an order, by its time and number. Stable whatever is added before or after it."""

    placed_at: datetime
    order_id: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what :meth:`__str__` wrote; :class:`CursorError` for anything else."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise CursorError(text)
        try:
            return cls(_EPOCH + timedelta(microseconds=int(match[1])), int(match[2]))
        except OverflowError as error:
            raise CursorError(text) from error

    def __str__(self) -> str:
        return f"{(self.placed_at - _EPOCH) // timedelta(microseconds=1)}-{self.order_id}"


@dataclass(frozen=True)
class Page:
    """A page of rows (dicts of :data:`COLUMNS`), in the order of the list, and the counts that were read with it."""

    rows: list[dict[str, Any]]
    has_previous: bool
    has_next: bool
    counts: dict[str, int]

    def cursor(self, position: int) -> Cursor:
        row = self.rows[position]
        return Cursor(row["placed_at"], row["order_id"])


def walks(base: QuerySet[OrderFulfillment], conditions: Iterable[Alternatives]) -> list[QuerySet[OrderFulfillment]]:
    """One queryset per combination of alternatives."""
    factors = [list(alternatives) for alternatives in conditions]
    while prod(len(factor) for factor in factors) > MAX_WALKS:
        widest = max(range(len(factors)), key=lambda i: len(factors[i]))
        factors[widest] = [reduce(operator.or_, factors[widest])]
    return [base.filter(*combination) for combination in product(*factors)]


def _sql(query: QuerySet[Any]) -> Part | None:
    try:
        sql, params = query.query.get_compiler(_alias()).as_sql()
    except EmptyResultSet:
        return None
    return sql, tuple(params)


def _alias() -> str:
    return router.db_for_read(OrderFulfillment)


def _merged(queries: Iterable[QuerySet[Any]], tail: str, columns: str, distinct: bool) -> tuple[str, tuple[Any, ...]]:
    """The walks as one SELECT. Only names of ours go into the text; every value is a parameter."""
    parts = [part for query in queries if (part := _sql(query)) is not None]
    if not parts:
        return f"SELECT {columns} FROM {OrderFulfillment._meta.db_table} WHERE 1 = 0", ()  # noqa: S608
    glue = " UNION " if distinct else " UNION ALL "
    text = glue.join(f"SELECT * FROM ({sql}) AS w{i}" for i, (sql, _params) in enumerate(parts))  # noqa: S608
    params = tuple(value for _part, values in parts for value in values)
    return f"SELECT {columns} FROM ({text}) AS walks {tail}", params  # noqa: S608


#: A part of a statement with its parameters.
Part = tuple[str, tuple[Any, ...]]


def parts_of(queries: Iterable[QuerySet[Any]]) -> list[Part]:
    """Several small queries with like columns (numbers and texts), each perhaps sliced, for :func:`read_parts`."""
    return [part for query in queries if (part := _sql(query)) is not None]


def read_parts(parts: Sequence[Part]) -> list[tuple[Any, ...]]:
    """Their rows, in one statement."""
    text = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS r{i}" for i, (sql, _params) in enumerate(parts))  # noqa: S608
    with connections[_alias()].cursor() as cursor:
        cursor.execute(text, [value for _sql_text, values in parts for value in values])
        return cursor.fetchall()


def among(ids: Iterable[int]) -> Any:
    """For ``__in``, any number of ids: as one parameter, which is written sooner than a thousand, and lets the database
    look each of them up by the index instead of reading a table of a million rows."""
    vendor = connections[_alias()].vendor
    if vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", (list(ids),))
    if vendor == "sqlite":
        return RawSQL("SELECT value FROM json_each(%s)", (json.dumps(list(ids)),))
    return list(ids)


def _any_of(parts: Sequence[Part], tail: str) -> Part:
    """Ones, as many as the parts have rows together. Plain SELECTs: SQLite takes no ordered SELECT in parentheses."""
    if not parts:
        return "SELECT 1 WHERE 1 = 0", ()
    text = " UNION ALL ".join(f"SELECT 1 FROM ({sql}) AS w{i}" for i, (sql, _params) in enumerate(parts))  # noqa: S608
    return f"{text} {tail}", tuple(value for _sql_text, values in parts for value in values)


def page_ids(
    queries: Sequence[QuerySet[OrderFulfillment]],
    limit: int,
    *,
    after: Cursor | None = None,
    newest_first: bool = True,
    distinct: bool = False,
) -> RawSQL:
    """The ids of the first ``limit`` orders behind ``after``, as a subquery."""
    sign, word, lookup = ("-", "DESC", "lt") if newest_first else ("", "ASC", "gt")
    if after is not None:
        behind = Q(placed_at=after.placed_at, **{f"order__{lookup}": after.order_id}) | Q(
            **{f"placed_at__{lookup}": after.placed_at}
        )
        # The first condition bounds the walk along the index, the second drops ties.
        queries = [query.filter(**{f"placed_at__{lookup}e": after.placed_at}).filter(behind) for query in queries]
    ordered = [query.order_by(f"{sign}placed_at", f"{sign}order_id")[:limit] for query in queries]
    if len(ordered) == 1 and (only := _sql(ordered[0].values_list("order_id"))) is not None:
        return RawSQL(*only)  # noqa: S611
    tail = f"ORDER BY placed_at {word}, order_id {word} LIMIT {int(limit)}"
    keyed = (query.values_list("placed_at", "order_id") for query in ordered)
    return RawSQL(*_merged(keyed, tail, "order_id", distinct))  # noqa: S611


#: What there is to say of an order in a row.
ORDER_COLUMNS = (
    "order_id", "number", "flow", "payment_status", "shipping_status", "hold_count", "has_backorder", "problem",
    "placed_at", "customer_name", "email", "payment_method_id", "order__currency", "order__total_incl_tax",
)  # fmt: skip
#: What a row of the list shows: when an unpaid order is cancelled, too.
COLUMNS = (*ORDER_COLUMNS, "terms__cancel_at")


def read_page(
    queries: Sequence[QuerySet[OrderFulfillment]],
    size: int,
    *,
    after: Cursor | None = None,
    before: Cursor | None = None,
    last: bool = False,
    newest_first: bool = True,
    distinct: bool = False,
    columns: Sequence[str] = COLUMNS,
    start: RawSQL | None = None,
    counts: Sequence[Part] = (),
) -> Page:
    """A page in one statement: from the start, behind ``after``, ahead of ``before``, or the ``last``.

    ``start``: the first ``size + 1`` ids where they are ready as :func:`page_ids`; it is used for the first page only.
    ``counts``: what :func:`capped_counts` takes, read on the way.
    """
    backwards = last or before is not None
    descending = newest_first is not backwards
    if start is None or backwards or after is not None:
        start = page_ids(queries, size + 1, after=before or after, newest_first=descending, distinct=distinct)
    rows, counted = _read_rows(start, tuple(columns), counts)
    rows.sort(key=lambda row: (row["placed_at"], row["order_id"]), reverse=descending)
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        return Page(rows[::-1], has_previous=more, has_next=not last, counts=counted)
    return Page(rows, has_previous=after is not None, has_next=more, counts=counted)


def _read_rows(
    ids: RawSQL, columns: tuple[str, ...], counts: Sequence[Part]
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The columns of these orders, in no order. The ORM takes as long to write this as the database to answer it."""
    alias = _alias()
    if connections[alias].vendor != "postgresql" or (ready := _rows_sql(alias, columns)) is None:
        rows = OrderFulfillment._default_manager.using(alias).filter(pk__in=ids).values(*columns)
        return list(rows), capped_counts(counts)
    text = _literal(alias, (ready[0] + ids.sql + ready[1], tuple(ids.params)))
    if counts:
        nothing = ", ".join(["NULL"] * len(columns))
        text = (
            f"SELECT listed.*, NULL AS name, NULL AS orders FROM ({text}) AS listed "  # noqa: S608
            f"UNION ALL SELECT {nothing}, name, orders FROM ({_counts_sql(alias, counts)}) AS counts"
        )
    with connections[alias].cursor() as cursor:
        cursor.execute(text)
        found = cursor.fetchall()
    size = len(columns)
    counted = {row[size]: row[size + 1] for row in found if row[size] is not None} if counts else {}
    listed = [row for row in found if row[size] is None] if counts else found
    return [dict(zip(columns, row, strict=False)) for row in listed], counted


@cache
def _rows_sql(alias: str, columns: tuple[str, ...]) -> tuple[str, str] | None:
    """The text before and behind the subquery; None where the values of this database need the ORM to read them."""
    marker = "SELECT 0 AS ids"
    ids = RawSQL(marker, ())  # noqa: S611
    query = OrderFulfillment._default_manager.using(alias).filter(pk__in=ids).values(*columns)
    compiler = query.query.get_compiler(alias)
    sql, params = compiler.as_sql()
    before, found, behind = sql.partition(marker)
    expressions = [expression for expression, _sql_text, _name in compiler.select]
    if params or not found or compiler.get_converters(expressions):
        return None
    return before, behind


def count_part(name: str, queries: Iterable[QuerySet[OrderFulfillment]], cap: int) -> Part:
    """The count of one list, for :func:`capped_counts`. Building it costs more than running it: keep it."""
    # Each walk stops by itself; the order makes it follow the index.
    parts = parts_of(query.order_by("-placed_at", "-order_id").values_list(Value(1))[: cap + 1] for query in queries)
    inner, values = parts[0] if len(parts) == 1 else _any_of(parts, f"LIMIT {cap + 1}")
    return f"SELECT %s AS name, COUNT(*) AS orders FROM ({inner}) AS counted", (name, *values)  # noqa: S608


def capped_counts(parts: Sequence[Part]) -> dict[str, int]:
    """How many orders each list holds, at most its cap + 1 ("more than cap"), all in one statement."""
    if not parts:
        return {}
    alias = _alias()
    with connections[alias].cursor() as cursor:
        if connections[alias].vendor == "postgresql":
            cursor.execute(_counts_sql(alias, parts))
        else:
            values = [value for _sql_text, params in parts for value in params]
            cursor.execute(" UNION ALL ".join(sql for sql, _params in parts), values)
        return dict(cursor.fetchall())


def _counts_sql(alias: str, parts: Sequence[Part]) -> str:
    return " UNION ALL ".join([_literal(alias, part) for part in parts])


@lru_cache(maxsize=128)
def _literal(alias: str, part: Part) -> str:
    """The part with its values in it, quoted by the database's driver, which else looks through all of it each time."""
    text = connections[alias].ops.compose_sql(*part)  # type: ignore[attr-defined]
    return text.decode() if isinstance(text, bytes) else text
