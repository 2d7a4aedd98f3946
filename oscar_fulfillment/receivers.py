"""What the app listens to. Imported when Django starts."""

from .core import sqlite  # noqa: F401
from .services import oscar_events

oscar_events.connect()
