"""How CDEK's answers are read: what they are about, how the requests stand, and their refusals in words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext

from oscar_fulfillment.core.exceptions import AdapterError, AdapterRejected, AdapterUnanswered, AdapterUnavailable

from .cdek_codes import LATER, NOT_FOUND, UNCERTAIN
from .events import clean

#: CDEK's name of an order, a form, a subscription; and the number of an order, by which a parcel is followed.
ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
NUMBER = re.compile(r"[0-9]{4,20}", re.ASCII)
#: Before anything that has a date.
EVER = datetime.min.replace(tzinfo=UTC)


def entity_of(document: Any) -> Mapping[str, Any] | None:
    """What an answer is about; None when it has none."""
    entity = document.get("entity") if isinstance(document, Mapping) else None
    return entity if isinstance(entity, Mapping) else None


def mappings(entries: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; [] for what is none."""
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def key_of(value: Any) -> str:
    """A code as a key: letters, digits and ``_``, at most 40."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return re.sub(r"[^0-9A-Za-z_]+", "_", text[:200], flags=re.ASCII).strip("_")[:40]


def moment_of(value: Any) -> datetime | None:
    """A moment in UTC. CDEK writes its offset ("2020-02-10T11:10:34+0700"); without one it counts as UTC."""
    try:
        found = datetime.fromisoformat(value)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    # At the ends of the calendar nothing can be reckoned with.
    return found if 1 < found.year < 9999 else None


def request_of(document: Any, kind: str) -> tuple[str, list[tuple[str, str]]]:
    """How the newest request of a kind (CREATE, DELETE) stands: its state, "" for none, and its errors."""
    requests = document.get("requests") if isinstance(document, Mapping) else None
    found = [
        (moment_of(request.get("date_time")) or EVER, number, request)
        for number, request in enumerate(mappings(requests))
        if request.get("type") == kind
    ]
    if not found:
        return "", []
    newest = max(found, key=lambda entry: entry[:2])[2]
    return str(newest.get("state") or ""), _pairs(newest.get("errors"))


def explained(error: AdapterRejected) -> AdapterError:
    """The same refusal in words for the merchant; "later" or "unanswered" where CDEK's code means that."""
    try:
        document = json.loads(error.body)
    except (ValueError, RecursionError):
        document = {}
    said = said_in(document, "errors")
    codes, reason, status = {code for code, _message in said}, words(said), error.status
    if codes & LATER:
        return AdapterUnavailable(f"CDEK asks to come back later: {reason}")
    if codes & UNCERTAIN:
        return AdapterUnanswered(f"CDEK answered {status}: {reason}")
    if status in (401, 403):
        message = gettext("CDEK does not accept the account and the password, or they may not do this.")
    elif codes & NOT_FOUND or status == 404:
        message, status = gettext("CDEK has no such order."), 404
    else:
        message = gettext("CDEK refused: {reason}").format(reason=reason or status)
    return AdapterRejected(message, status=status, body=error.body)


def words(said: list[tuple[str, str]]) -> str:
    """CDEK's errors as one line: what it says and its code, each once."""
    lines = [f"{message} ({code})" if message and code else message or code for code, message in said]
    return clean("; ".join(dict.fromkeys(lines)))


def said_in(document: Any, name: str) -> list[tuple[str, str]]:
    """Errors (or warnings) stand in the document itself, or in each of its requests."""
    if not isinstance(document, Mapping):
        return []
    found = _pairs(document.get(name))
    for request in mappings(document.get("requests")):
        found += _pairs(request.get(name))
    return found


def _pairs(entries: Any) -> list[tuple[str, str]]:
    return [(clean(entry.get("code"), 100), clean(entry.get("message"), 300)) for entry in mappings(entries)]
