"""The commit of a change: as few round trips as it takes, and what happens after it can no longer undo it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("oscar_fulfillment")

#: What psycopg (and psycopg2) call a connection on which no transaction has begun.
_IDLE = 0


def after_commit(function: Callable[..., Any], *args: Any) -> None:
    """Call ``function(*args)`` once the current transaction is committed; what it raises is logged.

    Not ``on_commit(partial(...), robust=True)``: to log what a robust hook raised Django asks it for a name, which a
    ``partial`` does not have, and the caller of a step that was done would get an AttributeError.
    """

    def hook() -> None:
        try:
            function(*args)
        except Exception:
            logger.exception("%s failed after the commit", getattr(function, "__qualname__", function))

    transaction.on_commit(hook, robust=True)


@contextmanager
def sole_statement(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let the one statement of a transaction be the transaction: BEGIN and COMMIT are round trips like any other.

    Only where ``atomic()`` was entered and nothing was sent yet: where anything was (a lock, another write, a savepoint
    of an outer transaction), or more than READ COMMITTED is asked for, the statement joins its transaction as ever.
    The statement must be the last one.
    """
    driver = connection.connection
    if (
        connection.vendor != "postgresql"
        or not connection.in_atomic_block
        or connection.savepoint_ids
        or driver is None
        or driver.info.transaction_status != _IDLE
        or driver.isolation_level is not None
    ):
        yield
        return
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False
