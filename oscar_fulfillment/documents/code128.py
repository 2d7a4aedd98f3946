"""Code 128 (ISO/IEC 15417) as widths of bars and spaces: pure arithmetic, drawn by the template ``parts.typ``.

Code sets B (printable ASCII) and C (pairs of digits), which is what tracking codes and our own scan texts are made of.
"""

from __future__ import annotations

import re

#: The widths of the six bars and spaces of each symbol, in modules; 103 to 105 start in code set A, B, C.
_PATTERNS = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 "
)
_STOP = "2331112"
_TO_C, _TO_B, _START_B, _START_C = 99, 100, 104, 105
_TEXT = re.compile(r"[ -~]{1,80}")
#: Digits in a row, which may be shorter in code set C.
_RUN = re.compile(r"[0-9]+", re.ASCII)


def can_encode(text: str) -> bool:
    """Whether :func:`code128` takes this text: 1 to 80 characters of printable ASCII."""
    return _TEXT.fullmatch(text) is not None


def code128(text: str) -> list[int]:
    """The widths of bars and spaces in turn, beginning and ending with a bar, in modules; without the quiet zones,
    which are ten modules on either side. Raises ``ValueError`` for a text that :func:`can_encode` refuses."""
    if not can_encode(text):
        raise ValueError("Code 128 holds 1 to 80 characters of printable ASCII")
    symbols = _symbols(text)
    check = (symbols[0] + sum(place * value for place, value in enumerate(symbols))) % 103
    widths = "".join(_PATTERNS[7 * value : 7 * value + 6] for value in (*symbols, check)) + _STOP
    return [int(width) for width in widths]


def _symbols(text: str) -> list[int]:
    """The values of the symbols, from the start symbol on."""
    symbols: list[int] = []
    for in_c, part in _parts(text):
        if not symbols:
            symbols.append(_START_C if in_c else _START_B)
        else:
            symbols.append(_TO_C if in_c else _TO_B)
        if in_c:
            symbols += [int(part[at : at + 2]) for at in range(0, len(part), 2)]
        else:
            symbols += [ord(character) - 32 for character in part]
    return symbols


def _parts(text: str) -> list[tuple[bool, str]]:
    """The text cut into (goes into code set C, part), by the rules of the standard's annex E: C for four digits at
    either end or six in the middle, and for two that are the whole text; of an odd number the first digit stays out,
    at the beginning the last."""
    if re.fullmatch("[0-9]{2}", text, re.ASCII):
        return [(True, text)]
    parts: list[tuple[bool, str]] = []
    done = 0
    for run in _RUN.finditer(text):
        start, end = run.span()
        if end - start < (4 if start == 0 or end == len(text) else 6):
            continue
        if (end - start) % 2:
            start, end = (start, end - 1) if start == 0 else (start + 1, end)
        if done < start:
            parts.append((False, text[done:start]))
        parts.append((True, text[start:end]))
        done = end
    if done < len(text):
        parts.append((False, text[done:]))
    return parts
