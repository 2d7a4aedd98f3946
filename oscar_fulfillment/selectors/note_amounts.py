"""What a note's lines cost: their part of the order's sums, so that the notes of an order add up to it, to the cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oscar_fulfillment.fiscal.emission.shares import ZERO, cents, part_of, split
from oscar_fulfillment.models import NfeEmission, Shipment
from oscar_fulfillment.models.shipment import CANCELLED


@dataclass
class LinePart:
    """So many units of an order line, with their sums in the order's currency."""

    line: Any
    quantity: int
    gross: Decimal
    discount: Decimal
    freight: Decimal = ZERO
    other: Decimal = ZERO


@dataclass
class Amounts:
    """``credit``: what of the sum was paid by gift cards and the like, which lower an order's total."""

    lines: list[LinePart]
    credit: Decimal


def units_of(shipments: Iterable[Shipment]) -> Counter[int]:
    """Units per order line pk."""
    found: Counter[int] = Counter()
    for shipment in shipments:
        for part in shipment.lines.all():
            found[part.line_id] += part.quantity
    return found


def reckon_amounts(
    order: Any, chosen: Sequence[Shipment], every: Sequence[Shipment], earlier: Sequence[NfeEmission]
) -> Amounts:
    """The sums of these shipments.

    Notes of ours that stand (``earlier``) have what they say, other documents what is theirs in proportion; whoever
    takes the last units takes what is left of every sum.
    """
    order_lines = {line.pk: line for line in order.lines.all()}
    here = units_of(chosen)
    noted = {row.shipment_id for note in earlier for row in note.coverage.all() if row.is_standing}
    taken = {shipment.pk for shipment in chosen}
    elsewhere = units_of(
        s
        for s in every
        if s.pk not in taken | noted and s.invoice_id and s.replaces_id is None and s.status != CANCELLED
    )
    told = _told(earlier)
    parts = []
    for pk, quantity in sorted(here.items()):
        line = order_lines[pk]
        gross, net = line.line_price_before_discounts_incl_tax, line.line_price_incl_tax
        before = elsewhere[pk] + told.units[pk]
        is_rest = before + quantity >= line.quantity
        sums = []
        for total, said in ((gross, told.gross[pk]), (gross - net, told.discount[pk])):
            other = cents(total * elsewhere[pk] / line.quantity) if elsewhere[pk] else ZERO
            sums.append(part_of(total, quantity, line.quantity, left=total - said - other, is_rest=is_rest))
        # A discount is never more than the price it is taken from.
        parts.append(LinePart(line, quantity, sums[0], min(sums[1], sums[0])))
    is_last = all(here[pk] + elsewhere[pk] + told.units[pk] >= line.quantity for pk, line in order_lines.items())
    share = _Share(order_lines.values(), parts, elsewhere, is_last)
    for name, total in (("freight", order.shipping_incl_tax), ("other", _charges(order))):
        amount = share.of(total, getattr(told, f"{name}_sum"))
        weights = [part.gross - part.discount for part in parts]
        for part, piece in zip(parts, split(amount, weights), strict=True):
            setattr(part, name, piece)
    return Amounts(parts, share.of(_credit(order), told.credit))


@dataclass
class _Told:
    """What standing notes say already."""

    units: Counter[int]
    gross: dict[int, Decimal]
    discount: dict[int, Decimal]
    freight_sum: Decimal
    other_sum: Decimal
    credit: Decimal


def _told(earlier: Sequence[NfeEmission]) -> _Told:
    found = _Told(Counter(), _Sums(), _Sums(), ZERO, ZERO, ZERO)
    for note in earlier:
        for row in note.content.get("lines", ()):
            found.units[row["line"]] += row["quantity"]
            found.gross[row["line"]] += Decimal(row["gross"])
            found.discount[row["line"]] += Decimal(row["discount"])
            found.freight_sum += Decimal(row["freight"])
            found.other_sum += Decimal(row["other"])
        for row in note.content.get("payments", ()):
            found.credit += Decimal(row["amount"]) if row.get("is_credit") else ZERO
    return found


class _Sums(dict[int, Decimal]):
    def __missing__(self, key: int) -> Decimal:
        return ZERO


class _Share:
    """The part of the order's goods, by value, that is on this note; of any sum of the order."""

    def __init__(self, order_lines: Iterable[Any], parts: Sequence[LinePart], elsewhere: Counter[int], is_last: bool):
        lines = list(order_lines)
        self.whole = sum((line.line_price_incl_tax for line in lines), ZERO)
        self.here = sum((part.gross - part.discount for part in parts), ZERO)
        self.elsewhere = sum(
            (line.line_price_incl_tax * elsewhere[line.pk] / line.quantity for line in lines if elsewhere[line.pk]),
            ZERO,
        )
        self.is_last = is_last

    def of(self, total: Decimal, said: Decimal) -> Decimal:
        if not total:
            return ZERO
        left = total - said - (cents(total * self.elsewhere / self.whole) if self.whole else ZERO)
        if self.is_last or not self.whole:
            return max(left, ZERO)
        return min(cents(total * self.here / self.whole), max(left, ZERO))


def _rest(order: Any) -> Decimal:
    """By how much the total is more than its lines and carriage."""
    lines = sum((line.line_price_incl_tax for line in order.lines.all()), ZERO)
    return order.total_incl_tax - lines - order.shipping_incl_tax


def _charges(order: Any) -> Decimal:
    """Surcharges, and whatever else makes the order dearer than its goods and their carriage."""
    surcharges = sum((s.incl_tax for s in order.surcharges.all() if s.incl_tax > 0), ZERO)
    return max(surcharges, _rest(order), ZERO)


def _credit(order: Any) -> Decimal:
    """By how much less is asked for than everything costs: gift cards, and what else a shop takes off the total."""
    return max(_charges(order) - _rest(order), ZERO)
