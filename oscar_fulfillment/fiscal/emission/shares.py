"""Sums cut into parts that add up again, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ZERO = Decimal(0)


def cents(amount: Decimal) -> Decimal:
    """Rounded to the cent, halves up, as the tax office reckons."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def split(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """``total`` (not negative, whole cents) in proportion to the weights (not negative), without losing a cent.

    Everybody gets what is theirs rounded down, and the cents that are left go to the largest remainders, first come
    first served. Where no weight counts, all count alike.
    """
    if not weights:
        return []
    if not any(weights):
        weights = [Decimal(1)] * len(weights)
    whole = sum(weights, ZERO)
    # In whole cents: no rounding but the one that is meant.
    left = int(total / CENT)
    exact = [left * weight / whole for weight in weights]
    parts = [int(share) for share in exact]
    order = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    for place in order[: left - sum(parts)]:
        parts[place] += 1
    return [part * CENT for part in parts]


def part_of(total: Decimal, quantity: int, whole: int, *, left: Decimal, is_rest: bool) -> Decimal:
    """The share of ``quantity`` units of ``whole`` in a total of which ``left`` has not been given out yet.

    Who comes last takes what is left, so that any number of parts add up to the total.
    """
    if is_rest or not whole:
        return max(left, ZERO)
    return min(cents(total * quantity / whole), max(left, ZERO))
