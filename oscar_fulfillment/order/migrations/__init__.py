"""Oscar's own migrations, as they are: we change no field, so an upgrade of Oscar needs nothing from us."""

from oscar.apps.order.migrations import __path__ as __path__
