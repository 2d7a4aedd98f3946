"""Tax by rate, as the prices of an order give it: Oscar keeps sums with and without tax, not the rate itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)


@dataclass
class RateSum:
    """What is sold at one rate (in per cent, to one decimal; zero: without tax)."""

    rate: Decimal
    net: Decimal
    gross: Decimal

    @property
    def tax(self) -> Decimal:
        return self.gross - self.net


def rate_of(net: Decimal, gross: Decimal) -> Decimal | None:
    """The rate in per cent, to one decimal; None where there is no tax."""
    if not net:
        return None
    rate = (gross - net) * 100 / net
    return rate.quantize(Decimal("0.1"), ROUND_HALF_UP) if rate else None


def by_rate(prices: Iterable[tuple[Decimal, Decimal]]) -> list[RateSum]:
    """``(net, gross)`` of lines, shipping and surcharges, summed by rate; the highest rate first.

    A cent of rounding moves the rate of a small price: it belongs to the rate of a larger one that it may have.
    """
    found: list[RateSum] = []
    for net, gross in sorted(prices, key=lambda price: -abs(price[0])):
        if not net and not gross:
            continue
        rate = rate_of(net, gross) or ZERO
        slack = Decimal("0.05") + Decimal("1.1") / abs(net) if rate and net else ZERO
        for group in found:
            if abs(group.rate - rate) <= (slack if group.rate else ZERO):
                group.net, group.gross = group.net + net, group.gross + gross
                break
        else:
            found.append(RateSum(rate, net, gross))
    return sorted(found, key=lambda group: -group.rate)
