"""Compare-and-set of many rows in one statement, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models, router

Update = tuple[Any, Mapping[str, Any], Mapping[str, Any]]


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` as it will read when it comes back from the database: plain JSON types only."""
    return json.loads(json.dumps(data, cls=DjangoJSONEncoder)) if data else {}


def compare_and_set(model: type[models.Model], updates: Sequence[Update]) -> int:
    """Write ``values`` to every object whose columns still equal ``guard``; the number of rows written.

    ``updates`` holds (object, guard, values). Fewer rows than objects means that somebody was faster.
    """
    if len(updates) == 1:
        subject, guard, values = updates[0]
        return model._default_manager.filter(pk=subject.pk, **guard).update(**values)
    return _many(model, updates)


def _many(model: type[models.Model], updates: Sequence[Update]) -> int:
    connection = connections[router.db_for_write(model)]
    meta, quote = model._meta, connection.ops.quote_name
    guards = sorted({name for _subject, guard, _values in updates for name in guard})
    names = sorted({name for _subject, _guard, values in updates for name in values})
    # Concrete columns only: each has a name in the table and a type.
    fields: dict[str, Any] = {name: meta.get_field(name) for name in {*guards, *names}}
    pk: Any = meta.pk
    columns = [("pk", pk)]
    columns += [(f"g_{name}", fields[name]) for name in guards]
    columns += [(f"v_{name}", fields[name]) for name in names]
    rows = []
    for subject, guard, values in updates:
        # A column that this object leaves alone keeps what was read: the guard on the version covers it.
        row = {f"g_{n}": guard.get(n, getattr(subject, fields[n].attname)) for n in guards}
        row |= {f"v_{n}": values.get(n, getattr(subject, fields[n].attname)) for n in names}
        rows.append({"pk": subject.pk} | row)
    payload = json.dumps(rows, cls=DjangoJSONEncoder)
    sets = ", ".join(f"{quote(fields[n].column)} = src.{quote('v_' + n)}" for n in names)
    where = " AND ".join(f"t.{quote(fields[n].column)} = src.{quote('g_' + n)}" for n in guards)
    if connection.vendor == "postgresql":
        kinds = ", ".join(
            f"{quote(alias)} {f.rel_db_type(connection) if f.primary_key and f.remote_field else f.db_type(connection)}"
            for alias, f in columns
        )
        source = f"json_to_recordset(%s::json) AS src({kinds})"
    else:
        picks = ", ".join(f"json_extract(value, '$.{alias}') AS {quote(alias)}" for alias, _field in columns)
        source = f"(SELECT {picks} FROM json_each(%s)) AS src"  # noqa: S608
    table, key = quote(meta.db_table), quote(pk.column)
    # Only quoted names of our own models are put into the text; every value travels as a parameter.
    sql = f"UPDATE {table} AS t SET {sets} FROM {source} WHERE t.{key} = src.{quote('pk')} AND {where}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [payload])
        return cursor.rowcount
