"""Words in other people's texts that may be the number of an order."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_](?:[\w./\-]*[^\W_])?")


def number_words(texts: Iterable[str], *, most: int, tails: bool = False) -> list[str]:
    """Whole words with a digit in them, their parts between dots, dashes and slashes, as typed and in capitals; at most
    ``most``. ``tails``: also the figures alone where they stand at the end of a word ("Order100123")."""
    found: dict[str, None] = {}
    for text in texts:
        for word in _WORD.findall(text):
            parts = [word, *(part for part in re.split(r"[./\-]", word) if len(part) >= 4)]
            if tails:
                parts += [tail[0] for part in parts if (tail := re.search(r"\d{4,}$", part))]
            for part in parts:
                if len(part) >= 3 and any(sign.isdigit() for sign in part) and len(part) <= 64:
                    found |= {part: None, part.upper(): None}
    return list(found)[:most]
