"""The write of a step: compare-and-set of the heads, their history rows, the outgoing messages, and what else belongs
to the step.

On PostgreSQL it is one statement for any number of objects; elsewhere the same in one statement per table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from . import outbox, rows
from .commit import sole_statement
from .models import HistoryRow
from .rows import Change, Row, Sql

Update = tuple[Any, Mapping[str, Any], Mapping[str, Any]]


def write_steps(
    updates: Sequence[Update],
    history: Sequence[Any],
    messages: Sequence[outbox.OutboxMessage],
    extra: Sequence[Row] = (),
    changes: Sequence[Change] = (),
) -> bool:
    """Write heads, history rows, messages, ``extra`` rows and ``changes`` of other objects in the caller's transaction.

    ``updates`` holds (object, guard, values): ``values`` are written where the columns still equal ``guard``. False
    when one of them did not: somebody was faster, and the caller must roll back.
    """
    model = type(updates[0][0])
    connection = connections[router.db_for_write(model)]
    flat = all(rows.is_flat(connection, table) for table in {type(history[0]), *(row.model for row in extra)})
    if flat and not any(change.instance._meta.parents for change in changes):
        head = rows.update_sql(connection, model, _alike(updates))
        if not _write(connection, head, len(updates), history, messages, extra, changes):
            return False
    else:
        if compare_and_set(model, updates) != len(updates):
            return False
        type(history[0])._default_manager.bulk_create(history)
        rows.update(changes)
        rows.insert(extra)
        outbox.enqueue(messages)
    for change in changes:
        for name, value in change.values.items():
            setattr(change.instance, name, value)
    return True


def write_first(subject: Any, row: HistoryRow, messages: Sequence[outbox.OutboxMessage]) -> None:
    """Insert an object whose history begins with ``row``, with its messages, in the caller's transaction.

    For an object that knows its key. Django's ``post_save`` is not sent.
    """
    model: Any = type(subject)
    connection = connections[router.db_for_write(model)]
    if rows.is_flat(connection, model) and rows.is_flat(connection, type(row)):
        _write(connection, rows.insert_sql(connection, model, [_record(subject)]), 1, [row], messages)
        subject._state.adding, subject._state.db = False, connection.alias
    else:
        model._default_manager.bulk_create([subject])
        type(row)._default_manager.bulk_create([row])
        outbox.enqueue(messages)


def _write(
    connection: BaseDatabaseWrapper,
    head: Sql,
    count: int,
    history: Sequence[HistoryRow],
    messages: Sequence[outbox.OutboxMessage],
    extra: Sequence[Row] = (),
    changes: Sequence[Change] = (),
) -> bool:
    """One statement: ``head``, and if it moves ``count`` rows all the rest."""
    table = type(history[0])
    quote, meta = connection.ops.quote_name, cast(Any, table)._meta
    key, subject = quote(meta.pk.column), quote(meta.get_field(table.subject_field).column)
    # Whoever was too late must be told so, not stumble over a unique constraint, and has written nothing else.
    won = f"(SELECT count(*) FROM moved) = {count}"  # noqa: S608
    queued = outbox.records(messages)
    parts: dict[str, Sql] = {"moved": head}
    parts["written"] = rows.insert_sql(connection, table, [_record(row) for row in history], won)
    if queued:
        parts["queued"] = rows.insert_sql(connection, outbox.PUMP.model, queued, won)
    for number, group in enumerate(_by_columns(changes)):
        values: list[Update] = [(change.instance.pk, {}, change.values) for change in group]
        parts[f"changed{number}"] = rows.update_sql(connection, type(group[0].instance), values, won)
    for number, (other, added) in enumerate(rows.by_model(extra)):
        parts[f"added{number}"] = rows.insert_sql(connection, other, rows.completed(other, added), won)
    tails = {
        "moved": "RETURNING 1",
        "written": f"RETURNING {subject} AS subject, {quote('sequence')} AS sequence, {key} AS pk",
        "queued": "ON CONFLICT DO NOTHING RETURNING 1",
    }
    text = ", ".join(f"{name} AS ({sql} {tails.get(name, '')})" for name, (sql, _parameters) in parts.items())
    text = (
        f"WITH {text} SELECT (SELECT count(*) FROM moved), "  # noqa: S608
        f"{'(SELECT count(*) FROM queued)' if queued else '0'}, "
        "(SELECT json_agg(json_build_array(subject, sequence, pk))::text FROM written)"
    )
    with sole_statement(connection), connection.cursor() as cursor:
        cursor.execute(text, [value for _sql, values in parts.values() for value in values])
        moved, new, keys = cursor.fetchone()
    if moved != count:
        return False
    by_place = {(subject, sequence): pk for subject, sequence, pk in json.loads(keys)}
    for row in history:
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
    with connection.cursor() as cursor:
        cursor.execute(*rows.update_sql(connection, model, _alike(updates)))
        return cursor.rowcount


def _alike(updates: Sequence[Update]) -> list[Update]:
    """The updates as (key, guard, values), all naming the same columns.

    A column that one object leaves alone keeps what was read: the guard on the version covers it.
    """
    guards = sorted({name for _subject, guard, _values in updates for name in guard})
    names = sorted({name for _subject, _guard, values in updates for name in values})
    meta = type(updates[0][0])._meta
    attributes = {name: meta.get_field(name).attname for name in (*guards, *names)}

    def value(name: str, given: Mapping[str, Any], subject: Any) -> Any:
        found = given[name] if name in given else getattr(subject, attributes[name])
        return found.pk if isinstance(found, models.Model) else found

    return [
        (
            subject.pk,
            {name: value(name, guard, subject) for name in guards},
            {name: value(name, values, subject) for name in names},
        )
        for subject, guard, values in updates
    ]


def _by_columns(changes: Sequence[Change]) -> list[list[Change]]:
    """The changes in groups of one table and the same columns."""
    groups: dict[Any, list[Change]] = {}
    for change in changes:
        groups.setdefault((type(change.instance), *change.values), []).append(change)
    return list(groups.values())


def _record(row: models.Model) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _attributes(type(row))}


@cache
def _attributes(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields if not isinstance(field, models.AutoField))
