"""The write of a step: compare-and-set of the heads, their history rows and the outgoing messages.

On PostgreSQL it is one statement for any number of objects, its text made once per model, its values travelling as
JSON: what Django's ORM spends on building three statements is more than the database spends on running them. Elsewhere
the same in three statements.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.functional import Promise

from . import outbox
from .models import HistoryRow

Update = tuple[Any, Mapping[str, Any], Mapping[str, Any]]


class _Exact(json.JSONEncoder):
    """JSON that a database reads back without loss (DjangoJSONEncoder cuts microseconds)."""

    def default(self, value: Any) -> Any:
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, Decimal | Promise):
            return str(value)
        return super().default(value)


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` as it will read when it comes back from the database: plain JSON types only.

    Floating-point numbers become text: PostgreSQL keeps JSON numbers as decimals and may write them otherwise, and the
    hash of the row must not depend on that.
    """
    if not data:
        return {}
    return json.loads(json.dumps(data, cls=DjangoJSONEncoder), parse_float=str)


def write_steps(updates: Sequence[Update], rows: Sequence[Any], messages: Sequence[outbox.OutboxMessage]) -> bool:
    """Write heads, history rows and messages in the caller's transaction.

    ``updates`` holds (object, guard, values): ``values`` are written where the columns still equal ``guard``. False
    when one of them did not: somebody was faster, and the caller must roll back.
    """
    model: Any = type(updates[0][0])
    history: Any = type(rows[0])
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql":
        if compare_and_set(model, updates) != len(updates):
            return False
        history._default_manager.bulk_create(rows)
        outbox.enqueue(messages)
        return True
    guards, names, heads = _heads(updates)
    parameters = [_dump(heads), _dump(_records(rows))]
    queued = outbox.records(messages)
    if queued:
        parameters.append(_dump(queued))
    sql = _write_sql(connection.alias, model, guards, names, history, outbox.PUMP.model if queued else None)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        moved, new, keys = cursor.fetchone()
    if moved != len(updates):
        return False
    by_place = {(subject, sequence): pk for subject, sequence, pk in json.loads(keys)}
    for row in rows:
        row.pk = by_place[getattr(row, f"{row.subject_field}_id"), row.sequence]
        row._state.adding, row._state.db = False, connection.alias
    outbox.enqueued(len(queued), new)
    return True


def compare_and_set(model: type[models.Model], updates: Sequence[Update]) -> int:
    """Write ``values`` to every object whose columns still equal ``guard``; the number of rows written.

    ``updates`` holds (object, guard, values). Fewer rows than objects means that somebody was faster.
    """
    if len(updates) == 1:
        subject, guard, values = updates[0]
        return model._default_manager.filter(pk=subject.pk, **guard).update(**values)
    connection = connections[router.db_for_write(model)]
    guards, names, heads = _heads(updates, connection)
    with connection.cursor() as cursor:
        cursor.execute(_update_sql(connection.alias, model, guards, names), [_dump(heads)])
        return cursor.rowcount


def _dump(rows: Any) -> str:
    return json.dumps(rows, cls=_Exact)


def _heads(
    updates: Sequence[Update], connection: BaseDatabaseWrapper | None = None
) -> tuple[tuple[str, ...], tuple[str, ...], list[dict[str, Any]]]:
    """Which columns are compared and written, and their values per object.

    A column that one object leaves alone keeps what was read: the guard on the version covers it.
    """
    guards = tuple(sorted({name for _subject, guard, _values in updates for name in guard}))
    names = tuple(sorted({name for _subject, _guard, values in updates for name in values}))
    fields = {name: updates[0][0]._meta.get_field(name) for name in (*guards, *names)}

    def value(name: str, given: Mapping[str, Any], subject: Any) -> Any:
        found = given[name] if name in given else getattr(subject, fields[name].attname)
        found = found.pk if isinstance(found, models.Model) else found
        if connection is not None and connection.vendor == "sqlite":  # which keeps times and decimals as text
            return fields[name].get_db_prep_save(found, connection)
        return found

    heads = [
        {"pk": subject.pk}
        | {f"g_{name}": value(name, guard, subject) for name in guards}
        | {f"v_{name}": value(name, values, subject) for name in names}
        for subject, guard, values in updates
    ]
    return guards, names, heads


