"""Any carrier, described in settings: a name, the address of its tracking page, and what its codes look like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.exceptions import ConfigurationError

from .base import Carrier, TrackingCodeError, names


class Manual(Carrier):
    """A carrier without a program of its own.

    ``OPTIONS``: ``name``; ``url_template`` with ``{code}`` and perhaps ``{language}``; ``pattern``, a regular
    expression for the whole normalised code (capitals); ``example``, shown when a code does not fit the pattern;
    ``shipping_methods``, words in the order's shipping method that mean this carrier; ``automatic_tracking_mail``.
    All are optional: without any it takes every plausible code and links nowhere.
    """

    name = _("Other carrier")

    def __init__(self, *, pattern: str = "", example: str = "", shipping_methods: Sequence[str] = (), **options: Any):
        super().__init__(**options)
        self.is_generic = self.name is Manual.name
        self.example = example
        if isinstance(shipping_methods, str):
            raise ConfigurationError(f"carrier {self.alias!r}: shipping_methods must be a list, not a string")
        self.shipping_methods = tuple(shipping_methods)
        try:
            self.pattern = re.compile(pattern, re.ASCII) if pattern else None
        except (re.error, TypeError) as error:
            raise ConfigurationError(f"carrier {self.alias!r}: pattern {pattern!r}: {error}") from error

    def normalise_tracking_code(self, raw: Any) -> str:
        code = super().normalise_tracking_code(raw)
        if self.pattern is not None and not self.pattern.fullmatch(code):
            if self.example:
                message = format_lazy(
                    _("This is no tracking code of {carrier}: it should look like {example}."),
                    carrier=self.name,
                    example=self.example,
                )
            else:
                message = format_lazy(_("This is no tracking code of {carrier}."), carrier=self.name)
            raise TrackingCodeError("pattern", message)
        return code

    def matches(self, shipping_code: str, shipping_name: str) -> bool:
        return any(names(word, shipping_code, shipping_name) for word in self.shipping_methods)
