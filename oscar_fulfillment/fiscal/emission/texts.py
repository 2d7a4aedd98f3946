"""Text as the layout takes it: Latin-1 without control characters, one line, no space at either end, cut to length."""

from __future__ import annotations

import unicodedata

#: What word processors and phones type, and the layout refuses.
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "•": "-",
                        "€": "EUR", "™": "TM", "\u00ad": ""})  # fmt: skip


def plain(text: str, limit: int) -> str:
    """``text`` fit for a field of at most ``limit`` characters. What has no place in Latin-1 loses its accent, then
    becomes "?"."""
    words = " ".join(str(text).translate(_PLAIN).split())
    fitting = "".join(_fit(character) for character in unicodedata.normalize("NFC", words))
    return " ".join(fitting.split())[:limit].rstrip()


def _fit(character: str) -> str:
    if " " <= character <= "~" or "\u00a1" <= character <= "ÿ":
        return character
    if unicodedata.category(character)[0] in "CZM":
        return " " if unicodedata.category(character)[0] == "Z" else ""
    simpler = "".join(
        c for c in unicodedata.normalize("NFKD", character) if " " <= c <= "ÿ" and not "\x7f" <= c < "\u00a1"
    )
    return simpler or "?"


def digits(text: str, limit: int = 60) -> str:
    """The ASCII digits of a text."""
    return "".join(character for character in str(text) if character in "0123456789")[:limit]
