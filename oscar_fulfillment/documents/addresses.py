"""Where the pieces of an address stand in each country, by the rules of the Universal Postal Union."""

from __future__ import annotations

import re

#: A: the street's lines, C: city, S: state or region, Z: postcode; the pieces between are what separates them.
_DEFAULT = "A\nZ C\nS"
_FORMATS = {
    "A\nC, S Z": "US PR VI GU",
    "A\nC S Z": "AU CA",
    "A\nC\nZ": "GB GG JE IM GI ZA FK LK",
    "A\nC\nS\nZ": "RU UA IE",
    "A\nC Z\nS": "IN PE CL BD",
    "A\nC Z": "NZ SG SA IL BH",
    "A\nC, S\nZ": "EG NG",
    "A\nC, Z\nS": "LV",
    "A\nZ C - S": "BR",
    "A\nZ C S": "IT SM UY",
    "A\nZ C, S": "MX AR",
    "A\nC, S, Z": "CO",
    "A\nC Z, S": "VE",
    "A\nZ C/S": "TR",
    "A\nC\nS Z": "TH ID PH",
    "A\nZ, C\nS": "BY",
    "C\nA\nZ": "HU",
    "Z\nS\nC\nA": "KZ JP CN KR",
}
_BY_COUNTRY = {country: pattern for pattern, countries in _FORMATS.items() for country in countries.split()}
_PIECE = re.compile(r"([ACSZ])([^ACSZ]*)")


def postal_lines(
    street: list[str], *, city: str = "", state: str = "", postcode: str = "", country: str = ""
) -> list[str]:
    """The lines below the name, as ``country`` (an ISO code of two letters) writes them. Nothing is lost: a state goes
    on a line of its own where the country knows none. ``street`` are the lines that nobody takes apart."""
    pieces = {"C": city.strip(), "S": state.strip(), "Z": postcode.strip()}
    lines: list[str] = []
    pattern = _BY_COUNTRY.get(country, _DEFAULT)
    for line in (pattern if "S" in pattern else f"{pattern}\nS").split("\n"):
        if line.startswith("A"):
            lines += [text for text in map(str.strip, street) if text]
        if made := _line(line, pieces):
            lines.append(made)
    return lines


def _line(pattern: str, pieces: dict[str, str]) -> str:
    made = separator = ""
    for piece, following in _PIECE.findall(pattern):
        if text := pieces.get(piece, ""):
            made += (separator if made else "") + text
            separator = following
    return made
