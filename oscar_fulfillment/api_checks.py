"""System check of the setting API: keys that nobody reads, and numbers that would let nobody call."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from .conf import DEFAULTS
from .conf import settings as fulfillment_settings

_KEY = "OSCAR_FULFILLMENT['API']"
#: key -> the least and the most that make sense; all but the hours are whole numbers.
_RANGES: dict[str, tuple[float, float]] = {
    "rate": (1, 1e9),
    "burst": (1, 1e9),
    "max_bytes": (1000, 1e9),
    "page": (1, 1000),
    "largest_page": (1, 1000),
    "bulk": (1, 10_000),
    "keep_hours": (1, 24 * 365),
    "key_hours": (0, 24 * 365),
}


@register()
def check_api(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Unknown keys of the setting API, and values of the wrong kind."""
    declared = fulfillment_settings.API
    if not isinstance(declared, dict):
        return []  # check_settings says so
    found: list[CheckMessage] = []
    for key, value in declared.items():
        if key not in _RANGES:
            known = ", ".join(DEFAULTS["API"])
            found.append(Error(f"{_KEY}[{key!r}] is unknown.", hint=f"Known: {known}.", id="oscar_fulfillment.E070"))
            continue
        least, most = _RANGES[key]
        kinds = (int, float) if key.endswith("hours") else (int,)
        if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= most:
            text = f"{_KEY}[{key!r}] must be a number from {least:g} to {most:g}."
            found.append(Error(text, id="oscar_fulfillment.E071"))
    return found
