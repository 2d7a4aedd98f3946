"""Adapters by alias, configured as Django configures CACHES."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from oscar_fulfillment.conf import settings

from .exceptions import ConfigurationError


class Registry:
    """The adapters of one setting, built when first asked for.

    ``OSCAR_FULFILLMENT[setting]`` maps an alias to ``{"BACKEND": dotted path, "OPTIONS": {...}}``; the class is called
    with ``alias=`` and the options. A wrong path or option raises :class:`ConfigurationError`.
    """

    def __init__(self, setting: str):
        self.setting = setting
        self._built: dict[str, Any] = {}
        setting_changed.connect(self._forget)

    def _forget(self, *, setting: str, **kwargs: Any) -> None:
        if setting == "OSCAR_FULFILLMENT":
            self._built = {}

    def __contains__(self, alias: object) -> bool:
        return alias in getattr(settings, self.setting)

    def __iter__(self) -> Iterator[str]:
        return iter(getattr(settings, self.setting))

    def get(self, alias: str) -> Any:
        """The adapter of this alias. KeyError for an alias the shop does not have."""
        if alias not in self._built:
            declared = getattr(settings, self.setting)[alias]
            try:
                backend = import_string(declared["BACKEND"])
                self._built[alias] = backend(alias=alias, **declared.get("OPTIONS", {}))
            except (ImportError, KeyError, TypeError, AttributeError) as error:
                raise ConfigurationError(f"OSCAR_FULFILLMENT[{self.setting!r}][{alias!r}]: {error}") from error
        return self._built[alias]

    def all(self) -> list[Any]:
        """Every adapter of the setting, in its order."""
        return [self.get(alias) for alias in self]
