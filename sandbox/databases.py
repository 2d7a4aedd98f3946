"""Where the demo shop keeps its data: SQLite in ``sandbox/var`` unless ``DATABASE_URL`` names a PostgreSQL."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

# Readers never wait for the writer (WAL), a writer takes its lock when the transaction starts and waits for it: web
# and worker share the file without "database is locked".
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def database(url: str, sqlite_path: Path) -> dict[str, Any]:
    """Return Django's setting for ``postgres://user:password@host:port/name``, or for SQLite when ``url`` is empty."""
    if not url:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(sqlite_path), "OPTIONS": dict(SQLITE_OPTIONS)}
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ValueError("DATABASE_URL must look like postgres://user:password@host:port/name")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
    }
