"""Oscar's own migrations: the fork changes Python only."""

from oscar.apps.partner import migrations

__path__ = migrations.__path__
