"""Sums and days as people and banks write them in text files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

#: How a file may write its days; the keys are what the page offers and what is kept.
DATE_FORMATS: dict[str, tuple[str, ...]] = {
    "dmy": ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%d-%m-%y", "%d %m %Y"),
    "ymd": ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    "mdy": ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m-%d-%y"),
}
#: Signs between thousands; the point and the comma are so too where they are not the decimal mark.
_SPACES = "'’ʼ \u00a0\u202f\u2009"
_MONEY_WORDS = re.compile(r"R\$|US\$|[€$£¥₽]|\b(?:CHF|EUR|USD|BRL|RUB|GBP|RUR)\b|\bруб\.?|\bFr\.", re.IGNORECASE)
_MINUS = "-−–"
_TIME = re.compile(r"[T\s]+\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?\s*(?:Z|[+-]\d{2}:?\d{2})?$")


def parse_sum(text: str, mark: str) -> Decimal:
    """A signed sum whose decimal mark is ``mark`` ("." or ","). ValueError for what is not one.

    Minus before or behind, brackets for minus, currency signs, thousands in threes by the other mark, a space or an
    apostrophe: ``1'234.50``, ``R$ -1.234,50``, ``1 234,50-``, ``(12.00)``.
    """
    plain = _MONEY_WORDS.sub("", text).strip(_SPACES + "\t")
    negative = False
    if plain.startswith("(") and plain.endswith(")"):
        negative, plain = True, plain[1:-1].strip(_SPACES)
    if plain and (plain[0] in _MINUS or plain[-1] in _MINUS):
        if negative or (len(plain) > 1 and plain[0] in _MINUS and plain[-1] in _MINUS):
            raise ValueError(text)
        negative = True
        plain = (plain[1:] if plain[0] in _MINUS else plain[:-1]).strip(_SPACES)
    elif plain.startswith("+"):
        plain = plain[1:].strip(_SPACES)
    other = "." if mark == "," else ","
    whole, _mark, cents = plain.partition(mark)
    grouping = rf"[{re.escape(_SPACES + other)}]"
    if not re.fullmatch(rf"[0-9]+|[0-9]{{1,3}}(?:{grouping}[0-9]{{3}})+", whole or "0", re.ASCII):
        raise ValueError(text)
    if len(set(re.findall(grouping, whole))) > 1 or not re.fullmatch(r"[0-9]*", cents, re.ASCII):
        raise ValueError(text)
    if not whole and not cents:
        raise ValueError(text)
    value = Decimal(f"{re.sub(grouping, '', whole) or '0'}.{cents or '0'}")
    return -value if negative else value


def guess_mark(texts: Iterable[str]) -> str:
    """The decimal mark of a column, from all its sums: the one after which two digits (or one) end a number, or that
    stands last where both occur. Without any hint the point.
    """
    votes = {".": 0, ",": 0}
    for text in texts:
        plain = re.sub(rf"[^0-9.,{re.escape(_SPACES)}]", "", _MONEY_WORDS.sub("", text)).strip()
        marks = [sign for sign in plain if sign in ".,"]
        if not marks:
            continue
        last = marks[-1]
        digits = len(plain) - plain.rindex(last) - 1
        if len(set(marks)) == 2 or (digits != 3 and marks.count(last) == 1):
            votes[last] += 1
        elif marks.count(last) > 1:
            votes["." if last == "," else ","] += 1
    return "," if votes[","] > votes["."] else "."


def parse_day(text: str, order: str) -> date:
    """A day, without its time of day. ``order`` is one of :data:`DATE_FORMATS`. ValueError for what is none."""
    plain = _TIME.sub("", text.strip())
    for pattern in DATE_FORMATS[order]:
        try:
            found = datetime.strptime(plain, pattern).date()
        except ValueError:
            continue
        if 1990 <= found.year <= 2100:
            return found
    raise ValueError(text)


def fitting_orders(texts: Sequence[str]) -> list[str]:
    """The ways of :data:`DATE_FORMATS` in which all of these are days, the likeliest first."""
    found = []
    for order in DATE_FORMATS:
        try:
            for text in texts:
                parse_day(text, order)
        except ValueError:
            continue
        found.append(order)
    return found if texts else []
