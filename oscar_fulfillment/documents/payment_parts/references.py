"""References that banks carry from the bill to the statement, with their check digits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from oscar_fulfillment.documents.renderer import DocumentError

#: Next carry of the recursive modulo 10 (Swiss "modulo 10, recursive").
_CARRY = (0, 9, 4, 6, 8, 2, 7, 1, 3, 5)


def numeric(number: str, serial: int) -> str:
    """What stands for an invoice where only digits go: its number where that has up to 20 digits and no zero in front,
    else a 9 and its serial in 25 digits, so that no two invoices meet."""
    return number if re.fullmatch(r"[1-9][0-9]{0,19}", number) else f"9{serial:025d}"


def alphanumeric(number: str, serial: int) -> str:
    """The same where capital letters go too, at most 21 signs: its number where that has up to 20 such signs and no
    zero in front, else a 0 and its serial."""
    return number if re.fullmatch(r"[1-9A-Z][0-9A-Z]{0,19}", number) else f"0{serial}"


def qr_reference(number: str) -> str:
    """The 27 digits of a QRR reference: ``number`` (1 to 26 digits) filled with zeros, and the check digit."""
    if not re.fullmatch(r"[0-9]{1,26}", number) or not int(number):
        raise DocumentError("a QR reference is made of 1 to 26 digits, not all of them zero")
    digits = number.zfill(26)
    carry = 0
    for digit in digits:
        carry = _CARRY[(carry + int(digit)) % 10]
    return f"{digits}{(10 - carry) % 10}"


def creditor_reference(number: str) -> str:
    """The ISO 11649 reference ("RF", also SCOR): ``number`` is 1 to 21 digits and capital letters."""
    if not re.fullmatch(r"[0-9A-Z]{1,21}", number):
        raise DocumentError("a creditor reference is made of 1 to 21 digits and capital letters")
    value = int("".join(str(int(sign, 36)) for sign in f"{number}RF00"))
    return f"RF{98 - value % 97:02d}{number}"


@dataclass(frozen=True)
class Hint:
    """Which order a reference speaks of: by its number, or by its serial."""

    number: str = ""
    serial: int = 0


def read_reference(text: str) -> Hint | None:
    """The order that a reference was made of; None for one that is not of ours, or mistyped. Spaces do not matter."""
    text = _compact(text)
    if is_qr_reference(text):
        return _hint(text[:-1], "9") if text[0] == "9" else Hint(number=text[:-1].lstrip("0"))
    if is_creditor_reference(text):
        return _hint(text[4:], "0")
    return None


def is_qr_reference(text: str) -> bool:
    """27 digits, the last of which checks the others."""
    return bool(re.fullmatch("(?!0{26})[0-9]{27}", text)) and qr_reference(text[:-1]) == text


def is_creditor_reference(text: str) -> bool:
    """``RF``, two check digits, and 1 to 21 digits and capital letters."""
    return bool(re.fullmatch("RF[0-9]{2}[0-9A-Z]{1,21}", text)) and creditor_reference(text[4:]) == text


def references_in(text: str) -> list[str]:
    """References that a payer copied into free text, with or without the spaces they are printed with."""
    found = re.findall(r"\b(?:[0-9]\s?){26}[0-9]\b", text)
    found += re.findall(r"\bRF[0-9]{2}(?:\s?[0-9A-Z]{4})*(?:\s?[0-9A-Z]{1,4})?\b", text)
    return [one for one in map(_compact, found) if is_qr_reference(one) or is_creditor_reference(one)]


def _compact(text: str) -> str:
    return "".join(text.split()).upper()


def _hint(body: str, sign: str) -> Hint | None:
    """``body`` is a number, or a serial behind ``sign``: one that no primary key can be is none."""
    if not body.startswith(sign):
        return Hint(number=body)
    digits = body[1:]
    serial = int(digits) if digits.isdecimal() else 0
    return Hint(serial=serial) if 0 < serial < 10**18 else None
