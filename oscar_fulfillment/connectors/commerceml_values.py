"""Numbers, dates and yes-or-no as 1C writes them, in all the ways that were seen. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation

from .commerceml_codes import FALSE, NO_DATES, TRUE

_LONGEST = 40
_FORMATS = (
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y", "%Y%m%d%H%M%S", "%Y%m%d",
)  # fmt: skip
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?")
# What XML 1.0 has no place for, however it is escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def read_number(text: str) -> Decimal | None:
    """A number: ``23 000``, ``23 000,50``, ``1,234.50``, with any kind of space; None for what is none."""
    plain = "".join(text.split()).replace("'", "")
    if len(plain) > _LONGEST:
        return None
    if "," in plain and "." in plain:
        # The one that stands last parts the whole from the rest, the other one thousands.
        thousands = "," if plain.rfind(".") > plain.rfind(",") else "."
        plain = plain.replace(thousands, "")
    plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        return None
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def read_date(text: str) -> datetime | None:
    """A date, with its time or without, as it stands there (no zone); None for an emptied one and for what is none."""
    plain = text.strip()
    if plain.upper() in NO_DATES or len(plain) > _LONGEST:
        return None
    plain = plain.split("+", 1)[0].removesuffix("Z").split(".000", 1)[0].rstrip("T")
    for form in _FORMATS:
        try:
            found = datetime.strptime(plain, form)
        except ValueError:
            continue
        return found if found.year > 1900 else None
    return None


def read_flag(text: str) -> bool | None:
    """Yes or no; None for what is neither."""
    plain = text.strip().casefold()
    return True if plain in TRUE else False if plain in FALSE else None


def writable(text: str) -> str:
    """The text without the characters that no XML may hold."""
    return _FORBIDDEN.sub("", text)
