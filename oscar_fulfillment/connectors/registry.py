"""The systems beside the shop: those of the settings, and those that come for what waits with a key of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.registry import Registry

from .base import Connector


class ConnectorRegistry(Registry):
    """Connectors by alias. ``source`` answers with those that no setting names; set by the layer that knows them.

    It is asked at every look, so it keeps what it found in memory. An alias of the settings goes before it.
    """

    def __init__(self, setting: str):
        super().__init__(setting)
        self.source: Callable[[], Mapping[str, Connector]] | None = None

    def _more(self) -> Mapping[str, Connector]:
        return self.source() if self.source is not None else {}

    def __contains__(self, alias: object) -> bool:
        return super().__contains__(alias) or alias in self._more()

    def __iter__(self) -> Iterator[str]:
        declared = list(getattr(settings, self.setting))
        return iter([*declared, *(alias for alias in self._more() if alias not in declared)])

    def get(self, alias: str) -> Connector:
        """The connector of this alias. KeyError for one that nobody has."""
        if not super().__contains__(alias) and (found := self._more().get(alias)) is not None:
            return found
        return super().get(alias)
