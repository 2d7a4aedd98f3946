"""Tax identities of buyers and shops: CPF, CNPJ, UID, SIREN, SIRET, French VAT number, INN.

Stored canonical (no punctuation, capitals), shown by :func:`format_tax_id`, masked in logs by :func:`mask`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from .checkdigits import cnpj_check_digits, cpf_check_digits, inn_check_digits, luhn_sum, uid_check_digit
from .text import MAX_TYPED, compact


class TaxIdError(ValueError):
    """The number is none of its kind. ``code`` says why in a word, ``message`` to a person."""

    def __init__(self, code: str, message: Any):
        self.code = code
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class Kind:
    """One kind of tax identity: how it is recognised, checked and shown."""

    label: Any
    country: str
    pattern: re.Pattern[str]
    shape: Any  # what it consists of, in words, for the error message
    checked: Callable[[str], bool]
    groups: tuple[tuple[int, str], ...] = ()  # (length, what follows it) of each group as shown
    strip: re.Pattern[str] | None = None  # what people write around it


def _cpf(value: str) -> bool:
    # 111.111.111-11 and its like pass the arithmetic and belong to nobody.
    return len(set(value)) > 1 and cpf_check_digits(value[:9]) == value[9:]


def _cnpj(value: str) -> bool:
    return len(set(value)) > 1 and cnpj_check_digits(value[:12]) == value[12:]


def _uid(value: str) -> bool:
    return uid_check_digit(value[3:11]) == value[11]


def _siren(value: str) -> bool:
    return luhn_sum(value) % 10 == 0


def _siret(value: str) -> bool:
    # La Poste has more branches than Luhn leaves numbers for: theirs only have a digit sum divisible by 5.
    if value.startswith("356000000") and value != "35600000000048":  # the head office
        return sum(map(int, value)) % 5 == 0
    return _siren(value[:9]) and luhn_sum(value) % 10 == 0


_VAT_LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I, no O


def _vat_fr(value: str) -> bool:
    key, siren = value[2:4], value[4:]
    # Monaco's numbers start with 000 and hold no SIREN.
    if not siren.startswith("000") and not _siren(siren):
        return False
    if key.isdigit():
        return int(key) == int(siren + "12") % 97
    first, second = (_VAT_LETTERS.index(character) for character in key)
    number = first * 24 + second - 10 if key[0].isdigit() else first * 34 + second - 100
    return (int(siren) + 1 + number // 11) % 11 == number % 11


def _inn(value: str) -> bool:
    base = 9 if len(value) == 10 else 10
    return inn_check_digits(value[:base]) == value[base:]


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


KINDS: dict[str, Kind] = {
    "cpf": Kind(_("CPF"), "BR", _pattern(r"[0-9]{11}"), _("11 digits"), _cpf, ((3, "."), (3, "."), (3, "-"), (2, ""))),
    "cnpj": Kind(
        _("CNPJ"),
        "BR",
        _pattern(r"[0-9A-Z]{12}[0-9]{2}"),
        _("12 letters or digits and 2 digits"),
        _cnpj,
        ((2, "."), (3, "."), (3, "/"), (4, "-"), (2, "")),
    ),
    "uid": Kind(
        _("UID"),
        "CH",
        _pattern(r"CHE[0-9]{9}"),
        _("CHE and 9 digits"),
        _uid,
        ((3, "-"), (3, "."), (3, "."), (3, "")),
        # "CHE-123.456.788 MWST" is the VAT form of the same number, "HR" that of the trade register.
        _pattern(r"(?<=[0-9])(MWST|TVA|IVA|VAT|HR|RC)$"),
    ),
    "siren": Kind(_("SIREN"), "FR", _pattern(r"[0-9]{9}"), _("9 digits"), _siren, ((3, " "), (3, " "), (3, ""))),
    "siret": Kind(
        _("SIRET"), "FR", _pattern(r"[0-9]{14}"), _("14 digits"), _siret, ((3, " "), (3, " "), (3, " "), (5, ""))
    ),
    "vat_fr": Kind(
        _("French VAT number"),
        "FR",
        _pattern(r"FR[0-9A-HJ-NP-Z]{2}[0-9]{9}"),
        _("FR, 2 letters or digits and 9 digits"),
        _vat_fr,
        ((2, " "), (2, " "), (3, " "), (3, " "), (3, "")),
    ),
    "inn": Kind(_("INN"), "RU", _pattern(r"[0-9]{10}(?:[0-9]{2})?"), _("10 or 12 digits"), _inn),
}

_BY_COUNTRY = {
    "BR": ("cpf", "cnpj"),
    "CH": ("uid",),
    "LI": ("uid",),  # Liechtenstein's firms that trade in Switzerland have one
    "FR": ("siret", "siren", "vat_fr"),
    "MC": ("vat_fr",),
    "RU": ("inn",),
}


def normalise(kind: str, raw: str) -> str:
    """The canonical text of what was typed.

    :raises TaxIdError: (a ValueError) the number is empty, has the wrong shape or the wrong check digits.
    :raises KeyError: there is no such kind.
    """
    declared = KINDS[kind]
    value = compact(raw) if isinstance(raw, str) and len(raw) <= MAX_TYPED else None
    if value == "":
        raise TaxIdError("empty", format_lazy(_("Enter the {kind}."), kind=declared.label))
    if value is not None:
        if declared.strip is not None:
            value = declared.strip.sub("", value)
        if kind == "uid" and re.fullmatch(r"[0-9]{9}", value, re.ASCII):
            value = f"CHE{value}"
    if value is None or not declared.pattern.fullmatch(value):
        raise TaxIdError("shape", format_lazy(_("A {kind} has {shape}."), kind=declared.label, shape=declared.shape))
    if not value.removeprefix("CHE").removeprefix("FR").strip("0"):
        # Every one of these check digits holds for zeros.
        raise TaxIdError("zeros", format_lazy(_("Only zeros are no {kind}."), kind=declared.label))
    if not declared.checked(value):
        raise TaxIdError(
            "check_digits",
            format_lazy(_("This {kind} does not exist: its check digits are wrong."), kind=declared.label),
        )
    return value


def is_valid(kind: str, raw: str) -> bool:
    """Whether ``raw`` is a number of this kind, however it is punctuated."""
    try:
        normalise(kind, raw)
    except TaxIdError:
        return False
    return True


def format_tax_id(kind: str, value: str) -> str:
    """A canonical number with the punctuation people know. What is not canonical comes back as it is."""
    declared = KINDS.get(kind)
    if declared is None or not declared.groups or not declared.pattern.fullmatch(value):
        return value
    shown, start = "", 0
    for length, separator in declared.groups:
        shown += value[start : start + length] + separator
        start += length
    return shown


def guess_kind(country_code: str) -> tuple[str, ...]:
    """The kinds a buyer of this country (ISO 3166, two letters) may have, the likeliest first."""
    return _BY_COUNTRY.get((country_code or "").upper(), ())


def mask(value: str) -> str:
    """The number as logs may show it: its last two characters, and only of a number long enough to stay hidden."""
    return f"***{value[-2:]}" if len(value) >= 8 else "***"
