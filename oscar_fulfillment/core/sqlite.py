"""SQLite fit for a web process and workers side by side: write-ahead log, and patience instead of "database is locked".

Immediate transactions cannot be set from here (``OPTIONS["transaction_mode"]``); a system check asks for them.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from oscar_fulfillment.conf import settings

# Milliseconds a writer waits for another one, unless OPTIONS["timeout"] asks for more.
BUSY_TIMEOUT = 20_000


def is_memory(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database lives in memory only: the write-ahead log means nothing there."""
    name = str(connection.settings_dict["NAME"])
    return name in ("", ":memory:") or "mode=memory" in name


def tune(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Set the pragmas of a new connection to the database that holds our tables."""
    if connection.vendor != "sqlite" or is_memory(connection) or not settings.SQLITE_TUNING or not apps.models_ready:
        return
    if connection.alias != router.db_for_write(apps.get_model("oscar_fulfillment", "OutboundMessage")):
        return
    patience = max(BUSY_TIMEOUT, int(float(connection.settings_dict["OPTIONS"].get("timeout", 0)) * 1000))
    with connection.cursor() as cursor:
        # First the patience: changing the journal mode itself may have to wait.
        cursor.execute(f"PRAGMA busy_timeout = {patience}")
        # WAL: readers never wait for the writer. NORMAL is as safe as FULL in WAL against a crash of the process;
        # a power cut may take the last commits but cannot corrupt.
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")


connection_created.connect(tune, dispatch_uid="oscar_fulfillment.sqlite")
