"""Money and times of many rows: the same text as Oscar's ``currency`` and Django's ``date_format``, for a tenth of the
time. What takes long there (finding the pattern of a locale) does not depend on the row, so it is done once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.signals import setting_changed
from django.utils import formats
from django.utils.dateformat import DateFormat, re_formatchars
from django.utils.translation import get_language
from oscar.templatetags.currency_filters import currency

# Characters of Django's date formats that look at the day only, and at hour and minute only.
_DAY = frozenset("bdDEFjlLmMnNoStwWyYz")
_MINUTE = frozenset("aAfgGhHiP")


def money(value: Any, code: str, language: str | None = None) -> str:
    """``currency(value, code)`` in the active language (or ``language``, which must be the active one)."""
    text = str(value) if type(value) is Decimal else ""
    whole, _dot, fraction = text.partition(".")
    digits = whole + fraction
    if whole and digits.isascii() and digits.isdigit():
        shape = _shape(language or get_language(), code, len(whole), len(fraction))
        if shape:
            return shape % tuple(digits)
    return currency(value, code)


@lru_cache(maxsize=1024)
def _shape(language: str | None, code: str, whole: int, fraction: int) -> str:
    """How Babel writes an amount of so many digits, with ``%s`` for each digit; empty when it rounds or adds some."""
    ones, twos = (currency(Decimal(f"{digit * whole}.{digit * fraction}"), code) for digit in "12")
    if ones.replace("1", "2") != twos or sum(c.isdigit() for c in ones) != whole + fraction or "2" in ones:
        return ""
    return ones.replace("%", "%%").replace("1", "%s")


def moments(name: str = "SHORT_DATETIME_FORMAT") -> Callable[[datetime], str]:
    """A function that writes a moment as ``date_format(moment, name)`` does in the active language."""
    runs, language = _runs(formats.get_format(name)), get_language()
    return lambda moment: "".join([write(language, moment) for write in runs])


@lru_cache(maxsize=64)
def _runs(pattern: str) -> list[Callable[[str | None, datetime], str]]:
    """The pattern cut where it turns from the day to the time of day: each part is the same for many rows."""
    runs: list[tuple[frozenset[str] | None, str]] = []
    for place, piece in enumerate(re_formatchars.split(str(pattern))):
        if not piece:
            continue
        kind = next((kind for kind in (_DAY, _MINUTE) if piece in kind), None) if place % 2 else None
        if place % 2 and kind is None:  # seconds, zones: nothing to keep
            return [lambda language, moment: DateFormat(moment).format(pattern)]
        if runs and (kind is None or kind is runs[-1][0] or runs[-1][0] is None):
            runs[-1] = (kind or runs[-1][0], runs[-1][1] + piece)
        else:
            runs.append((kind, piece))
    return [_writer(run, of_day=kind is not _MINUTE) for kind, run in runs]


def _writer(run: str, *, of_day: bool) -> Callable[[str | None, datetime], str]:
    @lru_cache(maxsize=4096)
    def write(language: str | None, *key: int) -> str:
        moment = datetime(*key) if of_day else datetime(2000, 1, 1, *key)  # type: ignore[arg-type]
        return DateFormat(moment).format(run)

    if of_day:
        return lambda language, moment: write(language, moment.year, moment.month, moment.day)
    return lambda language, moment: write(language, moment.hour, moment.minute)


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("OSCAR_CURRENCY_FORMAT", "OSCAR_DEFAULT_CURRENCY"):
        _shape.cache_clear()


setting_changed.connect(_forget)
