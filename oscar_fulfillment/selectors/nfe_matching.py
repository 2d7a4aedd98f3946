"""Which order a fiscal note is for: its number in the note, else buyer and sum. Looked up for many notes at once."""

from __future__ import annotations

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
#: Words of a note's texts that are looked up, and orders of one buyer.
MAX_WORDS, MAX_ORDERS = 120, 2000
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


def match_notes(notes: Mapping[int, Note], *, tolerance: Decimal) -> dict[int, Match]:
    """For each of these notes (by any id) its orders. Two statements for any number of them."""
    if not notes:
        return {}
    fields = {pk: _field_numbers(note) for pk, note in notes.items()}
    words = {pk: number_words(note.texts, most=MAX_WORDS) for pk, note in notes.items()}
    by_number = _by_number([*fields.values(), *words.values()])
    by_buyer = _by_buyer({compact(note.recipient) for note in notes.values() if note.recipient})
    return {
        pk: _match(note, fields[pk], words[pk], by_number, by_buyer.get(compact(note.recipient), ()), tolerance)
        for pk, note in notes.items()
    }


def _field_numbers(note: Note) -> list[str]:
    """``xPed`` as it is, and the numbers in it: some write "Pedido 100123"."""
    found = [text.strip().removeprefix("#").strip() for text in note.order_numbers]
    return list(dict.fromkeys([*found, *number_words(found, most=MAX_WORDS)]))


def _rows() -> Any:
    return OrderFulfillment._default_manager.select_related("order")


def _by_number(words: Iterable[Iterable[str]]) -> dict[str, OrderFulfillment]:
    wanted = {word for listed in words for word in listed if word}
    return {row.number: row for row in _rows().filter(number__in=sorted(wanted))} if wanted else {}


def _by_buyer(tax_ids: set[str]) -> dict[str, list[OrderFulfillment]]:
    found: dict[str, list[OrderFulfillment]] = defaultdict(list)
    if tax_ids:
        rows = _rows().filter(tax_id__in=sorted(tax_ids), shipping_status__in=_OPEN).order_by("-placed_at")
        for row in rows[:MAX_ORDERS]:
            found[compact(row.tax_id)].append(row)
    return found


def _match(
    note: Note, fields: list[str], words: list[str], by_number: Mapping[str, OrderFulfillment],
    of_buyer: Iterable[OrderFulfillment], tolerance: Decimal,
) -> Match:  # fmt: skip
    ways: dict[int, tuple[str, OrderFulfillment]] = {}
    for why, listed in ((FIELD, fields), (TEXT, words)):
        for word in listed:
            if row := by_number.get(word):
                ways.setdefault(row.pk, (why, row))
    for row in of_buyer:
        if _sum_fits(note, row, tolerance):
            ways.setdefault(row.pk, (SUM, row))
    found = [Candidate(row, why, _buyer_fits(note, row), _sum_fits(note, row, tolerance)) for why, row in ways.values()]
    rank = {FIELD: 0, TEXT: 1, SUM: 2}
    found.sort(key=lambda one: (rank[one.why], not one.buyer_fits, not one.sum_fits, one.order.placed_at))
    return _decide(found)


def _decide(found: list[Candidate]) -> Match:
    """The one order there is no doubt about. A word in a text is some order's number by chance, unless the buyer or the
    sum fits too; what the buyer's field names is meant."""
    for why, certain in (
        (FIELD, [one for one in found if one.why == FIELD]),
        (TEXT, [one for one in found if one.why == TEXT and (one.buyer_fits or one.sum_fits)]),
        (SUM, [one for one in found if one.why == SUM]),
    ):
        if len(certain) > 1 and why != FIELD:
            both = [one for one in certain if one.buyer_fits and one.sum_fits]
            certain = both or certain
        if len(certain) > 1:
            numbers = ", ".join(one.order.number for one in certain[:6])
            return Match(found, finding=find("several_orders", numbers=numbers))
        if certain:
            return Match(found, order=certain[0].order)
    return Match(found, finding=find("no_order"))


def _buyer_fits(note: Note, row: OrderFulfillment) -> bool:
    return bool(row.tax_id) and compact(note.recipient) == compact(row.tax_id)


def _sum_fits(note: Note, row: OrderFulfillment, tolerance: Decimal) -> bool:
    return abs(row.order.total_incl_tax - note.total) <= tolerance
