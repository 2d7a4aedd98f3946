"""Correios, the Brazilian post: S10 codes ending in BR, and the services PAC and SEDEX.

The public page's address has changed several times, and its query parameter is seen as ``objetos``, ``objeto`` and
``codigo`` in the wild; a shop gives another one as ``OPTIONS["url_template"]``. Mails print the code as text too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from . import s10
from .base import Carrier, TrackingCodeError, names


class Correios(Carrier):
    """Correios. Its tracking link is mailed at every dispatch, without asking.

    ``OPTIONS["services"]``: words of the shop's shipping methods that mean Correios (default PAC and SEDEX). The
    prefix of the code is not used for that: the lists of prefixes go stale.
    """

    name = _("Correios")
    url_template = "https://rastreamento.correios.com.br/app/index.php?objetos={code}"
    automatic_tracking_mail = True

    def __init__(self, *, services: Sequence[str] = ("PAC", "SEDEX"), **options: Any):
        super().__init__(**options)
        self.services = tuple(services)

    def normalise_tracking_code(self, raw: Any) -> str:
        # Groups are often written with dots or dashes; no S10 number has them.
        code = re.sub(r"[._/-]", "", super().normalise_tracking_code(raw))
        try:
            item = s10.parse(code)
        except s10.S10Error as error:
            raise TrackingCodeError(error.code, error.message) from error
        if item.country != "BR":
            raise TrackingCodeError(
                "country",
                format_lazy(
                    _("Codes of Correios end in BR; {code} is of another country's post."),
                    code=code,
                ),
            )
        return code

    def service(self, shipping_code: str, shipping_name: str) -> str:
        """The service ("PAC", "SEDEX") that an order's shipping method names, "" if none."""
        return next((word for word in self.services if names(word, shipping_code, shipping_name)), "")

    def matches(self, shipping_code: str, shipping_name: str) -> bool:
        return names("correios", shipping_code, shipping_name) or bool(self.service(shipping_code, shipping_name))
