"""Which shipments of an order a note covers, by its sum and its goods. Pure arithmetic.

A merchant's ERP issues one note for the order, one for each shipment, or one for some of the goods. What the note is
over says which; its goods, where their codes are ours, decide between equals and split a shipment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations

from .nfe_facts import Item, Note
from .nfe_findings import Finding, find

CENT = Decimal("0.01")
#: With more open shipments than this, only single ones and all together are tried, not every combination.
MAX_COMBINED = 8


@dataclass(frozen=True)
class OwedLine:
    """A line of the order: what it is called by us and by bar code, its units and what they cost after discounts."""

    pk: int
    title: str
    codes: frozenset[str]
    quantity: int
    amount: Decimal

    def worth(self, units: int) -> Decimal:
        """Of so many of its units, in whole cents."""
        if not self.quantity:
            return Decimal(0)
        return (self.amount * units / self.quantity).quantize(CENT)


@dataclass(frozen=True)
class OwedShipment:
    """A released shipment without a note: its units per line."""

    pk: int
    number: int
    units: Mapping[int, int]


@dataclass(frozen=True)
class Owed:
    """What an order still lacks notes for.

    ``is_all``: with these shipments nothing of the order is left to be released. ``invoiced``: what its valid notes,
    as far as their files are here, are over; ``has_notes``: it has a valid document at all.
    """

    total: Decimal
    lines: Mapping[int, OwedLine]
    shipments: Sequence[OwedShipment] = ()
    invoiced: Decimal = Decimal(0)
    has_notes: bool = False
    is_all: bool = True

    @property
    def rest(self) -> Decimal:
        """What the order costs and no note is over."""
        return self.total - self.invoiced

    @property
    def extras(self) -> Decimal:
        """Freight and fees: they are on one of the notes."""
        return self.total - sum((line.amount for line in self.lines.values()), Decimal(0))

    def worth(self, units: Mapping[int, int]) -> Decimal:
        return sum((self.lines[pk].worth(number) for pk, number in units.items()), Decimal(0))


@dataclass(frozen=True)
class Cover:
    """What a note covers: whole shipments by their ids, and (``units`` per line) where it is less than these."""

    shipments: tuple[int, ...]
    units: Mapping[int, int] | None = None
    findings: tuple[Finding, ...] = field(default=())


def find_cover(note: Note, owed: Owed, tolerance: Decimal) -> Cover:
    """What the note covers. Where its sum is nobody's, all that is open, with the finding ``total``."""
    goods = count_goods(note.items, owed.lines.values())
    every = tuple(one.pk for one in owed.shipments)
    if _is_all(note, owed, tolerance):
        return Cover(every, findings=tuple(_judge_whole(note, owed, goods, tolerance)))
    for chosen, alike in _fitting(note, owed, goods, tolerance):
        told = [] if alike == 1 else [find("same_sums", found=chosen[0].number)]
        if len(chosen) == len(owed.shipments):
            told += _judge_whole(note, owed, goods, tolerance)
        return Cover(tuple(one.pk for one in chosen), findings=tuple(told))
    if (split := _split(note, owed, goods, tolerance)) is not None:
        return split
    return Cover(every, findings=(find("total", found=note.total, expected=expected(owed)),))


def expected(owed: Owed) -> Decimal:
    """The sum that a note for all that is open should have."""
    if owed.is_all or not owed.shipments:
        return owed.rest
    return owed.worth(_together(owed.shipments)) + (owed.extras if not owed.has_notes else 0)


def count_goods(items: Sequence[Item], lines: Iterable[OwedLine]) -> dict[int, int] | None:
    """Units per line, where every item of the note is known by its code or bar code; None where one is not.

    Of several lines with the same code the first takes what it has, the next the rest.
    """
    by_code: dict[str, list[OwedLine]] = defaultdict(list)
    for line in lines:
        for code in line.codes:
            by_code[code].append(line)
    found: dict[int, int] = defaultdict(int)
    for item in items:
        candidates = by_code.get(item.code.casefold()) or by_code.get(item.ean or "-")
        if not candidates or item.quantity != int(item.quantity):
            return None
        left = int(item.quantity)
        for line in candidates:
            taken = min(left, line.quantity - found[line.pk])
            if taken > 0:
                found[line.pk] += taken
                left -= taken
        if left:
            found[candidates[-1].pk] += left
    return {pk: number for pk, number in found.items() if number} if items else None


