"""Oscar's own migrations: the fork changes Python only."""

from oscar.apps.shipping import migrations

__path__ = migrations.__path__
