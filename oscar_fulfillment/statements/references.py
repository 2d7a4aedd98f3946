"""Structured references read back to the order they were made of: the Swiss QR reference and the ISO 11649 one.

Our bills carry the order's number where it fits, else its serial (primary key): 26 digits that begin with 9, or letters
and digits that begin with 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Next carry of the recursive modulo 10.
_CARRY = (0, 9, 4, 6, 8, 2, 7, 1, 3, 5)


@dataclass(frozen=True)
class Hint:
    """Which order a reference speaks of: by its number, or by its serial."""

    number: str = ""
    serial: int = 0


def compact(text: str) -> str:
    """A reference without the spaces it is printed with."""
    return re.sub(r"\s", "", text).upper()


def is_qr_reference(text: str) -> bool:
    """27 digits with their check digit."""
    if not re.fullmatch("[0-9]{27}", text, re.ASCII):
        return False
    carry = 0
    for digit in text[:-1]:
        carry = _CARRY[(carry + int(digit)) % 10]
    return int(text[-1]) == (10 - carry) % 10


def is_creditor_reference(text: str) -> bool:
    """``RF``, two check digits, and 1 to 21 letters and digits."""
    if not re.fullmatch("RF[0-9]{2}[0-9A-Z]{1,21}", text, re.ASCII):
        return False
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1


def read_reference(text: str) -> Hint | None:
    """The order that a reference speaks of; None for a reference that is not of ours, or mistyped."""
    text = compact(text)
    if is_qr_reference(text):
        body = text[:-1]
        if body.startswith("9"):
            return Hint(serial=_serial(body[1:])) if _serial(body[1:]) else None
        return Hint(number=body.lstrip("0")) if body.strip("0") else None
    if is_creditor_reference(text):
        body = text[4:]
        if body.startswith("0"):
            return Hint(serial=_serial(body[1:])) if _serial(body[1:]) else None
        return Hint(number=body)
    return None


def _serial(digits: str) -> int:
    """A primary key of at most 18 digits; 0 for what cannot be one."""
    found = int(digits) if digits.isascii() and digits.isdecimal() else 0
    return found if found < 10**18 else 0


def references_in(text: str) -> list[str]:
    """References that a payer copied into free text, with or without their spaces."""
    found = [compact(m) for m in re.findall(r"\b(?:\d\s?){26}\d\b", text, re.ASCII)]
    found += [compact(m) for m in re.findall(r"\bRF\d{2}(?:\s?[0-9A-Z]{1,4}){1,6}", text, re.ASCII)]
    return [reference for reference in found if is_qr_reference(reference) or is_creditor_reference(reference)]