def _near(one: Decimal, other: Decimal, tolerance: Decimal) -> bool:
    return abs(one - other) <= tolerance


def _is_all(note: Note, owed: Owed, tolerance: Decimal) -> bool:
    """The note is over the order, or over what the notes before it have left."""
    if not owed.has_notes:
        return _near(note.total, owed.total, tolerance)
    return owed.is_all and _near(note.total, owed.rest, tolerance)


def _judge_whole(note: Note, owed: Owed, goods: dict[int, int] | None, tolerance: Decimal) -> list[Finding]:
    """Of a note that covers all that is open: is it all of the order, do the goods agree, do the notes add up."""
    found = []
    if not owed.is_all:
        if owed.shipments and not owed.has_notes and _near(note.total, owed.total, tolerance):
            found.append(find("more_than_released"))
        return found
    wanted = _together(owed.shipments)
    if goods is not None and wanted and goods != wanted:
        found.append(find("items", found=_differences(goods, wanted, owed.lines)))
    together = owed.invoiced + note.total
    if owed.has_notes and owed.invoiced and not _near(together, owed.total, 2 * tolerance):
        found.append(find("sums", found=together, expected=owed.total))
    return found


def _differences(goods: Mapping[int, int], wanted: Mapping[int, int], lines: Mapping[int, OwedLine]) -> str:
    differing = [pk for pk in {**wanted, **goods} if goods.get(pk, 0) != wanted.get(pk, 0)]
    parts = [f"{lines[pk].title[:40]}: {goods.get(pk, 0)} / {wanted.get(pk, 0)}" for pk in differing]
    return ", ".join(parts[:4]) + (" ..." if len(parts) > 4 else "")


def _together(shipments: Sequence[OwedShipment]) -> dict[int, int]:
    units: dict[int, int] = defaultdict(int)
    for shipment in shipments:
        for pk, number in shipment.units.items():
            units[pk] += number
    return dict(units)


def _fitting(
    note: Note, owed: Owed, goods: dict[int, int] | None, tolerance: Decimal
) -> list[tuple[tuple[OwedShipment, ...], int]]:
    """The shipments that the note's sum is over, with or without freight, and how many others of the same sum there
    are. Its goods choose among them; else it is the first one."""
    count = len(owed.shipments)
    sizes = range(1, count + 1) if count <= MAX_COMBINED else (1, count)
    for size in sizes:
        fitting = []
        for chosen in combinations(owed.shipments, size):
            worth = owed.worth(_together(chosen))
            if _near(note.total, worth, tolerance) or _near(note.total, worth + owed.extras, tolerance):
                fitting.append(chosen)
        same = [chosen for chosen in fitting if goods is not None and _together(chosen) == goods]
        if same:
            return [(same[0], 1)]
        if fitting:
            return [(fitting[0], len(fitting))]
    return []


def _split(note: Note, owed: Owed, goods: dict[int, int] | None, tolerance: Decimal) -> Cover | None:
    """Goods that are a part of what is open, at their price: the shipment is split by them."""
    if not goods:
        return None
    open_units = _together(owed.shipments)
    if any(number > open_units.get(pk, 0) for pk, number in goods.items()):
        return None
    # A share of a discount that does not divide leaves up to a cent for each line.
    slack = tolerance + CENT * len(goods)
    worth = owed.worth(goods)
    if not _near(note.total, worth, slack) and not _near(note.total, worth + owed.extras, slack):
        return None
    return Cover(tuple(one.pk for one in owed.shipments), units=goods)
