"""Rows that one worker at a time may take: insert once, claim, settle. The SQL below the outbox and the inbox.

A claim is a lease with an end and a random token. Whoever settles names the token, so a worker that was presumed dead
and comes back cannot overwrite what its successor did.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Case, F, Model, QuerySet, Value, When
from django.utils import timezone


@dataclass(frozen=True)
class Words:
    """What a table calls the states of its rows, and its columns."""

    lane: str
    waiting: str
    busy: str
    done: str
    dead: str
    done_at: str
    unknown: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one claimed row."""

    pk: int
    status: str
    error: str = ""
    # Seconds from now to the next try; only for a row that waits again.
    delay: float = 0.0


def insert_new(objects: Sequence[Model], returning: Sequence[str]) -> list[tuple[Any, ...]]:
    """Insert the objects that no unique constraint refuses; return these columns (``returning``) of the new rows.

    One statement (or as few as the database takes parameters). It is the constraint that decides what is new, so two
    processes cannot both insert; ``bulk_create(ignore_conflicts=True)`` would do the same but not tell what it did.
    """
    if not objects:
        return []
    model = type(objects[0])
    connection = connections[router.db_for_write(model)]
    quote = connection.ops.quote_name
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(quote(str(field.column)) for field in fields)
    answer = ", ".join(quote(name) for name in returning)
    per_statement = max(1, (connection.features.max_query_params or 60_000) // len(fields))
    new: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for start in range(0, len(objects), per_statement):
            chunk = objects[start : start + per_statement]
            marks = ", ".join(["(" + ", ".join(["%s"] * len(fields)) + ")"] * len(chunk))
            cursor.execute(
                f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES {marks} "  # noqa: S608 (names only)
                f"ON CONFLICT DO NOTHING RETURNING {answer}",
                [field.get_db_prep_save(field.pre_save(row, True), connection) for row in chunk for field in fields],
            )
            new.extend(cursor.fetchall())
    return new


def _due(words: Words, lane: str, now: str, states: Sequence[str]) -> str:
    """The condition that both the look and the claim use.

    The states are literals, not parameters: only then may the planner use the partial index of the open rows.
    """
    listed = ", ".join(f"'{state}'" for state in states)
    return f"{words.lane} = {lane} AND status IN ({listed}) AND next_attempt_at <= {now}"


def lanes_with_work(model: type[Model], words: Words, lanes: Sequence[str]) -> list[str]:
    """Which of these lanes have a message due now. One statement, one look at the index per lane."""
    if not lanes:
        return []
    connection = connections[router.db_for_write(model)]
    table = connection.ops.quote_name(model._meta.db_table)
    condition = _due(words, "%s", "%s", [words.waiting, words.busy])
    # Ordered, though any row would do: the planner takes a busy destination's millions of sent rows for open ones, and
    # would read the table for an EXISTS. The order is what the index of the open rows has.
    one = f"SELECT %s FROM (SELECT 1 FROM {table} WHERE {condition} ORDER BY next_attempt_at LIMIT 1) AS due"  # noqa: S608
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(lanes)), [value for lane in lanes for value in (lane, lane, now)])
        return [name for (name,) in cursor.fetchall()]


def claim(
    model: type[Model], words: Words, lane: str, limit: int, lease: float, *, take_over: bool = True
) -> list[Any]:
    """Take up to ``limit`` due rows of a lane for ``lease`` seconds and commit; the rows carry the token in ``lease``.

    ``take_over`` also takes rows whose lease has run out. One statement: PostgreSQL skips what others hold, SQLite
    has one writer at a time anyway. Refused inside a transaction: the claim would not be seen, the lock would be held.
    """
    alias = router.db_for_write(model)
    connection = connections[alias]
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    condition = _due(words, "%s", "%s", [words.waiting, words.busy] if take_over else [words.waiting])
    skip = "FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    returning = ", ".join(f"{table}.{quote(str(field.column))}" for field in model._meta.concrete_fields)
    sql = (
        f"WITH due AS (SELECT {key} FROM {table} WHERE {condition} "  # noqa: S608 (names and states only)
        f"ORDER BY next_attempt_at LIMIT %s {skip}) "
        f"UPDATE {table} SET status = '{words.busy}', attempts = attempts + 1, lease = %s, next_attempt_at = %s "
        f"WHERE {key} IN (SELECT {key} FROM due) RETURNING {returning}"
    )
    now = timezone.now()
    adapt = connection.ops.adapt_datetimefield_value
    params = [lane, adapt(now), limit, uuid.uuid4().hex, adapt(now + timedelta(seconds=lease))]
    with transaction.atomic(using=alias, durable=True):
        rows = list(model._base_manager.using(alias).raw(sql, params))
    return sorted(rows, key=lambda row: row.pk)


def settle(model: type[Model], words: Words, token: str, outcomes: Iterable[Outcome]) -> None:
    """Note what became of claimed rows: one UPDATE for all that went well, one for all that did not.

    Rows whose lease somebody else has taken over since are left alone.
    """
    outcomes = list(outcomes)
    held = model._base_manager.using(router.db_for_write(model)).filter(lease=token, status=words.busy)
    now = timezone.now()
    well = [outcome for outcome in outcomes if outcome.status == words.done]
    if well:
        held.filter(pk__in=[outcome.pk for outcome in well]).update(
            status=words.done, error="", lease="", **{words.done_at: now}
        )
    rest = [outcome for outcome in outcomes if outcome.status != words.done]
    if rest:
        _settle_each(held, rest, now)


def _settle_each(held: QuerySet[Any], outcomes: list[Outcome], now: datetime) -> None:
    def choose(values: dict[int, Any], field: str) -> Case:
        output = held.model._meta.get_field(field)
        return Case(
            *[When(pk=pk, then=Value(value, output_field=output)) for pk, value in values.items()], output_field=output
        )

    held.filter(pk__in=[outcome.pk for outcome in outcomes]).update(
        status=choose({outcome.pk: outcome.status for outcome in outcomes}, "status"),
        error=choose({outcome.pk: outcome.error for outcome in outcomes}, "error"),
        next_attempt_at=choose(
            {outcome.pk: now + timedelta(seconds=outcome.delay) for outcome in outcomes}, "next_attempt_at"
        ),
        lease="",
    )


def give_back(model: type[Model], words: Words, token: str, pks: Sequence[int]) -> None:
    """Return claimed rows that nobody began: due at once, and the try does not count."""
    if pks:
        held = model._base_manager.using(router.db_for_write(model)).filter(lease=token, status=words.busy)
        held.filter(pk__in=pks).update(
            status=words.waiting, attempts=F("attempts") - 1, next_attempt_at=timezone.now(), lease=""
        )


def give_up_expired(model: type[Model], words: Words, lane: str) -> int:
    """Rows of a lane whose worker died on the way become ``unknown``; how many."""
    expired = model._base_manager.using(router.db_for_write(model)).filter(
        **{words.lane: lane}, status=words.busy, next_attempt_at__lte=timezone.now()
    )
    return expired.update(status=words.unknown, lease="", error="the worker died while sending")
