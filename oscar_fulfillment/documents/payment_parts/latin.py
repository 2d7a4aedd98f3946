"""Names in letters that a bank's form takes."""

from __future__ import annotations

import unicodedata

#: Cyrillic to Latin as in Russian passports (ICAO 9303), with the letters of its neighbours.
CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "i",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "ie", "ы": "y", "ь": "", "э": "e", "ю": "iu",
    "я": "ia", "є": "ie", "і": "i", "ї": "i", "ґ": "g", "ў": "u", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c",
    "ђ": "dj", "џ": "dz", "ѓ": "g", "ќ": "k", "ѕ": "z",
}  # fmt: skip
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_QUOTES = {ord("\u2018"): "'", ord("\u2019"): "'", ord("\u201c"): '"', ord("\u201d"): '"', ord("\u201e"): '"',
           ord("\u2116"): "No", ord("\u2026"): "..."}  # fmt: skip


def romanised(text: str) -> str:
    """``text`` with Cyrillic letters in Latin ones, typographic dashes and quotes plain, on one line."""
    words = " ".join(text.translate(_DASHES | _QUOTES).split())
    return "".join(_roman(letter) for letter in unicodedata.normalize("NFC", words))


def _roman(letter: str) -> str:
    low = letter.lower()
    if low not in CYRILLIC:
        return letter
    written = CYRILLIC[low]
    return written if letter == low else written.capitalize()


def ascii_only(text: str) -> str:
    """``text`` without accents; letters that have no ASCII form are left out."""
    special = {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    words = "".join(special.get(letter, letter) for letter in romanised(text))
    stripped = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    return " ".join("".join(letter for letter in stripped if letter.isprintable()).split())
