"""Proceda OCOREN: what a Brazilian carrier says of deliveries, by the invoices that went with the goods.

Fixed width, one record a line. Layouts 3.0 and 3.1 (records 000, 340, 341, 342, 343; 120 characters) and 5.0 (000,
540 to 549; 250 characters), columns from 1:

==================== ============ =========
field of an occurrence 3.x (342)  5.0 (542)
==================== ============ =========
sender's CNPJ        4 to 17      4 to 17
series               18 to 20     18 to 20
invoice number       21 to 28     21 to 29
occurrence code      29 to 30     30 to 32
day (DDMMYYYY)       31 to 38     33 to 40
time (HHMM)          39 to 42     41 to 44
observation          43 to 44     45 to 46
free text            45 to 114    record 543
==================== ============ =========

Sources: EDI transport manuals (OCOREN 3.1, and 5.0 of 2008) as carriers and shippers publish them. Carriers leave the
filling at the end of a record away, and write UTF-8 or Latin-1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from oscar_fulfillment.carriers.events import TrackingEvent, clean, meaning_of
from oscar_fulfillment.statements.base import StatementError
from oscar_fulfillment.statements.encoding import check_text, decode

from .ocoren_codes import CODES, TURNS
from .tracking_csv import PDF

#: The carriers' files know no zone: their clocks show this one.
ZONE = ZoneInfo("America/Sao_Paulo")


class _Columns(NamedTuple):
    """Where the fields of an occurrence stand: slices from 0."""

    number: slice
    code: slice
    day: slice
    time: slice
    observation: slice
    text: slice


_SENDER, _SERIES = slice(3, 17), slice(17, 20)
_LAYOUTS = {
    "342": _Columns(slice(20, 28), slice(28, 30), slice(30, 38), slice(38, 42), slice(42, 44), slice(44, 114)),
    "542": _Columns(slice(20, 29), slice(29, 32), slice(32, 40), slice(40, 44), slice(44, 46), slice(0, 0)),
}
_CARRIER, _MORE_TEXT = ("341", "541"), "543"
_KNOWN = {"000", "340", "341", "342", "343", "540", "541", "542", "543", "544", "545", "549"}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What a carrier says of the goods of one invoice. Numbers have no zeros in front; ``occurred_at`` is aware.

    ``problem`` says why the record cannot be read; then the fields hold what could.
    """

    line: int
    sender: str = ""
    series: str = ""
    number: str = ""
    code: str = ""
    observation: str = ""
    occurred_at: datetime | None = None
    text: str = ""
    carrier: str = ""
    problem: str = ""

    @property
    def invoice(self) -> str:
        """Number and series as people write them."""
        return f"{self.number}/{self.series}" if self.series else self.number

    def event(self) -> TrackingEvent:
        """The same as an event of a parcel; an unknown code stays one."""
        code = f"OCO/{self.code}"
        full = f"{code}/{self.observation}" if self.observation else code
        meaning = meaning_of(CODES, full, code)
        if self.occurred_at is None:
            raise ValueError(f"line {self.line} has no time")
        return TrackingEvent(
            code=full if full in CODES else code,
            occurred_at=self.occurred_at,
            state=meaning.state,
            text=meaning.text,
            note=self.text,
            incident=meaning.incident,
            is_return=code in TURNS,
        )


def is_ocoren(content: bytes) -> bool:
    """Whether this looks like an OCOREN file: the first record is the header, or an occurrence."""
    lines = content[:600].lstrip(b"\xef\xbb\xbf\r\n ").splitlines()
    return bool(lines) and lines[0][:3] in (b"000", b"340", b"540", b"342", b"542") and len(lines[0]) > 30


def read_text(content: bytes) -> str:
    """The file's text. :class:`StatementError` for what is none, or no OCOREN."""
    check_text(content, pdf=PDF)
    text, _encoding = decode(content)
    if not is_ocoren(content):
        raise StatementError(_("This is no OCOREN file: its first record is neither 000 nor an occurrence."))
    if not any(f"\n{record}" in text or text.startswith(record) for record in _LAYOUTS):
        raise StatementError(_("The file holds no occurrence (no record 342 or 542)."))
    return text


def read_occurrences(text: str) -> Iterator[Occurrence]:
    """The occurrences of a file in its order, one at a time. Records that cannot be read have a ``problem``."""
    carrier = ""
    held: Occurrence | None = None
    for number, line in _numbered(text):
        record = line[:3]
        if record == _MORE_TEXT and held is not None:
            held = replace(held, text=clean(" ".join([held.text, line[3:213]])))
            continue
        if held is not None:
            yield held
            held = None
        if record in _CARRIER:
            carrier = clean(line[17 : 67 if record == "541" else 57], 50)
        elif record in _LAYOUTS:
            held = _occurrence(number, line, _LAYOUTS[record], carrier)
        elif record not in _KNOWN:
            yield Occurrence(number, problem=_("This record is none of OCOREN: %(text)s") % {"text": clean(line, 20)})
    if held is not None:
        yield held


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    number, start = 0, 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        number += 1
        line = text[start:end].rstrip("\r\x1a")
        start = end + 1
        if line.strip():
            yield number, line


def _occurrence(number: int, line: str, at: _Columns, carrier: str) -> Occurrence:
    found = Occurrence(
        line=number,
        sender=line[_SENDER].strip(),
        series=_without_zeros(line[_SERIES]),
        number=_without_zeros(line[at.number]),
        code=_code(line[at.code]),
        observation=_observation(line[at.observation]),
        text=clean(line[at.text]),
        carrier=carrier,
    )
    if problem := _problem(found, line, at):
        return replace(found, problem=problem)
    try:
        return replace(found, occurred_at=_moment(line[at.day], line[at.time]))
    except ValueError:
        told = {"text": clean(f"{line[at.day]} {line[at.time]}", 20)}
        return replace(found, problem=_("“%(text)s” is not a day and time.") % told)


def _problem(found: Occurrence, line: str, at: _Columns) -> str:
    if len(line) < at.day.stop:
        return _("The record is cut off.")
    if not found.number.isdigit() or found.number == "0":
        return _("The record names no invoice.")
    if not found.code.isdigit():
        return _("The record has no occurrence code.")
    return ""


def _without_zeros(text: str) -> str:
    plain = text.strip()
    return plain.lstrip("0") or plain[:1]


def _code(text: str) -> str:
    plain = text.strip()
    return plain.lstrip("0").zfill(2) if plain.isdigit() else plain


def _observation(text: str) -> str:
    plain = text.strip()
    return plain.zfill(2) if plain.isdigit() and int(plain) else ""


def _moment(day: str, time: str) -> datetime:
    plain = time.strip() or "0000"
    if not (day.isdecimal() and plain.isdecimal()):
        raise ValueError(day)
    late = plain == "2400"
    moment = datetime.strptime(f"{day} {'0000' if late else plain}", "%d%m%Y %H%M").replace(tzinfo=ZONE)
    if not 1990 <= moment.year <= 2100:
        raise ValueError(day)
    return moment + timedelta(days=1) if late else moment
