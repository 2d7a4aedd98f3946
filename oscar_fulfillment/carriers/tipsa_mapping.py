"""TIPSA's documents in our words: pure functions from the XML inside its answers to events and distances."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from . import soap
from .events import Distance, TrackingEvent, TrackingState, clean, meaning_of
from .timeline import in_order, local_time
from .tipsa_codes import CODES, INCIDENT, TURNS

#: TIPSA's clocks.
ZONE = ZoneInfo("Europe/Madrid")
#: Questions are asked year first, answers come month first.
ASKED, ANSWERED = "%Y/%m/%d %H:%M:%S", "%m/%d/%Y %H:%M:%S"
#: Ends the code and the name of the event that an incident is solved.
_SOLVED = "/RESUELTA"
_REFERENCE = re.compile(r"([0-9]{6})([0-9]{6})([0-9]{10})", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """What names a shipment: the agency that charges for it, the one it starts from, and its waybill."""

    charging: str
    origin: str
    waybill: str

    @property
    def parameters(self) -> dict[str, str]:
        """As the operations about one shipment take it."""
        return {"strCodAgeCargo": self.charging, "strCodAgeOri": self.origin, "strAlbaran": self.waybill}

    def __str__(self) -> str:
        return f"{self.charging}{self.origin}{self.waybill}"


def reference_from(code: str) -> Reference | None:
    """A tracking code of 22 digits taken apart, None for any other."""
    match = _REFERENCE.fullmatch(code)
    return Reference(*match.groups()) if match else None


def asked(moment: datetime) -> str:
    """An aware moment as a parameter."""
    return moment.astimezone(ZONE).strftime(ASKED)


def statuses_from(document: str) -> list[TrackingEvent]:
    """The statuses of ``strEnvEstados`` in TIPSA's order. AdapterUnanswered for what cannot be read."""
    found: list[TrackingEvent] = []
    for row in sorted(_rows(document, "ENV_ESTADOS"), key=_number):
        moment = _moment(row, "D_FEC_HORA_ALTA", after=found[-1].occurred_at if found else None)
        if moment is not None:
            found.append(_event("EST", row, "V_COD_TIPO_EST", moment))
    return found


def incidents_from(document: str) -> list[TrackingEvent]:
    """The incidents of ``strEnvIncidencias``, and for each that is solved a second event that says so."""
    found: list[TrackingEvent] = []
    solved: list[TrackingEvent] = []
    for row in sorted(_rows(document, "ENV_INCIDENCIAS", "INC"), key=_number):
        moment = _moment(row, "D_FEC_HORA_ALTA")
        if moment is None:
            continue
        event = _event("INC", row, "V_COD_TIPO_INC", moment, note=clean(row.get("T_OBS")))
        found.append(event)
        closed = _moment(row, "D_FEC_HORA_CIERRE", after=moment)
        if closed is not None and row.get("B_RESUELTA", "").lower() == "true":
            solved.append(
                TrackingEvent(
                    code=f"{event.code}{_SOLVED}",
                    occurred_at=closed,
                    state=TrackingState.INFO,
                    text=clean(f"{event.text or event.code}: resuelta"),
                    external_id=f"{event.external_id}{_SOLVED}",
                )
            )
    # A correction takes back the event before it: that has to be the incident, not the news that it is closed.
    corrected = max((event.occurred_at for event in found if event.retracts), default=None)
    return found + [event for event in solved if corrected is None or event.occurred_at > corrected]


def merged(statuses: Iterable[TrackingEvent], incidents: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """One story: a status that only says "incident" gives way to the incident of the same moment, which says which."""
    told = list(incidents)
    # An incident that we do not know takes nobody's place: that there is one is all we know of it.
    named = [event.occurred_at for event in told if event.code in CODES]
    kept = []
    for event in statuses:
        if event.code == INCIDENT and event.occurred_at in named:
            named.remove(event.occurred_at)
        else:
            kept.append(event)
    return in_order([*kept, *told], lambda event: event.code in TURNS)


def distance_from(answer: Any) -> Distance | None:
    """``dKms`` of ConsKilometros; None for what is no distance."""
    try:
        kilometres = Decimal(soap.text_of(answer, "dKms").replace(",", "."))
    except InvalidOperation:
        return None
    return Distance(kilometres) if kilometres.is_finite() and 0 <= kilometres < 10_000 else None


def _rows(document: str, *path: str) -> Iterator[Mapping[str, str]]:
    if not document.strip():
        return
    level = [soap.parse(document)]
    for name in path:
        level = [found for element in level for found in element if soap.name_of(found) == name]
    yield from (element.attrib for element in level)


def _event(kind: str, row: Mapping[str, str], name: str, moment: datetime, note: str = "") -> TrackingEvent:
    code = f"{kind}/{_key(row.get(name))}"
    meaning = meaning_of(CODES, code)
    return TrackingEvent(
        code=code,
        occurred_at=moment,
        state=meaning.state,
        text=clean(row.get(name.replace("_COD_", "_DES_"))) or meaning.text,
        note=note,
        incident=meaning.incident,
        retracts=meaning.retracts,
        external_id=f"{kind}/{_key(row.get('I_ID'))}",
    )


def _key(value: str | None) -> str:
    return re.sub(r"[^0-9A-Za-z_.-]", "", value or "")[:20] or "?"


def _number(row: Mapping[str, str]) -> int:
    text = row.get("I_ID", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _moment(row: Mapping[str, str], name: str, after: datetime | None = None) -> datetime | None:
    return local_time(row.get(name, ""), ANSWERED, zone=ZONE, after=after)
