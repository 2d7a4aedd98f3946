"""The checks of a note, each a function of its own: a finding, or None where nothing is wrong.

What the file says by itself; what it says of the order it is for is compared in ``nfe_order_checks``. Pure: what the
shop knows comes in as :class:`Shop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from . import nfe_signature as signatures
from . import taxids
from .access_key import FIELDS, AccessKey, AccessKeyError, parse
from .nfe_facts import AUTHORISED, CANCELLATION, CORRECTION, DENIED, Event, NfeContent, Note
from .nfe_findings import Finding, find
from .nfe_signature import Bundle
from .text import compact

PRODUCTION, HOMOLOGATION = "production", "homologation"
_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class Shop:
    """What the shop accepts. ``issuers``: CNPJs or CPFs, empty for anybody's; ``environment``: one of the two above."""

    environment: str
    issuers: frozenset[str]
    tolerance: Decimal
    now: datetime
    bundle: Bundle | None = None


def check_content(content: NfeContent, shop: Shop) -> list[Finding]:
    """Everything that can be said of a file without an order."""
    found = [find(code) for code in content.warnings]
    if content.note is not None:
        note = content.note
        found += [one for check in FILE_CHECKS if (one := check(note, shop)) is not None]
        found += _check_signature(content, note.issued_at, note.issuer, shop)
    elif content.event is not None:
        event = content.event
        found += [one for each in EVENT_CHECKS if (one := each(event, shop)) is not None]
        issuer = event.issuer or (event.key[FIELDS["issuer"]] if len(event.key) == 44 else "")
        found += _check_signature(content, event.at or shop.now, issuer, shop)
    return found


# ---- The key and its contents ----


def check_key(note: Note, shop: Shop) -> Finding | None:
    """The access key exists: state, month, issuer, check digit and all."""
    return _key_problem(note.key)


def _key_problem(text: str) -> Finding | None:
    try:
        parse(text)
    except AccessKeyError as error:
        return find("key", found=error)
    return None


def check_key_content(note: Note, shop: Shop) -> Finding | None:
    """The key is of this very note: issuer, number, series, model, state and month as in its contents."""
    key = _parsed(note.key)
    if key is None:
        return None
    said = {
        "emit": (compact(note.issuer).rjust(14, "0"), key.text[FIELDS["issuer"]]),
        "nNF": (_plain_number(note.number), str(key.number)),
        "serie": (_plain_number(note.series), str(key.series)),
        "mod": (note.model, key.model),
        "cUF": (note.uf, key.uf),
        "dhEmi": (f"{note.issued_at:%y%m}", key.year_month),
    }
    for name, (found, expected) in said.items():
        if found != expected:
            return find("key_content", field=name, found=found, expected=expected)
    return None


def _plain_number(text: str) -> str:
    return str(int(text)) if text.isascii() and text.isdigit() else text


def _parsed(text: str) -> AccessKey | None:
    try:
        return parse(text)
    except AccessKeyError:
        return None


# ---- What the tax office said ----


def check_cancelled(note: Note, shop: Shop) -> Finding | None:
    """An event in the file, or the protocol's own state, takes the note back."""
    return find("cancelled") if note.is_cancelled else None


def check_protocol(note: Note, shop: Shop) -> Finding | None:
    """The tax office authorised it (100, or 150 late), denied it, or did not accept it."""
    if not note.status:
        return find("unauthorised")
    if note.status in AUTHORISED or note.is_cancelled:
        return None
    return find("denied" if note.status in DENIED else "not_accepted", status=note.status, text=note.status_text)


def check_protocol_key(note: Note, shop: Shop) -> Finding | None:
    """The answer is about this note."""
    if note.status and note.protocol_key != note.key:
        return find("protocol_key", found=note.protocol_key or "–")
    return None


def check_protocol_digest(note: Note, shop: Shop) -> Finding | None:
    """What was authorised is what was signed. Answers without a digest say nothing of it."""
    if note.protocol_digest and note.digest and note.protocol_digest != note.digest:
        return find("protocol_digest")
    return None


# ---- What kind of note ----


def check_environment(note: Note, shop: Shop) -> Finding | None:
    """Test notes and real ones do not mix."""
    return _environment(note.environment, shop)


def _environment(found: str, shop: Shop) -> Finding | None:
    if shop.environment == PRODUCTION and found != "1":
        return find("environment_test")
    if shop.environment != PRODUCTION and found == "1":
        return find("environment_production")
    return None


