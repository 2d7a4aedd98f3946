"""The shop's carriers: those of the settings, switched by the dashboard, and those that only the dashboard has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.registry import Registry

#: Seconds for which what the dashboard says is not read again: other processes hear of a change so late at most.
FRESH = 5.0
#: What the dashboard may switch on an adapter of the settings.
SWITCHES = ("automatic_tracking_mail", "creates_orders", "dispatches_on_pickup", "is_polled")


class CarrierRegistry(Registry):
    """Adapters by alias. ``source`` reads the dashboard's part; it is set by the layer that knows the database.

    A row of the source is a mapping: ``alias``, ``is_own``, ``is_active``, the switches (None: as the settings say),
    and for a carrier of its own the options of :class:`~oscar_fulfillment.carriers.manual.Manual`.
    """

    def __init__(self, setting: str):
        super().__init__(setting)
        self.source: Callable[[], list[Mapping[str, Any]]] | None = None
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._read_at = float("-inf")

    def forget(self) -> None:
        """Read the dashboard's part anew when next asked."""
        self._read_at = float("-inf")

    def _known(self) -> dict[str, Mapping[str, Any]]:
        now = time.monotonic()
        if self.source is not None and now - self._read_at > FRESH:
            found = {row["alias"]: row for row in self.source()}
            if found != self._rows:
                self._rows, self._built = found, {}
            self._read_at = now
        return self._rows

    def _own(self, alias: str) -> Mapping[str, Any] | None:
        row = self._known().get(alias)
        return row if row is not None and row["is_own"] and alias not in getattr(settings, self.setting) else None

    def __contains__(self, alias: object) -> bool:
        return super().__contains__(alias) or (isinstance(alias, str) and self._own(alias) is not None)

    def declared(self) -> list[str]:
        """The aliases of the settings alone: the only ones that talk to anybody."""
        return list(getattr(settings, self.setting))

    def __iter__(self) -> Iterator[str]:
        """What may be chosen now: without those that the dashboard has put out of use."""
        rows = self._known()
        declared = list(getattr(settings, self.setting))
        own = [alias for alias, row in rows.items() if row["is_own"] and alias not in declared]
        return (alias for alias in [*declared, *own] if alias not in rows or rows[alias]["is_active"])

    def get(self, alias: str) -> Any:
        """The adapter of this alias, also of one out of use: parcels of before are still on their way."""
        rows = self._known()
        if alias in self._built:
            return self._built[alias]
        own = self._own(alias)
        if own is None:
            adapter = super().get(alias)
        else:
            from .manual import Manual

            adapter = Manual(alias=alias, **own["options"])
            self._built[alias] = adapter
        row = rows.get(alias)
        for name in SWITCHES:
            if row is not None and row[name] is not None:
                setattr(adapter, name, row[name])
        return adapter
