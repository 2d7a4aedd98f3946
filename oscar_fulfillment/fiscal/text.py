"""Typed codes made comparable: separators out, ASCII letters to capitals, nothing else touched."""

from __future__ import annotations

import re

# What people and PDF readers put between the groups of a number. Listed one by one and not as ``\s``, because
# the browser's check (access_key.js) must strip exactly the same ones, and the two languages' ``\s`` differ.
SEPARATORS = re.compile("[ \\t\\n\\r\\f\\v\u00a0\u2007\u2009\u200b\u202f\ufeff.\\-/]")

# Nobody types more; what is longer is not read at all (a 10 MB field must cost nothing).
MAX_TYPED = 200

_CAPITALS = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}


def compact(raw: str) -> str:
    """``raw`` without separators and in capitals.

    Only ASCII letters are raised: ``str.upper`` turns "ı" into "I" and "ſ" into "S", and so would let characters
    that are no part of any code pass as good ones.
    """
    return SEPARATORS.sub("", raw).translate(_CAPITALS)


def visible(character: str) -> str:
    """A character as an error message may show it: its code point where it would print nothing (or worse)."""
    return character if character.isprintable() else f"U+{ord(character):04X}"