def check_direction(note: Note, shop: Shop) -> Finding | None:
    """The goods go out."""
    return find("incoming") if note.direction != "1" else None


def check_purpose(note: Note, shop: Shop) -> Finding | None:
    """A sale; not a complement, an adjustment or a return."""
    return find("purpose", found=note.purpose) if note.purpose != "1" else None


def check_issuer(note: Note, shop: Shop) -> Finding | None:
    """One of the shop's own has issued it."""
    return _issuer(note.issuer, shop)


def _issuer(tax_id: str, shop: Shop) -> Finding | None:
    allowed = {compact(one).rjust(14, "0") for one in shop.issuers}
    if not allowed or compact(tax_id).rjust(14, "0") in allowed:
        return None
    return find("issuer", found=shown_tax_id(tax_id))


def check_date(note: Note, shop: Shop) -> Finding | None:
    """Nobody issues notes tomorrow."""
    if note.issued_at > shop.now + _SLACK:
        return find("future", found=note.issued_at.date().isoformat())
    return None


FILE_CHECKS: tuple[Callable[[Note, Shop], Finding | None], ...] = (
    check_key,
    check_key_content,
    check_cancelled,
    check_protocol,
    check_protocol_key,
    check_protocol_digest,
    check_environment,
    check_direction,
    check_purpose,
    check_issuer,
    check_date,
)


# ---- Signature ----

_SIGNATURE = {
    signatures.MISSING: "signature_missing",
    signatures.CHANGED: "signature_changed",
    signatures.FORGED: "signature_forged",
    signatures.UNKNOWN: "signature_unknown",
}


def _check_signature(content: NfeContent, at: datetime, issuer: str, shop: Shop) -> list[Finding]:
    if content.signed is None:
        return [find("signature_missing")]
    return list(judge_signature(signatures.check_signature(content.signed, at=at, bundle=shop.bundle), issuer))


def judge_signature(signature: signatures.Signature, issuer: str) -> Iterator[Finding]:
    """What a signature gives reason to warn of. Never an error: programs that reformat a file break it."""
    if signature.state in _SIGNATURE:
        yield find(_SIGNATURE[signature.state])
    if signature.state == signatures.MISSING:
        return
    if signature.is_current is None:
        yield find("certificate_unreadable")
        return
    if not _same_firm(signature.signer, issuer):
        yield find("certificate_other", found=shown_tax_id(signature.signer) or "–")
    if not signature.is_current:
        yield find("certificate_expired")
    if signature.is_trusted is False:
        yield find("certificate_untrusted")


def _same_firm(signer: str, issuer: str) -> bool:
    """A firm's head office may sign for its branches: the first eight characters are the firm."""
    signer, issuer = compact(signer), compact(issuer)
    issuer = issuer[3:] if len(signer) == 11 and issuer.startswith("000") and len(issuer) == 14 else issuer
    return bool(signer) and (signer == issuer or (len(signer) == len(issuer) == 14 and signer[:8] == issuer[:8]))


# ---- Events ----


def check_event_kind(event: Event, shop: Shop) -> Finding | None:
    """It takes a note back, or corrects it; anything else changes nothing here."""
    return None if event.kind in (CANCELLATION, CORRECTION) else find("event_other", found=event.type or "–")


def check_event_key(event: Event, shop: Shop) -> Finding | None:
    """It names a note that can exist."""
    return _key_problem(event.key)


def check_event_answer(event: Event, shop: Shop) -> Finding | None:
    """The tax office has registered it."""
    if event.is_registered:
        return None
    return find("event_refused", status=event.status or "–", text=event.status_text)


def check_event_environment(event: Event, shop: Shop) -> Finding | None:
    """A test event takes no real note back."""
    return _environment(event.environment, shop) if event.environment else None


def check_event_issuer(event: Event, shop: Shop) -> Finding | None:
    """The note that it is about is one of the shop's."""
    key = _parsed(event.key)
    return _issuer(key.issuer, shop) if key is not None else None


EVENT_CHECKS: tuple[Callable[[Event, Shop], Finding | None], ...] = (
    check_event_kind,
    check_event_key,
    check_event_answer,
    check_event_environment,
    check_event_issuer,
)


def shown_tax_id(tax_id: str) -> str:
    """A CNPJ or CPF with its punctuation."""
    return taxids.format_tax_id("cpf" if len(tax_id) == 11 else "cnpj", tax_id)
