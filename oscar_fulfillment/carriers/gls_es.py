"""GLS Spain (once ASM): states and incidents of a shipment by its web service for customers, SOAP on an .asmx page.

The web service knows a customer by one GUID, ``uid``. Any of a shipment's names finds it: barcode, expedition, waybill,
the shop's reference where it is unique. GLS's other countries are other companies with other services.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.core.http import HttpClient

from .base import Capability
from .events import Tracked
from .gls_es_mapping import tracked_from
from .known import Known
from .soap import SoapClient

#: Where GLS Spain's documentation puts it; wsclientes.asmred.com is the older address of the same service.
BASE_URL = "https://ws-customer.gls-spain.es"
NAMESPACE = "http://www.asmred.com/"


class GlsSpain(Known):
    """One customer of GLS Spain. ``OPTIONS``: ``uid``, the GUID that GLS gives for its web services."""

    extra_capabilities = frozenset({Capability.TRACK})

    def __init__(
        self, *, uid: str, base_url: str = BASE_URL, read_timeout: float = 30.0, like: str = "gls", **options: Any
    ):
        super().__init__(like=like, **options)
        if not isinstance(uid, str) or not uid.strip():
            raise ConfigurationError(f"carrier {self.alias!r}: GLS Spain needs uid")
        self._uid = uid.strip()
        self._http = HttpClient(base_url, read=read_timeout, name=f"GLS Spain {self.alias}")
        self._soap = SoapClient(self._http, namespace=NAMESPACE)

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        return [tracked_from(code, self._asked(code)) for code in codes]

    def _asked(self, code: str) -> Any:
        parameters = {"codigo": code, "uid": self._uid}
        return self._soap.call("/b2b.asmx", "GetExpCli", parameters, action=f"{NAMESPACE}GetExpCli")
