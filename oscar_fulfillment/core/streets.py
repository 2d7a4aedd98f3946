"""A Brazilian address as people type it, taken apart as a note wants it."""

from __future__ import annotations

import re

_NUMBER = re.compile(
    r"^(?:n[.ºo°]{0,2}\s*)?(\d{1,6}\s?[A-Za-z]?|s\s?/?\s?n\.?)(?=$|[\s,;\-/])[\s,;\-/]*(.*)$", re.IGNORECASE
)
_LAST = re.compile(r"^(.*\D)[\s,]+(?:n[.ºo°]{0,2}\s*)?(\d{1,6}[A-Za-z]?|s/n)$", re.IGNORECASE)
WITHOUT = "S/N"


def split_street(line: str) -> tuple[str, str, str]:
    """(street, number, what follows it) of "Av. Paulista, 1000 - ap. 71". Without a number it is "S/N".

    The number is what follows the first comma, else the last word: "Rua 7 de Setembro 55" is number 55.
    """
    text = " ".join(line.split())
    head, comma, tail = (part.strip() for part in text.partition(","))
    if comma and (found := _NUMBER.match(tail)):
        return head, _spelt(found[1]), found[2]
    if found := _LAST.match(head):
        return found[1].rstrip(" ,-"), _spelt(found[2]), tail
    dashed, dash, rest = (part.strip() for part in head.partition(" - "))
    if dash and (found := _LAST.match(dashed)):
        return found[1].rstrip(" ,-"), _spelt(found[2]), ", ".join(part for part in (rest, tail) if part)
    return head, WITHOUT, tail


def _spelt(number: str) -> str:
    return WITHOUT if number[:1] in "sS" else number.replace(" ", "").upper()
