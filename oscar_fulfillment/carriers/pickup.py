"""No carrier at all: the customer comes for the goods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from .base import Capability, Carrier, TrackingCodeError, names


class PickUp(Carrier):
    """Goods that wait at the shop's counter: made ready, and handed over by a code or a scan.

    ``OPTIONS["shipping_methods"]``: words of the shop's shipping methods that mean this; ``place``: where to come, as
    the mail says it.
    """

    name = _("Pick-up")
    extra_capabilities = frozenset({Capability.PICKUP})

    def __init__(
        self, *, shipping_methods: Sequence[str] = ("pick-up", "pickup", "collect"), place: Any = "", **options: Any
    ):
        super().__init__(**options)
        self.shipping_methods = tuple(shipping_methods)
        self.place = place

    def normalise_tracking_code(self, raw: Any) -> str:
        raise TrackingCodeError("pickup", _("Goods that are collected have no tracking code."))

    def matches(self, shipping_code: str, shipping_name: str) -> bool:
        return any(names(word, shipping_code, shipping_name) for word in self.shipping_methods)