def _records(rows: Sequence[Any]) -> list[dict[str, Any]]:
    columns = [(field.column, field.attname) for field in rows[0]._meta.concrete_fields if not field.primary_key]
    return [{column: getattr(row, attname) for column, attname in columns} for row in rows]


def _type(field: Any, connection: BaseDatabaseWrapper) -> str:
    return field.rel_db_type(connection) if field.primary_key and field.remote_field else field.db_type(connection)


@cache
def _update_sql(alias: str, model: type[models.Model], guards: tuple[str, ...], names: tuple[str, ...]) -> str:
    """UPDATE from one JSON parameter. Only quoted names of our own models are put into the text."""
    connection = connections[alias]
    meta: Any = model._meta
    quote = connection.ops.quote_name
    columns: list[tuple[str, Any]] = [("pk", meta.pk)]
    columns += [(f"g_{name}", meta.get_field(name)) for name in guards]
    columns += [(f"v_{name}", meta.get_field(name)) for name in names]
    sets = ", ".join(f"{quote(meta.get_field(n).column)} = src.{quote('v_' + n)}" for n in names)
    where = " AND ".join(
        [f"t.{quote(meta.pk.column)} = src.{quote('pk')}"]
        + [f"t.{quote(meta.get_field(n).column)} = src.{quote('g_' + n)}" for n in guards]
    )
    if connection.vendor == "postgresql":
        kinds = ", ".join(f"{quote(name)} {_type(field, connection)}" for name, field in columns)
        source = f"json_to_recordset(%s::json) AS src({kinds})"
    else:
        picks = ", ".join(f"json_extract(value, '$.{name}') AS {quote(name)}" for name, _field in columns)
        source = f"(SELECT {picks} FROM json_each(%s)) AS src"  # noqa: S608
    return f"UPDATE {quote(meta.db_table)} AS t SET {sets} FROM {source} WHERE {where}"  # noqa: S608


@cache
def _write_sql(
    alias: str,
    model: type[models.Model],
    guards: tuple[str, ...],
    names: tuple[str, ...],
    history: type[HistoryRow],
    messages: type[models.Model] | None,
) -> str:
    quote = connections[alias].ops.quote_name
    of: Any = history._meta
    key: Any = model._meta.pk
    subject = quote(of.get_field(history.subject_field).column)
    # The history joins what was moved: whoever was too late must be told so, not stumble over a unique constraint.
    return (
        f"WITH moved AS ({_update_sql(alias, model, guards, names)} "  # noqa: S608
        f"RETURNING t.{quote(key.column)} AS pk), "
        f"written AS ({_insert_sql(alias, history, f'JOIN moved ON moved.pk = new.{subject}')} "
        f"RETURNING {subject} AS subject, {quote('sequence')} AS sequence, {quote(of.pk.column)} AS pk)"
        + (f", queued AS ({_insert_sql(alias, messages)} ON CONFLICT DO NOTHING RETURNING 1)" if messages else "")
        + f" SELECT (SELECT count(*) FROM moved), {'(SELECT count(*) FROM queued)' if messages else '0'}, "  # noqa: S608
        + "(SELECT json_agg(json_build_array(subject, sequence, pk))::text FROM written)"
    )


@cache
def _insert_sql(alias: str, model: type[models.Model], join: str = "") -> str:
    """INSERT of any number of rows from one JSON parameter (PostgreSQL)."""
    connection = connections[alias]
    quote: Any = connection.ops.quote_name
    fields: list[Any] = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(quote(field.column) for field in fields)
    kinds = ", ".join(f"{quote(field.column)} {_type(field, connection)}" for field in fields)
    picks = ", ".join(f"new.{quote(field.column)}" for field in fields)
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({columns}) SELECT {picks} "  # noqa: S608
        f"FROM json_to_recordset(%s::json) AS new({kinds}) {join}"
    )


def insert(objects: Sequence[models.Model]) -> None:
    """Insert plain rows without asking for their keys: ``bulk_create`` for a hot path."""
    if not objects:
        return
    model = type(objects[0])
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql" or model._meta.parents:
        model._default_manager.bulk_create(objects)
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    rows = [{field.column: field.get_prep_value(field.pre_save(row, True)) for field in fields} for row in objects]
    with connection.cursor() as cursor:
        cursor.execute(_insert_sql(connection.alias, model), [_dump(rows)])
