"""The municipalities of Brazil with IBGE's codes, which every address on a note must have.

The table is IBGE's territorial division as of 2025 (5,571 municipalities); a code begins with its state's.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from oscar_fulfillment.core.text import fold
from oscar_fulfillment.fiscal.access_key import STATES

#: state -> the first two digits of its codes.
STATE_CODES = {state: code for code, state in STATES.items()}
_SPELT = re.compile(r"[^a-z0-9]+")


def find_municipality(city: str, state: str) -> str:
    """The code of a city in a state ("SP"), however it is spelt; "" where the state has none of that name."""
    return _by_name().get((STATE_CODES.get(state.upper(), ""), _spell(city)), "")


def is_municipality(code: str, state: str = "") -> bool:
    """Whether there is such a code, in this state if one is named."""
    return code in _codes() and (not state or code.startswith(STATE_CODES.get(state.upper(), "-")))


def _spell(name: str) -> str:
    # "Santa Bárbara d'Oeste", "Santa Barbara D Oeste" and "SANTA BARBARA DOESTE" are one place.
    return _SPELT.sub("", fold(name))


@cache
def _rows() -> tuple[tuple[str, str], ...]:
    text = files(__package__).joinpath("municipalities.txt").read_text("ascii")
    return tuple((line[:7], line[8:]) for line in text.splitlines())


@cache
def _by_name() -> dict[tuple[str, str], str]:
    return {(code[:2], _spell(name)): code for code, name in _rows()}


@cache
def _codes() -> frozenset[str]:
    return frozenset(code for code, _name in _rows())
