"""The number of a note made into its access key."""

from __future__ import annotations

import secrets
from datetime import datetime

from oscar_fulfillment.fiscal.access_key import AccessKey, parse
from oscar_fulfillment.fiscal.checkdigits import mod11

from .municipalities import STATE_CODES

#: Codes that are no random numbers, and are refused (rule B03-10).
_RUNS = frozenset({"12345678", "23456789", "34567890", "45678901", "56789012", "67890123", "78901234", "89012345",
                   "90123456", "01234567"})  # fmt: skip


def make_code(number: int) -> str:
    """Eight random digits for the key of the note with this number."""
    while True:
        code = f"{secrets.randbelow(100_000_000):08d}"
        if is_code(code, number):
            return code


def is_code(code: str, number: int) -> bool:
    """Whether the tax office takes this code: not all the same digit, no run, not the note's own number."""
    same = code == f"{number:08d}"[-8:]
    return (
        len(code) == 8 and code.isascii() and code.isdigit() and len(set(code)) > 1 and code not in _RUNS and not same
    )


def make_access_key(
    *, state: str, issued_at: datetime, cnpj: str, series: int, number: int, emission_type: int, code: str
) -> AccessKey:
    """The key with its check digit. ``issued_at`` is in the issuer's time: the key holds its month.

    Raises ``AccessKeyError`` for an issuer or a series that cannot stand in a key.
    """
    body = f"{STATE_CODES[state]}{issued_at:%y%m}{cnpj}55{series:03d}{number:09d}{emission_type}{code}"
    return parse(f"{body}{mod11(body)}")
