"""What the codes on our own documents say, and what a scanner's text means: pure functions.

A scan text is digits only, since a scanner that types like a keyboard presses keys, and what comes out depends on the
computer's layout: letters turn into others under a Russian layout, and even digits into ``&é"`` under a French one,
which :func:`parse` turns back. Its parts: two digits for the kind, the primary key (12 digits, or as many pairs more as
it needs), two check digits (ISO 7064 MOD 97-10: every wrong digit and every swapped pair is noticed). The sixteen
digits are no EAN, UPC, GTIN (8, 12, 13, 14) or SSCC (18), and are eight symbols of Code 128.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

SHIPMENT, RETURN, PICKUP, ORDER = "shipment", "return", "pickup", "order"
#: Two digits that no other kind has; 91 to 99 is what GS1 leaves to a company's own use.
_PREFIXES = {SHIPMENT: "91", RETURN: "92", PICKUP: "93", ORDER: "94"}
_KINDS = {prefix: kind for kind, prefix in _PREFIXES.items()}
#: The digits of a primary key, at least; a 64-bit one has at most 19.
_DIGITS = 12
_SHAPE = re.compile(r"(9[1-4])([0-9]{12}|[0-9]{14}|[0-9]{16}|[0-9]{18}|[0-9]{20})([0-9]{2})", re.ASCII)
#: What the digit row gives without Shift, 1 to 0, where that is not digits.
_ROWS = ("&é\"'(-è_çà", "&é\"'(§è!çà", "+ěščřžýáíé", "+ľščťžýáíé", "ąčęėįšųū90")
_LAYOUTS = tuple(str.maketrans(row, "1234567890") for row in _ROWS)
#: No scan text is longer, whatever was pressed.
_LONGEST = 200


@dataclass(frozen=True)
class ScanCode:
    """What was scanned: ``kind`` is one of this module's constants, ``pk`` the primary key of the row it stands for
    (``SHIPMENT`` and ``PICKUP``: the shipment's; ``RETURN``: the return's; ``ORDER``: the order's)."""

    kind: str
    pk: int

    def __str__(self) -> str:
        return scan_code(self.kind, self.pk)


def shipment_code(pk: int) -> str:
    """The text on a shipment's packing slip and on its label."""
    return scan_code(SHIPMENT, pk)


def return_code(pk: int) -> str:
    """The text on the paper that comes with a return."""
    return scan_code(RETURN, pk)


def pickup_code(pk: int) -> str:
    """The text that a customer shows who fetches a shipment."""
    return scan_code(PICKUP, pk)


def order_code(pk: int) -> str:
    """The text on a packing slip of an order that has no shipment yet."""
    return scan_code(ORDER, pk)


def scan_code(kind: str, pk: int) -> str:
    """The digits for a row. Raises ``ValueError`` for an unknown kind or a primary key that no database gives."""
    if kind not in _PREFIXES:
        raise ValueError(f"unknown kind {kind!r}")
    if not 0 < pk < 2**63:
        raise ValueError(f"{pk} is no primary key")
    digits = str(pk)
    body = _PREFIXES[kind] + digits.zfill(max(_DIGITS, len(digits) + len(digits) % 2))
    return body + f"{98 - int(body) * 100 % 97:02}"


def parse(text: str) -> ScanCode | None:
    """What a scanned or typed text stands for; None for anything that is none of ours, such as an article's EAN.

    Blanks do not matter; digits of any script count, and so do the signs of the layouts above.
    """
    if len(text) > _LONGEST:
        return None
    typed = "".join(text.split())
    for digits in (_ascii_digits(typed), *(typed.casefold().translate(layout) for layout in _LAYOUTS)):
        match = _SHAPE.fullmatch(digits)
        if match and int(digits) % 97 == 1:
            kind, pk = _KINDS[match[1]], int(match[2])
            # One code for each row: a longer form of the same number is none.
            if 0 < pk < 2**63 and scan_code(kind, pk) == digits:
                return ScanCode(kind, pk)
    return None


def grouped(code: str) -> str:
    """The digits in groups of four, for people: ``9100 0000 0012 3412``."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4))


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(character, character)) for character in text)
