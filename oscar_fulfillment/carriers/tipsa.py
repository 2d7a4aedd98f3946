"""TIPSA (Spain, Portugal, Andorra): statuses, incidents with the courier's notes, and distances, by SOAP.

Facts are from TIPSA's "Documentación WebServices" and its examples. The software (DinaPaq) answers with XML inside XML;
all of its clocks are those of Madrid. The tracking code is the whole reference of 22 digits (charging agency, origin
agency, waybill); the ten digits of a waybill alone are taken for one of the shop's own agency.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, ConfigurationError

from . import soap
from .base import Capability
from .events import Address, Distance, Tracked, TrackingEvent
from .known import Known
from .tipsa_mapping import Reference, distance_from, incidents_from, merged, reference_from, statuses_from
from .tipsa_session import BASE_URL, TipsaSession

_AGENCY = re.compile(r"[0-9]{6}", re.ASCII)
_WAYBILL = re.compile(r"[0-9]{10}", re.ASCII)
#: What a fault says of a shipment or a town that TIPSA does not have.
_MISSING = re.compile(r"no existe|no se (?:ha )?enc[ou]|no encontrad", re.IGNORECASE)
#: Where TIPSA drives: nothing else is asked for.
COUNTRIES = frozenset({"ES", "PT", "AD"})


class Tipsa(Known):
    """One customer's account with an agency of TIPSA.

    ``OPTIONS``: ``agency`` (six digits), ``customer`` (its code at the agency), ``password``; ``base_url`` for the
    validation service.
    """

    extra_capabilities = frozenset({Capability.TRACK, Capability.DISTANCE})

    def __init__(
        self,
        *,
        agency: str,
        customer: str,
        password: str,
        base_url: str = BASE_URL,
        read_timeout: float = 30.0,
        like: str = "tipsa",
        **options: Any,
    ):
        super().__init__(like=like, **options)
        if not isinstance(agency, str) or not _AGENCY.fullmatch(agency):
            raise ConfigurationError(f"carrier {self.alias!r}: agency is TIPSA's code of six digits")
        if not all(isinstance(text, str) and text for text in (customer, password)):
            raise ConfigurationError(f"carrier {self.alias!r}: TIPSA needs customer and password")
        #: Any operation of DinaPaq: ``session.call("ConsAgencia", strCodAge="028002")``.
        self.session = TipsaSession(
            agency=agency,
            customer=customer,
            password=password,
            base_url=base_url,
            read_timeout=read_timeout,
            name=f"TIPSA {self.alias}",
        )

    def normalise_tracking_code(self, raw: Any) -> str:
        text = raw.replace(" ", "").strip() if isinstance(raw, str) and len(raw) < 100 else ""
        if _WAYBILL.fullmatch(text):
            raw = str(Reference(self.session.agency, self.session.agency, text))
        return super().normalise_tracking_code(raw)

    def track(self, codes: Sequence[str]) -> list[Tracked]:
        """Statuses, and for a parcel in trouble its incidents. A code of another shape is not TIPSA's: not found."""
        return [self._tracked(code) for code in codes]

    def _tracked(self, code: str) -> Tracked:
        reference = reference_from(code)
        statuses = self._events(statuses_from, "ConsEnvEstados", "strEnvEstados", reference) if reference else []
        if not reference or not statuses:
            return Tracked(code, problem="not_found")
        incidents: list[TrackingEvent] = []
        if any(event.incident is not None for event in statuses):
            incidents = self._events(incidents_from, "ConsEnvIncidencias", "strEnvIncidencias", reference)
        return Tracked(code, merged(statuses, incidents))

    def _events(
        self, read: Callable[[str], list[TrackingEvent]], operation: str, field: str, reference: Reference
    ) -> list[TrackingEvent]:
        answer = self._asked(operation, **reference.parameters)
        try:
            return [] if answer is None else read(soap.raw(answer, field))
        except AdapterUnanswered as error:
            # TIPSA is well, and this parcel's document is broken: no reason to let all the others wait.
            raise AdapterRejected(gettext("What TIPSA says of this parcel cannot be read.")) from error

    def distance(self, address: Address) -> Distance | None:
        """From the agency that delivers there to the town, by road, as TIPSA reckons it."""
        town, postcode = address.city.strip()[:100], address.postcode.strip()[:10]
        if address.country not in COUNTRIES or not town or not postcode:
            return None
        answer = self._asked("ConsKilometros", strPobla=town, strCP=postcode)
        return None if answer is None else distance_from(answer)

    def _asked(self, operation: str, **parameters: str) -> Any:
        """The answer, None where TIPSA says that there is no such thing."""
        try:
            return self.session.call(operation, **parameters)  # type: ignore[arg-type]
        except soap.SoapFault as fault:
            if _MISSING.search(fault.text):
                return None
            raise
