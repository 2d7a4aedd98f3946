"""Oscar's migrations and, on top of them, the store's."""

from oscar.apps.order.migrations import __path__ as _oscar

__path__ = [*__path__, *_oscar]
