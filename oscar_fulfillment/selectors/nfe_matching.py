"""Which order a fiscal note is for: its number in the note, else buyer and sum. Looked up for many notes at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oscar_fulfillment.fiscal.nfe_facts import Note
from oscar_fulfillment.fiscal.nfe_findings import Finding, find
from oscar_fulfillment.fiscal.text import compact
from oscar_fulfillment.models import OrderFulfillment

from .number_words import number_words

#: Why an order is proposed: the field for the buyer's order, our number in the note's texts, buyer and sum.
FIELD, TEXT, SUM = "field", "text", "sum"
#: Words of a note's texts that are looked up, and orders of a buyer with the same sum that are proposed.
MAX_WORDS, MAX_ALIKE = 120, 20
#: Orders that may still get a note; others are found by their number only.
_OPEN = ("received", "released", "partially_invoiced", "partially_dispatched")


@dataclass(frozen=True)
class Candidate:
    """An order that the note may be for."""

    order: OrderFulfillment
    why: str
    buyer_fits: bool
    sum_fits: bool


@dataclass(frozen=True)
class Match:
    """What was found, best first; ``order`` where there is no doubt, else ``finding`` says what a person decides."""

    candidates: list[Candidate]
    order: OrderFulfillment | None = None
    finding: Finding | None = None
    #: The note names the order; it was not only guessed by buyer and sum.
    is_named: bool = False


def match_notes(notes: Mapping[int, Note], *, tolerance: Decimal) -> dict[int, Match]:
    """For each of these notes (by any id) its orders. Two statements for any number of them."""
    if not notes:
        return {}
    fields = {pk: _field_numbers(note) for pk, note in notes.items()}
    words = {pk: number_words(note.texts, most=MAX_WORDS) for pk, note in notes.items()}
    by_number = _by_number([*fields.values(), *words.values()])
    # What a note names needs no guess.
    unnamed = [note for pk, note in notes.items() if not any(word in by_number for word in fields[pk])]
    by_buyer = _by_buyer(unnamed, tolerance)
    return {pk: _match(note, fields[pk], words[pk], by_number, by_buyer, tolerance) for pk, note in notes.items()}


def _field_numbers(note: Note) -> list[str]:
    """``xPed`` as it is, and the numbers in it: some write "Pedido 100123"."""
    found = [text.strip().removeprefix("#").strip() for text in note.order_numbers]
    return list(dict.fromkeys([*found, *number_words(found, most=MAX_WORDS)]))


def _rows() -> Any:
    return OrderFulfillment._default_manager.select_related("order")


def _by_number(words: Iterable[Iterable[str]]) -> dict[str, OrderFulfillment]:
    wanted = {word for listed in words for word in listed if word}
    return {row.number: row for row in _rows().filter(number__in=sorted(wanted))} if wanted else {}


class _ByBuyer:
    """Open orders of some buyers, each buyer's by their sums."""

    def __init__(self, rows: Iterable[OrderFulfillment]):
        self._rows: dict[str, list[OrderFulfillment]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: row.order.total_incl_tax):
            self._rows[compact(row.tax_id)].append(row)
        self._sums = {key: [row.order.total_incl_tax for row in rows] for key, rows in self._rows.items()}

    def of(self, note: Note, tolerance: Decimal) -> list[OrderFulfillment]:
        """The orders of the note's buyer over its sum, at most :data:`MAX_ALIKE`."""
        key = compact(note.recipient)
        sums = self._sums.get(key, [])
        first, last = bisect_left(sums, note.total - tolerance), bisect_right(sums, note.total + tolerance)
        return self._rows[key][first : min(last, first + MAX_ALIKE)] if sums else []


def _by_buyer(notes: Iterable[Note], tolerance: Decimal) -> _ByBuyer:
    asked = [note for note in notes if note.recipient]
    if not asked:
        return _ByBuyer(())
    sums = [note.total for note in asked]
    rows = _rows().filter(
        tax_id__in=sorted({compact(note.recipient) for note in asked}), shipping_status__in=_OPEN,
        order__total_incl_tax__range=(min(sums) - tolerance, max(sums) + tolerance),
    )  # fmt: skip
    return _ByBuyer(rows)


def _match(
    note: Note, fields: list[str], words: list[str], by_number: Mapping[str, OrderFulfillment], by_buyer: _ByBuyer,
    tolerance: Decimal,
) -> Match:  # fmt: skip
    ways: dict[int, tuple[str, OrderFulfillment]] = {}
    for why, listed in ((FIELD, fields), (TEXT, words)):
        for word in listed:
            if row := by_number.get(word):
                ways.setdefault(row.pk, (why, row))
    for row in by_buyer.of(note, tolerance):
        ways.setdefault(row.pk, (SUM, row))
    found = [Candidate(row, why, _buyer_fits(note, row), _sum_fits(note, row, tolerance)) for why, row in ways.values()]
    rank = {FIELD: 0, TEXT: 1, SUM: 2}
    found.sort(key=lambda one: (rank[one.why], not one.buyer_fits, not one.sum_fits, one.order.placed_at))
    return _decide(found)


def _decide(found: list[Candidate]) -> Match:
    """The one order there is no doubt about. A word in a text is some order's number by chance, unless the buyer fits,
    or the sum and no other order is the buyer's of that sum; what the field for it names is meant."""
    by_sum = [one for one in found if one.why == SUM]
    for why, certain in (
        (FIELD, [one for one in found if one.why == FIELD]),
        (TEXT, [one for one in found if one.why == TEXT and (one.buyer_fits or (one.sum_fits and not by_sum))]),
        (SUM, by_sum),
    ):
        if len(certain) > 1 and why != FIELD:
            both = [one for one in certain if one.buyer_fits and one.sum_fits]
            certain = both or certain
        if len(certain) > 1:
            numbers = ", ".join(one.order.number for one in certain[:6])
            return Match(found, finding=find("several_orders", numbers=numbers))
        if certain:
            return Match(found, order=certain[0].order, is_named=why != SUM)
    return Match(found, finding=find("no_order"))


def _buyer_fits(note: Note, row: OrderFulfillment) -> bool:
    return bool(row.tax_id) and compact(note.recipient) == compact(row.tax_id)


def _sum_fits(note: Note, row: OrderFulfillment, tolerance: Decimal) -> bool:
    return abs(row.order.total_incl_tax - note.total) <= tolerance
