"""The setting WEBHOOKS_OUT, with its defaults filled in."""

from __future__ import annotations

from typing import Any

from oscar_fulfillment.conf import DEFAULTS, settings
from oscar_fulfillment.core.public_address import Rules


def option(name: str) -> Any:
    """One value of WEBHOOKS_OUT."""
    given = settings.WEBHOOKS_OUT
    return given[name] if name in given else DEFAULTS["WEBHOOKS_OUT"][name]


def rules() -> Rules:
    """Which addresses are called."""
    return Rules.of({**DEFAULTS["WEBHOOKS_OUT"], **settings.WEBHOOKS_OUT})
