"""The check digits of fiscal documents and tax identities: pure arithmetic on strings, no dependency."""

from __future__ import annotations

from collections.abc import Sequence


def mod11(body: str, max_weight: int = 9) -> int:
    """Brazil's modulo 11: weights 2..``max_weight`` in a cycle from the right; a rest below 2 gives 0.

    The value of a character is its ASCII code minus 48, so that digits keep their value and the letters of the
    alphanumeric CNPJ (A = 17 ... Z = 42) need no rule of their own. ``body`` is upper-case ASCII.
    """
    weight, total = 2, 0
    for character in reversed(body):
        total += (ord(character) - 48) * weight
        weight = 2 if weight == max_weight else weight + 1
    rest = total % 11
    return 0 if rest < 2 else 11 - rest


def cnpj_check_digits(base: str) -> str:
    """The two digits that follow the 12 characters (digits and capitals) of a CNPJ."""
    first = mod11(base)
    return f"{first}{mod11(f'{base}{first}')}"


def cpf_check_digits(base: str) -> str:
    """The two digits that follow the 9 digits of a CPF. Same rule, but the weights go on to 11."""
    first = mod11(base, max_weight=11)
    return f"{first}{mod11(f'{base}{first}', max_weight=11)}"


def weighted_sum(digits: str, weights: Sequence[int]) -> int:
    """Each digit times its weight, summed. Both must have the same length."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def luhn_sum(digits: str) -> int:
    """Luhn's sum: every second digit from the right is doubled and its digits added. Valid when divisible by 10."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total


def inn_check_digits(base: str) -> str:
    """The digit after the 9 of a Russian company's INN, or the two after the 10 of a person's."""
    weights = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    if len(base) == 9:
        return str(weighted_sum(base, weights[2:]) % 11 % 10)
    first = str(weighted_sum(base, weights[1:]) % 11 % 10)
    return first + str(weighted_sum(base + first, weights) % 11 % 10)


def uid_check_digit(base: str) -> str:
    """The digit after the 8 of a Swiss UID; "" where none exists (the rest would ask for the digit 10)."""
    digit = (11 - weighted_sum(base, (5, 4, 3, 2, 7, 6, 5, 4)) % 11) % 11
    return "" if digit == 10 else str(digit)
