"""The read of a step: an object with what its guards look at, in one statement whose text is made once.

The same as ``Model.objects.select_related(...)`` but for the time the ORM takes to build it, which is more than the
database takes to answer.

Under lock it is two statements, the first waits and the second reads: PostgreSQL answers a locking read that had to
wait with the row as it is now, but with the rows joined to it as they were before the wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from .locks import lock_rows


def read(
    model: type[models.Model], related: tuple[str, ...], keys: Sequence[Any], *, lock: bool = False, by: str = "pk"
) -> list[Any]:
    """The objects of these keys, sorted by primary key, with the objects they point to by the foreign keys ``related``.

    ``lock`` holds the rows of ``model`` (not those of the others) to the end of the transaction. ``by``: another unique
    column to find them by.
    """
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql" or not _is_plain(model, related):
        return _by_orm(model, related, keys, lock, by)
    single = len(keys) == 1
    sql, locking, parts = _select(connection.alias, model, related, single, by)
    wanted = [keys[0] if single else list(keys)]
    with connection.cursor() as cursor:
        if lock:
            cursor.execute(locking, wanted)
        cursor.execute(sql, wanted)
        shared: dict[Any, Any] = {}
        return [_build(connection, parts, row, shared) for row in cursor.fetchall()]


def _by_orm(model: type[models.Model], related: tuple[str, ...], keys: Sequence[Any], lock: bool, by: str) -> list[Any]:
    # The writer's database: a replica may lag behind the version that the step compares.
    rows = model._default_manager.using(router.db_for_write(model)).filter(**{f"{by}__in": keys})
    if lock and connections[rows.db].features.has_select_for_update:
        lock_rows(rows.only("pk"))
    return list(rows.select_related(*related).order_by("pk"))


@cache
def _is_plain(model: type[models.Model], related: tuple[str, ...]) -> bool:
    """Whether every table involved is one table (a shop's order may inherit from another model)."""
    targets = [model._meta.get_field(name).related_model for name in related]
    return not any(target._meta.parents for target in (model, *targets))  # type: ignore[union-attr]


@cache
def _select(
    alias: str, model: type[models.Model], related: tuple[str, ...], single: bool, by: str
) -> tuple[str, str, list[tuple[Any, Any, list[str], list[tuple[int, Any, Any]], int]]]:
    connection = connections[alias]
    quote = connection.ops.quote_name
    pk: Any = model._meta.pk
    picks, joins, parts, position = [], [], [], 0
    for number, name in enumerate(("", *related)):
        field: Any = model._meta.get_field(name) if name else None
        target: Any = field.related_model if name else model
        table = f"t{number}"
        columns = target._meta.concrete_fields
        picks += [f"{table}.{quote(column.column)}" for column in columns]
        converters = [
            (place, converter, column.cached_col)
            for place, column in enumerate(columns)
            for converter in column.get_db_converters(connection)
        ]
        parts.append((field, target, [column.attname for column in columns], converters, position))
        position += len(columns)
        if name:
            joins.append(
                f"LEFT JOIN {quote(target._meta.db_table)} AS {table} "
                f"ON t0.{quote(field.column)} = {table}.{quote(field.target_field.column)}"
            )
    column: Any = pk if by == "pk" else model._meta.get_field(by)
    wanted = "%s" if single else f"ANY(%s) ORDER BY t0.{quote(pk.column)}"
    where = f"WHERE t0.{quote(column.column)} = {wanted}"
    table = f"{quote(model._meta.db_table)} AS t0"
    sql = f"SELECT {', '.join(picks)} FROM {table} {' '.join(joins)} {where}"  # noqa: S608
    locking = f"SELECT 1 FROM {table} {where} FOR UPDATE"  # noqa: S608
    return sql, locking, parts


def _build(connection: BaseDatabaseWrapper, parts: Any, row: Any, shared: dict[Any, Any]) -> Any:
    """``shared``: the objects that others of this read point to already (a payment method stands beside many)."""
    built: Any = None
    for field, target, attributes, converters, start in parts:
        pointer = getattr(built, field.attname) if field else None
        found = shared.get((target, pointer))
        if found is None and (field is None or pointer is not None):
            values = list(row[start : start + len(attributes)])
            for place, converter, column in converters:
                values[place] = converter(values[place], column, connection)
            found = target.from_db(connection.alias, attributes, values)
        if field is None:
            built = found
            continue
        shared[target, pointer] = found
        built._state.fields_cache[field.name] = found
        if field.one_to_one and found is not None:
            found._state.fields_cache[field.remote_field.cache_name] = built
    return built
