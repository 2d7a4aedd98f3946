"""A sum in rubles in Russian words, as a счёт ends: «Одна тысяча двести тридцать четыре рубля 50 копеек»."""

from __future__ import annotations

from decimal import Decimal

from .renderer import DocumentError

_UNITS = ("", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять")
_FEMININE = {1: "одна", 2: "две"}
_TEENS = (
    "десять", "одиннадцать", "двенадцать", "тринадцать", "четырнадцать",
    "пятнадцать", "шестнадцать", "семнадцать", "восемнадцать", "девятнадцать",
)  # fmt: skip
_TENS = (
    "", "", "двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто",
)  # fmt: skip
_HUNDREDS = (
    "", "сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот", "восемьсот", "девятьсот",
)  # fmt: skip
#: The names of the groups of three digits, as after one, after two to four, after five; and whether they are feminine.
_GROUPS = (
    (("рубль", "рубля", "рублей"), False),
    (("тысяча", "тысячи", "тысяч"), True),
    (("миллион", "миллиона", "миллионов"), False),
    (("миллиард", "миллиарда", "миллиардов"), False),
)
_KOPECKS = ("копейка", "копейки", "копеек")


def rubles_in_words(amount: Decimal) -> str:
    """The sum with rubles in words and kopecks in digits. Raises :class:`DocumentError` for negative sums, parts of a
    kopeck, and from 10^12 on."""
    kopecks = amount * 100
    if kopecks != int(kopecks) or not 0 <= amount < 10**12:
        raise DocumentError("only sums of 0 to 999999999999.99 have words")
    rubles, rest = divmod(int(kopecks), 100)
    words = []
    for place in reversed(range(len(_GROUPS))):
        forms, feminine = _GROUPS[place]
        group = rubles // 1000**place % 1000
        if group:
            words += [*_below_thousand(group, feminine), _form(group, forms)]
        elif place == 0:
            words += [] if rubles else ["ноль"]
            words.append(forms[2])
    text = " ".join(words)
    return f"{text[0].upper()}{text[1:]} {rest:02d} {_form(rest, _KOPECKS)}"


def _below_thousand(number: int, feminine: bool) -> list[str]:
    hundreds, rest = divmod(number, 100)
    tens, units = divmod(rest, 10)
    if tens == 1:
        words = [_HUNDREDS[hundreds], _TEENS[units]]
    else:
        unit = _FEMININE.get(units, _UNITS[units]) if feminine else _UNITS[units]
        words = [_HUNDREDS[hundreds], _TENS[tens], unit]
    return [word for word in words if word]


def _form(number: int, forms: tuple[str, str, str]) -> str:
    if number % 100 in range(11, 15):
        return forms[2]
    return {1: forms[0], 2: forms[1], 3: forms[1], 4: forms[1]}.get(number % 10, forms[2])
