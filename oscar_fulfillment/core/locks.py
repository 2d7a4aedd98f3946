"""Row locks in one fixed order, and locks by name.

Whatever touches stock or money locks first and re-reads under the lock, always in this order: the order's fulfillment
row, its lines, stock records by primary key, payment rows. Two actions that keep the order cannot deadlock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError


def lock_rows(queryset: QuerySet[Any], *, of: Sequence[str] = ("self",)) -> list[Any]:
    """The rows of ``queryset``, read under lock and sorted by primary key; held to the end of the transaction.

    Call it inside ``atomic()``; outside TransactionManagementError. SQLite has one writer at a time and needs no row
    locks (with immediate transactions, see the system checks).
    """
    return list(locking(queryset, of=of))


def locking(queryset: QuerySet[Any], *, of: Sequence[str] = ("self",)) -> QuerySet[Any]:
    """The query that reads these rows under lock, for callers that keep it; see :func:`lock_rows`."""
    connection = connections[queryset.db]
    if not connection.in_atomic_block:
        raise TransactionManagementError("locks live only inside a transaction")
    # Ordered: two callers that lock overlapping sets meet at the first common row instead of crossing.
    ordered = queryset.order_by("pk")
    if connection.features.has_select_for_update_of:
        return ordered.select_for_update(of=tuple(of))
    return ordered.select_for_update()


def lock_name(name: str, *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Let one transaction at a time hold ``name``; others wait. Released with the transaction.

    For work without a row to lock. On SQLite an immediate transaction already excludes the others.
    """
    lock_names([name], using=using)


def lock_names(names: Iterable[str], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Hold all of these names, in one statement and one order: two callers that name some of the same do not cross.

    See :func:`lock_name`.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        raise TransactionManagementError("locks live only inside a transaction")
    if connection.vendor == "postgresql":
        numbers = sorted({_number(name) for name in names})
        with connection.cursor() as cursor:
            # Row by row, in the order of the array.
            cursor.execute("SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number", [numbers])


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
