"""S10, the Universal Postal Union's item number: AA 12345678 5 BR.

Two letters for the service, eight digits, a check digit, the two letters of the country that took the item in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

_SHAPE = re.compile(r"([A-Z]{2})([0-9]{8})([0-9])([A-Z]{2})", re.ASCII)
_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)


class S10Error(ValueError):
    """The text is no S10 number. ``code`` is "shape" or "check_digit"; ``message`` is for a person."""

    def __init__(self, code: str, message: Any):
        self.code = code
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class ItemNumber:
    """A valid S10 number, taken apart."""

    service: str
    serial: str
    check_digit: str
    country: str

    def __str__(self) -> str:
        return f"{self.service}{self.serial}{self.check_digit}{self.country}"


def check_digit(serial: str) -> str:
    """The check digit of the eight digits: 11 minus the weighted sum's rest, where 10 counts as 0 and 11 as 5."""
    digit = 11 - sum(int(value) * weight for value, weight in zip(serial, _WEIGHTS, strict=True)) % 11
    return str({10: 0, 11: 5}.get(digit, digit))


def parse(code: str) -> ItemNumber:
    """Take a number (capitals, no separators) apart.

    The service letters are not looked up: posts use letters which the union's list reserves, and lists go stale.

    :raises S10Error: the shape or the check digit is wrong.
    """
    match = _SHAPE.fullmatch(code)
    if match is None:
        raise S10Error(
            "shape",
            _("A postal tracking code has 13 characters: 2 letters, 9 digits, 2 letters, as in AA123456785BR."),
        )
    item = ItemNumber(*match.groups())
    expected = check_digit(item.serial)
    if item.check_digit != expected:
        raise S10Error(
            "check_digit",
            format_lazy(
                _(
                    "The check digit is wrong: the nine digits end in {found}, they should end in {expected}. "
                    "Compare them with the label."
                ),
                found=item.check_digit,
                expected=expected,
            ),
        )
    return item
