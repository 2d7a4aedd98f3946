"""The documents of Correios in our words: pure functions document -> token, Tracked, error."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.core.text import fold

from .correios_codes import ATTEMPTS, CODES, WAY_BACK
from .events import IncidentClass, Meaning, Tracked, TrackingEvent, TrackingState, clean, meaning_of, moment, word

logger = logging.getLogger("oscar_fulfillment.carriers")

#: Seconds for which a token is believed to be good that does not say it, and for which one is believed at most.
UNSAID, LONGEST = 3600.0, 86_400.0
#: The answer for a code that is not known (yet), and for one that is none at all.
_UNKNOWN, _NONE = "SRO-020", "SRO-019"
_UNDER_WAY = frozenset({TrackingState.OUT_FOR_DELIVERY, TrackingState.READY_FOR_PICKUP})


def token_from(document: Any, now: datetime, zone: tzinfo) -> tuple[str, float]:
    """A token and the seconds for which it is good. :class:`AdapterUnavailable` for what holds none.

    ``expiraEm`` is the time in Brasília, and does not say so.
    """
    token = document.get("token") if isinstance(document, Mapping) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token or " " in token:
        raise AdapterUnavailable("Correios gave no token")
    until = moment(document.get("expiraEm"), zone)
    seconds = (until - now).total_seconds() if until else UNSAID
    return token, min(max(seconds, 0.0), LONGEST)


def tracked_from(document: Any, codes: Sequence[str], zone: tzinfo) -> list[Tracked]:
    """An answer for each of the codes. :class:`AdapterUnavailable` for what is no list of objects."""
    found = document.get("objetos") if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        raise AdapterUnavailable("Correios sent no objects")
    objects = {entry["codObjeto"]: entry for entry in found if _names(entry, codes)}
    return [_tracked(code, objects.get(code, {}), zone) for code in codes]


def explained(error: AdapterRejected) -> AdapterRejected:
    """The same refusal with the words of Correios (``msgs``) as its message."""
    if error.status in (401, 403):
        message = gettext(
            "Correios does not accept the user, access code and posting card, or the contract lacks the tracking API."
        )
    else:
        try:
            said = json.loads(error.body)["msgs"]
            words = [clean(line, 300) for line in said if isinstance(line, str)] if isinstance(said, list) else []
        except (ValueError, RecursionError, KeyError, TypeError):
            words = []
        message = gettext("Correios refused: {reason}").format(reason=" / ".join(words[:3]) or error.status)
    return AdapterRejected(message, status=error.status, body=error.body)


def _names(entry: Any, codes: Sequence[str]) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("codObjeto"), str) and entry["codObjeto"] in codes


def _tracked(code: str, entry: Mapping[str, Any], zone: tzinfo) -> Tracked:
    told = entry.get("eventos")
    events = [_event(event, zone) for event in told if isinstance(event, Mapping)] if isinstance(told, list) else []
    known = sorted((event for event in events if event is not None), key=lambda event: event.occurred_at)
    if known:
        return Tracked(code, _legs(list(dict.fromkeys(known))))
    said = clean(entry.get("mensagem"))
    if said and not said.startswith((_UNKNOWN, _NONE)):
        logger.warning("Correios says of %s: %s", code, said)
    return Tracked(code, problem="not_found")


def _event(event: Mapping[str, Any], zone: tzinfo) -> TrackingEvent | None:
    code, occurred_at = _code(event), moment(event.get("dtHrCriado"), zone)
    if occurred_at is None:
        logger.warning("Correios: event %s has no time", code)
        return None
    text, detail = clean(event.get("descricao")), clean(event.get("detalhe"))
    meaning = _meaning(code, fold(text), fold(detail))
    return TrackingEvent(
        code=code,
        occurred_at=occurred_at,
        state=meaning.state,
        # A delivery is not given words: whose it was is read from them.
        text=text or ("" if meaning.state == TrackingState.DELIVERED else meaning.text),
        place=_place(event),
        note=detail,
        incident=meaning.incident,
        is_return=code in WAY_BACK or meaning.state == TrackingState.RETURNED,
        retracts=meaning.retracts,
    )


def _code(event: Mapping[str, Any]) -> str:
    kind, number = word(event.get("codigo"), 20).upper(), word(event.get("tipo"), 20)
    return "/".join(filter(None, [kind, number.zfill(2) if number.isdigit() else number])) or "?"


def _meaning(code: str, text: str, detail: str) -> Meaning:
    """What an event means by its code; where the code leaves it open, or its words contradict it, by the words.

    ``text`` (the headline) and ``detail`` are folded: small letters without accents.
    """
    meaning = meaning_of(CODES, code, code.partition("/")[0])
    back = "remetente" in text or "devolv" in text
    if meaning.state == TrackingState.DELIVERED:
        if back:
            return replace(meaning, state=TrackingState.RETURNED, incident=IncidentClass.RETURNED)
        if "nao" in text.split():
            # "Entrega não realizada" under a code of delivery: nobody guesses which of both is right.
            return replace(meaning, state=TrackingState.UNKNOWN, incident=IncidentClass.UNKNOWN)
    elif meaning.state in _UNDER_WAY and back:
        return replace(meaning, state=TrackingState.RETURNING, incident=IncidentClass.RETURNING)
    elif code.startswith("PMT/") and "comprovante" in text:
        # The proof of delivery can be seen: told after the delivery.
        return replace(meaning, state=TrackingState.INFO)
    elif code in ATTEMPTS:
        return _after_attempt(meaning, detail)
    return meaning


def _after_attempt(meaning: Meaning, detail: str) -> Meaning:
    """Back to the sender, to an office, or another attempt: the same headline, told apart by the detail line."""
    absent = IncidentClass.ABSENT if meaning.incident == IncidentClass.AWAITING_PICKUP else meaning.incident
    if "devolvido ao remetente" in detail:
        return replace(meaning, state=TrackingState.RETURNING, incident=absent)
    if "retirada" in detail or "retirar" in detail:
        return replace(meaning, state=TrackingState.DELIVERY_FAILED, incident=IncidentClass.AWAITING_PICKUP)
    if "nova tentativa" in detail:
        return replace(meaning, state=TrackingState.DELIVERY_FAILED, incident=absent)
    return meaning


def _legs(events: Sequence[TrackingEvent]) -> list[TrackingEvent]:
    """The events, oldest first; those after the parcel turned back belong to the way back.

    Not so a delivery "ao destinatário": whatever was planned before, the recipient has it.
    """
    standing: list[TrackingEvent] = []
    found = []
    for event in events:
        if event.retracts:
            del standing[-1:]
        else:
            turned = any(e.is_return or e.state == TrackingState.RETURNING for e in standing)
            arrived = event.state == TrackingState.DELIVERED and "destinatario" in fold(event.text)
            event = replace(event, is_return=event.is_return or (turned and not arrived))
            standing.append(event)
        found.append(event)
    return found


def _place(event: Mapping[str, Any]) -> str:
    """The kind of office, its town, and the town where it goes next, as far as they are told."""
    here, there = (_unit(event.get(name)) for name in ("unidade", "unidadeDestino"))
    unit = event.get("unidade")
    kind = clean(unit.get("tipo"), 60) if isinstance(unit, Mapping) else ""
    return " → ".join(filter(None, [", ".join(filter(None, [kind, here])), there]))


def _unit(unit: Any) -> str:
    address = unit.get("endereco") if isinstance(unit, Mapping) else None
    if not isinstance(address, Mapping):
        return ""
    return "/".join(filter(None, [clean(address.get("cidade"), 60), clean(address.get("uf"), 10)]))
