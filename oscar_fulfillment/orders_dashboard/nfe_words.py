"""Fiscal notes in words: what a file is, its verdict, what was found, why an order is proposed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from oscar.templatetags.currency_filters import currency as in_currency

from oscar_fulfillment.fiscal import access_key
from oscar_fulfillment.fiscal.nfe_checks import shown_tax_id
from oscar_fulfillment.fiscal.nfe_findings import Finding, from_json
from oscar_fulfillment.fiscal.nfe_order_checks import CHOOSE, DIFFERS, GOOD, KNOWN, LOOK, REFUSED, WAIT
from oscar_fulfillment.models import NfeFile
from oscar_fulfillment.selectors import nfe_matching, nfe_notes

#: verdict -> (word, colour)
VERDICTS: dict[str, tuple[Any, str]] = {
    GOOD: (pgettext_lazy("verdict on a fiscal note", "Good"), "success"),
    LOOK: (pgettext_lazy("verdict on a fiscal note", "Look at it"), "warning"),
    CHOOSE: (pgettext_lazy("verdict on a fiscal note", "Which order?"), "warning"),
    DIFFERS: (pgettext_lazy("verdict on a fiscal note", "Differs"), "danger"),
    WAIT: (pgettext_lazy("verdict on a fiscal note", "Not yet"), "info"),
    KNOWN: (pgettext_lazy("verdict on a fiscal note", "Filed already"), "secondary"),
    REFUSED: (pgettext_lazy("verdict on a fiscal note", "Refused"), "danger"),
}
#: Where the state says more than the verdict.
_STATES: dict[str, tuple[Any, str]] = {
    NfeFile.RECEIVED: (gettext_lazy("Being checked"), "secondary"),
    NfeFile.QUEUED: (gettext_lazy("Being applied"), "secondary"),
    NfeFile.APPLIED: (pgettext_lazy("of a fiscal note", "Filed"), "success"),
    NfeFile.SUPERSEDED: (pgettext_lazy("of a fiscal note", "Cancelled"), "secondary"),
}
TABS: dict[str, Any] = {
    nfe_notes.EVERY: gettext_lazy("All of them"),
    nfe_notes.OPEN: gettext_lazy("To look at"),
    nfe_notes.FILED: pgettext_lazy("of fiscal notes", "Filed"),
    nfe_notes.REFUSED: pgettext_lazy("of fiscal notes", "Refused"),
}
WHY: dict[str, Any] = {
    nfe_matching.FIELD: gettext_lazy("Order number in its field"),
    nfe_matching.TEXT: gettext_lazy("Order number in the text"),
    nfe_matching.SUM: gettext_lazy("Buyer and sum"),
}


def title(file: NfeFile) -> str:
    """What the file is, as people call it."""
    number, series = _number(file)
    if not number:
        return file.name
    told = {"number": number, "series": series}
    if file.kind == NfeFile.CANCELLATION:
        return _("Cancellation of NF-e %(number)s, series %(series)s") % told
    if file.kind == NfeFile.CORRECTION:
        return _("Correction letter of NF-e %(number)s, series %(series)s") % told
    name = "NFC-e" if file.facts.get("model") == "65" else "NF-e"
    return _("%(name)s %(number)s, series %(series)s") % {"name": name, **told}


def _number(file: NfeFile) -> tuple[str, str]:
    facts = file.facts if isinstance(file.facts, dict) else {}
    if facts.get("number"):
        return str(facts["number"]), str(facts.get("series", ""))
    key = key_of(file)
    return (str(key.number), str(key.series)) if key else ("", "")


def key_of(file: NfeFile) -> access_key.AccessKey | None:
    """The access key, where it is one."""
    try:
        return access_key.parse(file.access_key)
    except access_key.AccessKeyError:
        return None


def badge(file: NfeFile) -> tuple[Any, str]:
    """(word, colour) of where it stands."""
    if file.status in _STATES:
        return _STATES[file.status]
    return VERDICTS.get(file.verdict, (file.verdict, "secondary"))


def present(file: NfeFile) -> dict[str, Any]:
    """A file as the list shows it."""
    word, tone = badge(file)
    facts = file.facts if isinstance(file.facts, dict) else {}
    done = file.status in (NfeFile.APPLIED, NfeFile.SUPERSEDED)
    return {
        "file": file,
        "title": title(file),
        "has_title": title(file) != file.name,
        "word": word,
        "tone": tone,
        "total": total(facts),
        "issued_at": moment_of(facts),
        "buyer": shown_tax_id(str(facts.get("buyer") or "")),
        "buyer_name": facts.get("buyer_name", ""),
        # What stood in the way once does not matter any more.
        "findings": [] if done else [_finding(one) for one in from_json(file.findings)],
        "may_apply": file.status == NfeFile.CHECKED and file.verdict in (GOOD, LOOK),
        "is_good": file.status == NfeFile.CHECKED and file.verdict == GOOD,
        "asks": file.status == NfeFile.CHECKED and file.verdict in (CHOOSE, DIFFERS),
        "is_waiting": file.status in (NfeFile.RECEIVED, NfeFile.QUEUED),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {"message": finding.message, "remedy": finding.remedy, "is_error": finding.is_error}


def total(facts: dict[str, Any]) -> str:
    """The sum of a note in words; "" where it has none."""
    try:
        return str(in_currency(Decimal(str(facts["total"])), "BRL"))
    except (KeyError, InvalidOperation):
        return ""


def moment_of(facts: dict[str, Any]) -> datetime | None:
    """When it was issued."""
    try:
        return datetime.fromisoformat(str(facts.get("issued_at") or ""))
    except ValueError:
        return None
