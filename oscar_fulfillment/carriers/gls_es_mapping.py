"""GLS Spain's documents in our words: pure functions from the answer of GetExpCli to events."""

from __future__ import annotations

import logging
import re
from typing import Any
from zoneinfo import ZoneInfo

from oscar_fulfillment.core.exceptions import AdapterRejected

from . import soap
from .events import Tracked, TrackingEvent, clean, meaning_of
from .gls_es_codes import CODES, LINKS, TURNS
from .timeline import in_order, local_time

logger = logging.getLogger("oscar_fulfillment.carriers")

#: GLS Spain's clocks.
ZONE = ZoneInfo("Europe/Madrid")
TIMES = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M")
#: What names a shipment: the barcode, the numbers of the expedition and the waybill, its GUID, references.
NAMES = ("codbar", "codexp", "expedicion", "albaran", "uidExp", "refC", "refGlsN", "refGlsG")
_MISSING = re.compile(r"no se (?:ha )?enc[ou]|no existe|no encontrad", re.IGNORECASE)
#: What a courier writes stands behind two dashes, after the incident's name.
_NOTE = "--"


def tracked_from(code: str, answer: Any) -> Tracked:
    """The shipment that ``code`` names. :class:`AdapterRejected` when GLS gives another reason than "not found".

    A wrong ``uid`` gives the same answer as an unknown code: GLS does not tell them apart.
    """
    shipments = soap.child(answer, "GetExpCliResult", "expediciones")
    problem = soap.text_of(shipments, "Error", limit=300) if shipments is not None else ""
    if problem and not _MISSING.search(problem):
        raise AdapterRejected(f"GLS: {problem}")
    found = _shipment(code, [] if shipments is None else [one for one in shipments if soap.name_of(one) == "exp"])
    if found is None:
        return Tracked(code, problem="not_found")
    rows = soap.child(found, "tracking_list")
    events = [_event(row) for row in ([] if rows is None else rows) if soap.name_of(row) == "tracking"]
    return Tracked(code, in_order((event for event in events if event), lambda event: event.code in TURNS))


def _shipment(code: str, shipments: list[Any]) -> Any:
    named = [one for one in shipments if code in {soap.text_of(one, name, limit=64).upper() for name in NAMES}]
    if len(named) == 1 or (not named and len(shipments) == 1):
        return (named or shipments)[0]
    if shipments:
        # A reference may stand for several shipments: whose events would these be?
        logger.warning("GLS Spain: %s names %d shipments", code, len(named or shipments))
    return None


def _event(row: Any) -> TrackingEvent | None:
    moment = local_time(soap.text_of(row, "fecha", limit=40), *TIMES, zone=ZONE)
    kind = re.sub(r"[^A-Z ]", "", soap.text_of(row, "tipo", limit=30).upper()).strip()
    if moment is None or kind in LINKS:
        return None
    number = _number(soap.text_of(row, "codigo", limit=20))
    code = kind if kind in CODES else f"{kind or '?'}/{number or '?'}"
    said, _dashes, note = soap.text_of(row, "evento").partition(_NOTE)
    meaning = meaning_of(CODES, code)
    return TrackingEvent(
        code=code,
        occurred_at=moment,
        state=meaning.state,
        text=clean(said) or meaning.text,
        place=soap.text_of(row, "nombreplaza", limit=100),
        note=clean(note),
        incident=meaning.incident,
        retracts=meaning.retracts,
    )


def _number(text: str) -> str:
    """A code without the zeros and spaces that some answers put before it."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return f"{sign}{int(digits)}" if digits.isascii() and digits.isdigit() else re.sub(r"[^0-9A-Za-z_.-]", "", text)
