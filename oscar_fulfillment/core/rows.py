"""Rows as plain values, and the SQL that writes any number of them from one parameter list.

Building a model instance and letting the ORM build its INSERT costs more than the database takes to run it. Here a row
is a table and its values; the text of a statement is made once per table and shape. What all rows share is sent once,
only what differs travels as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.functional import Promise

from .leases import insert_new


@dataclass(frozen=True)
class Row:
    """A new row of a table; columns that are not named get their model's default. ``values`` by ``attname``."""

    model: type[models.Model]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """New values, by ``attname``, for the row of an object; the object shows them once they are written."""

    instance: Any
    values: Mapping[str, Any] = field(default_factory=dict)


#: A part of a statement with its parameters.
Sql = tuple[str, list[Any]]


class _Exact(json.JSONEncoder):
    """JSON that a database reads back without loss (DjangoJSONEncoder cuts microseconds)."""

    def default(self, value: Any) -> Any:
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, Decimal | Promise):
            return str(value)
        return super().default(value)


_dump = _Exact(check_circular=False).encode


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` as it will read when it comes back from the database: plain JSON types only.

    Floating-point numbers become text: PostgreSQL keeps JSON numbers as decimals and may write them otherwise, and the
    hash of the row must not depend on that.
    """
    if not data:
        return {}
    return json.loads(json.dumps(data, cls=DjangoJSONEncoder), parse_float=str)


def insert(rows: Sequence[Row]) -> None:
    """Insert rows without asking for their keys; one statement per table."""
    for model, values in by_model(rows):
        connection = connections[router.db_for_write(model)]
        if not is_flat(connection, model):
            model._default_manager.bulk_create([model(**each) for each in values])
            continue
        sql, parameters = insert_sql(connection, model, completed(model, values))
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)


def insert_unknown(model: type[models.Model], rows: Sequence[Mapping[str, Any]], returning: Sequence[str]) -> list[Any]:
    """Insert those of the rows (values by ``attname``) that no unique constraint refuses; ``returning`` of the new.

    As :func:`core.leases.insert_new`, for thousands at once.
    """
    if not rows:
        return []
    connection = connections[router.db_for_write(model)]
    if not is_flat(connection, model):
        return insert_new([model(**values) for values in rows], returning)
    sql, parameters = insert_sql(connection, model, completed(model, rows))
    answer = ", ".join(connection.ops.quote_name(name) for name in returning)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} ON CONFLICT DO NOTHING RETURNING {answer}", parameters)
        return cursor.fetchall()


def by_model(rows: Iterable[Row]) -> list[tuple[type[models.Model], list[Mapping[str, Any]]]]:
    """The values of the rows, table by table."""
    label = lambda row: row.model._meta.label  # noqa: E731
    groups = (list(group) for _label, group in groupby(sorted(rows, key=label), key=label))
    return [(group[0].model, [row.values for row in group]) for group in groups]


def update(changes: Sequence[Change]) -> None:
    """Write the changes, one statement for those of one table and the same columns."""
    alike: dict[Any, list[Change]] = {}
    for change in changes:
        alike.setdefault((type(change.instance), *change.values), []).append(change)
    for (model, *_names), group in alike.items():
        values = group[0].values
        if all(change.values == values for change in group):
            model._default_manager.filter(pk__in=[change.instance.pk for change in group]).update(**values)
        elif not model._meta.parents:
            update_each(group)
        else:
            for change in group:
                model._default_manager.filter(pk=change.instance.pk).update(**change.values)


def update_each(changes: Sequence[Change]) -> None:
    """Write changes of one table that all name the same columns, each with values of its own, in one statement."""
    if not changes:
        return
    model = type(changes[0].instance)
    connection = connections[router.db_for_write(model)]
    sql, parameters = update_sql(connection, model, [(each.instance.pk, {}, each.values) for each in changes])
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def is_flat(connection: BaseDatabaseWrapper, model: type[models.Model]) -> bool:
    """Whether new rows of this model can be written as plain values: PostgreSQL, one table, no column that computes
    itself from an instance (a shop's own order models may have such)."""
    return connection.vendor == "postgresql" and _usual(model) is not None


#: How Django prepares a column that does nothing of its own before it is saved.
_PLAIN = {kind.pre_save for kind in (models.Field, models.DateField, models.DateTimeField, models.TimeField)}


@cache
def _usual(model: type[models.Model]) -> dict[str, Any] | None:
    """What columns hold that nobody names: a value, or a function that makes one. None if only an instance knows."""
    usual: dict[str, Any] = {}
    for column in model._meta.concrete_fields:
        is_dated = getattr(column, "auto_now", False) or getattr(column, "auto_now_add", False)
        if (
            model._meta.parents
            or type(column).pre_save not in _PLAIN
            or getattr(column, "generated", False)
            or hasattr(column.get_default(), "resolve_expression")
            or (is_dated and not isinstance(column, models.DateTimeField))
        ):
            return None
        if not isinstance(column, models.AutoField):
            default = column.default if column.has_default() and callable(column.default) else column.get_default()
            usual[column.attname] = timezone.now if is_dated else default
    return usual


def completed(model: type[models.Model], rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with every column of their table."""
    usual = _usual(model)
    assert usual is not None
    common = {name: value() if callable(value) else value for name, value in usual.items()}
    return [{**common, **values} for values in rows]


def insert_sql(
    connection: BaseDatabaseWrapper, model: type[models.Model], rows: Sequence[Mapping[str, Any]], only_if: str = "true"
) -> Sql:
    """INSERT of these rows (all with the same columns), on PostgreSQL."""
    names = tuple(rows[0])
    varying = _varying(rows)
    sql = _insert_text(connection.alias, model, names, varying)
    parameters = [_literal(rows[0][name]) for name in names if name not in varying]
    if varying:
        parameters.append(_dump([{name: row[name] for name in varying} for row in rows]))
    return f"{sql} WHERE {only_if}", parameters


def update_sql(
    connection: BaseDatabaseWrapper,
    model: type[models.Model],
    rows: Sequence[tuple[Any, Mapping[str, Any], Mapping[str, Any]]],
    only_if: str = "true",
) -> Sql:
    """UPDATE of the rows (key, guard, values): each is written where its columns still equal its guard.

    All must name the same columns. Returns SQL for PostgreSQL and SQLite.
    """
    fields: dict[str, Any] = {name: model._meta.get_field(name) for part in rows[0][1:] for name in part}
    if connection.vendor == "sqlite":  # which keeps times and decimals as text
        rows = [
            (pk, *({n: fields[n].get_db_prep_save(v, connection) for n, v in part.items()} for part in parts))
            for pk, *parts in rows
        ]
    _pk, guard, values = rows[0]
    flat = [
        {"pk": pk} | {f"v_{name}": value for name, value in to.items()} | {f"g_{name}": v for name, v in of.items()}
        for pk, of, to in rows
    ]
    varying = _varying(flat)
    sql = _update_text(connection.alias, model, tuple(guard), tuple(values), varying)
    shared = {name: _literal(value) for name, value in flat[0].items() if name not in varying}
    written = [shared[name] for name in (f"v_{name}" for name in values) if name in shared]
    compared = [shared[name] for name in ("pk", *(f"g_{name}" for name in guard)) if name in shared]
    listed = [_dump([{name: row[name] for name in varying} for row in flat])] if varying else []
    return f"{sql} AND {only_if}", written + listed + compared


def _varying(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns in which the rows differ. Of several equal rows the first column counts as differing."""
    first = rows[0]
    if len(rows) == 1:
        return ()
    found = tuple(name for name, value in first.items() if any(row[name] != value for row in rows))
    return found or (next(iter(first)),)


def _literal(value: Any) -> Any:
    """A value as a parameter. Its type is the column's: none is named in the text, so that nothing is cut to fit."""
    if isinstance(value, dict | list):
        return _dump(value)
    return str(value) if isinstance(value, Promise) else value


def _type(column: Any, connection: BaseDatabaseWrapper) -> str:
    return column.rel_db_type(connection) if column.primary_key and column.remote_field else column.db_type(connection)


def _source(connection: BaseDatabaseWrapper, columns: Mapping[str, Any], varying: Sequence[str]) -> str:
    """FROM clause: the JSON parameter as a table ``new``."""
    quote = connection.ops.quote_name
    if connection.vendor == "postgresql":
        kinds = ", ".join(f"{quote(name)} {_type(columns[name], connection)}" for name in varying)
        return f"FROM json_to_recordset(%s::json) AS new({kinds})"
    picks = ", ".join(f"json_extract(value, '$.{name}') AS {quote(name)}" for name in varying)
    return f"FROM (SELECT {picks} FROM json_each(%s)) AS new"  # noqa: S608


@lru_cache(maxsize=256)
def _insert_text(alias: str, model: type[models.Model], names: tuple[str, ...], varying: tuple[str, ...]) -> str:
    """Only quoted names of our own models are put into the text."""
    connection = connections[alias]
    quote = connection.ops.quote_name
    columns: dict[str, Any] = {name: model._meta.get_field(name) for name in names}
    targets = ", ".join(quote(column.column) for column in columns.values())
    picks = ", ".join(f"new.{quote(name)}" if name in varying else "%s" for name in names)
    source = _source(connection, columns, varying) if varying else ""
    return f"INSERT INTO {quote(model._meta.db_table)} ({targets}) SELECT {picks} {source}"


@lru_cache(maxsize=256)
def _update_text(
    alias: str, model: type[models.Model], guards: tuple[str, ...], names: tuple[str, ...], varying: tuple[str, ...]
) -> str:
    connection = connections[alias]
    quote = connection.ops.quote_name
    meta: Any = model._meta
    columns: dict[str, Any] = {"pk": meta.pk}
    columns |= {f"v_{name}": meta.get_field(name) for name in names}
    columns |= {f"g_{name}": meta.get_field(name) for name in guards}

    def given(name: str) -> str:
        return f"new.{quote(name)}" if name in varying else "%s"

    sets = ", ".join(f"{quote(columns[f'v_{n}'].column)} = {given(f'v_{n}')}" for n in names)
    where = " AND ".join(f"t.{quote(columns[n].column)} = {given(n)}" for n in ("pk", *(f"g_{n}" for n in guards)))
    source = _source(connection, columns, varying) if varying else ""
    return f"UPDATE {quote(meta.db_table)} AS t SET {sets} {source} WHERE {where}"  # noqa: S608
