"""References that banks carry from the bill to the statement, with their check digits."""

from __future__ import annotations

import re

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
