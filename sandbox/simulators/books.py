"""What a vendor remembers: documents by kind and id, in SQLite, so that a restart of the sandbox forgets nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Books:
    """JSON documents in the order they were written. ``path`` may be ":memory:"."""

    def __init__(self, path: str = ":memory:"):
        self.lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS document (n INTEGER PRIMARY KEY, kind TEXT, id TEXT, body TEXT, UNIQUE (kind, id))"
        )

    def put(self, kind: str, key: str, document: dict[str, Any]) -> dict[str, Any]:
        """Write or replace a document."""
        with self.lock:
            self._db.execute(
                "INSERT INTO document (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                [kind, key, json.dumps(document)],
            )
        return document

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        with self.lock:
            row = self._db.execute("SELECT body FROM document WHERE kind = ? AND id = ?", [kind, key]).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str, *, newest_first: bool = False) -> list[dict[str, Any]]:
        order = "DESC" if newest_first else "ASC"
        with self.lock:
            rows = self._db.execute(f"SELECT body FROM document WHERE kind = ? ORDER BY n {order}", [kind]).fetchall()
        return [json.loads(row[0]) for row in rows]

    def keys(self, kind: str) -> list[str]:
        with self.lock:
            return [row[0] for row in self._db.execute("SELECT id FROM document WHERE kind = ? ORDER BY n", [kind])]

    def count(self, kind: str) -> int:
        with self.lock:
            return int(self._db.execute("SELECT count(*) FROM document WHERE kind = ?", [kind]).fetchone()[0])

    @contextmanager
    def change(self, kind: str, key: str) -> Iterator[dict[str, Any]]:
        """Change a document that exists; nobody else reads it halfway. ``KeyError`` when it does not."""
        with self.lock:
            found = self.get(kind, key)
            if found is None:
                raise KeyError(key)
            yield found
            self.put(kind, key, found)

    def close(self) -> None:
        with self.lock:
            self._db.close()
