"""One search box: what was typed is compared with everything it may be, each by its own index.

What is found outside the orders' own table (tracking codes, access keys, stock-keeping units) is looked up first, a few
rows each, so that the database plans the list with the very ids and not with a guess of how many there will be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import BigIntegerField, CharField, F, Q, QuerySet, Value
from django.db.models.functions import Cast
from oscar.core.loading import get_model

from oscar_fulfillment.core.text import fold
from oscar_fulfillment.models import Invoice, OrderFulfillment, Parcel

#: Longest text that is searched for.
MAX_QUERY = 200
ACCESS_KEY_LENGTH = 44
#: The beginning of a tracking code finds at most so many parcels: type more of it.
MAX_HITS = 200
#: With more people of a first and a last name than this, they are found by walking along the list.
MAX_PEOPLE = 500

_PUNCTUATION = re.compile(r"[\s.\-/]+")


@dataclass
class Hits:
    """What was found outside the orders' own table, by the text that was typed."""

    orders: dict[str, set[int]] = field(default_factory=dict)
    #: Stock records by what they are called.
    records: dict[str, set[int]] = field(default_factory=dict)
    #: Orders of people with the first and the last of these names.
    people: dict[str, set[int]] = field(default_factory=dict)
    #: Numbers of orders that are called exactly so.
    exact: list[str] = field(default_factory=list)

    def add(self, tag: str, pk: int, text: str, found: str) -> None:
        """Take in a row of :func:`lookups`."""
        if tag == "exact":
            self.exact.append(found)
        else:
            where = {"order": self.orders, "person": self.people}.get(tag, self.records)
            where.setdefault(text, set()).add(pk)


def _typed(text: str) -> str:
    return text.strip().removeprefix("#").strip()


def _compact(text: str) -> str:
    return _PUNCTUATION.sub("", text).upper()


def _is_access_key(compact: str) -> bool:
    return len(compact) == ACCESS_KEY_LENGTH and compact.isalnum()


def _is_code(compact: str) -> bool:
    return len(compact) >= 5 and any(c.isdigit() for c in compact)


def exact_numbers(text: str) -> set[str]:
    """What the text is called if it is an order number, however it was typed."""
    text = _typed(text)
    return {text, text.upper()} if text else set()


def exact(typed: str, base: QuerySet[OrderFulfillment]) -> QuerySet[Any]:
    """Orders in ``base`` of exactly this number, as :func:`lookups` has them."""
    numbers = exact_numbers(typed) if len(typed) <= MAX_QUERY and "\0" not in typed else set()
    string = CharField()
    return (
        base.filter(number__in=sorted(numbers))
        .order_by()
        .values_list(
            Value("exact", string), Cast("pk", BigIntegerField()), Value("", string), F("number"), Value("", string)
        )
    )


def lookups(texts: Iterable[str]) -> Iterator[QuerySet[Any]]:
    """Small queries of (tag, pk, typed text, found text, "") for :func:`scans.read_parts`."""
    string = CharField()
    StockRecord = get_model("partner", "StockRecord")
    for typed in texts:
        text = _typed(typed)
        if not text or len(text) > MAX_QUERY or "\0" in text:
            continue

        def columns(tag: str, pk: str, text: str = text) -> tuple[Any, ...]:
            none = Value("", string)
            return Value(tag, string), Cast(pk, BigIntegerField()), Value(text, string), none, none

        compact = _compact(text)
        if _is_access_key(compact):
            invoices = Invoice._default_manager.filter(access_key=compact).order_by()
            yield invoices.values_list(*columns("order", "fulfillment_id"))[:MAX_HITS]
            continue
        if _is_code(compact):
            code = "".join(text.split()).upper()
            # The empty code is left out as the index leaves it out.
            parcels = Parcel._default_manager.filter(tracking_code__startswith=code).exclude(tracking_code="")
            yield parcels.order_by().values_list(*columns("order", "shipment__fulfillment_id"))[:MAX_HITS]
        records = StockRecord._default_manager.filter(partner_sku__in=sorted({text, text.upper(), text.lower()}))
        yield records.order_by().values_list(*columns("sku", "pk"))[:MAX_HITS]
        if both := _both(_words(text)):
            people = OrderFulfillment._default_manager.filter(both).order_by()
            yield people.values_list(*columns("person", "pk"))[: MAX_PEOPLE + 1]


def search(typed: str, hits: Hits) -> list[Q]:
    """Alternatives, any of which makes an order a hit: its number's beginning, customer, mail, tracking code, access
    key (in groups too), tax id (with or without its punctuation), SKU. Nothing typed: no condition.
    """
    text = _typed(typed)
    if not text:
        return [Q()]
    compact = _compact(text)
    outside = [Q(pk__in=sorted(hits.orders[text]))] if text in hits.orders else []
    if _is_access_key(compact):
        return outside
    found = [*outside, *(Q(number__startswith=number) for number in sorted(exact_numbers(text)))]
    if "@" in text:
        return [*found, Q(email__startswith=text.casefold())]
    if _is_code(compact):
        found.append(Q(tax_id__startswith=compact))
    return [*found, *sku(text, hits), *name(text, hits)]


def sku(typed: str, hits: Hits) -> list[Q]:
    """Orders with a line of this stock-keeping unit; by the stock record, since Oscar has no index on the line's."""
    records = hits.records.get(_typed(typed))
    if not records:
        return []
    lines = get_model("order", "Line")._default_manager.filter(stockrecord__in=sorted(records))
    return [Q(pk__in=lines.values("order_id"))]


def name(typed: str, hits: Hits) -> list[Q]:
    """First name, last name, or both in either order, by their beginnings, without case and accents."""
    words = _words(typed)
    if not words:
        return []
    found = [Q(search_name__startswith=words), Q(search_surname__startswith=words)]
    if both := _both(words):
        # Few: the very orders. Many: their walk along the list soon has a page full.
        few = hits.people.get(_typed(typed), set())
        found.append(both if len(few) > MAX_PEOPLE else Q(pk__in=sorted(few)))
    return found


def _words(text: str) -> str:
    words = fold(text.replace(",", " "))
    return words if any(c.isalpha() for c in words) else ""


def _both(words: str) -> Q | None:
    """ "ana sou" also finds Ana Maria Souza. The database cannot tell how many there are of such a pair of conditions,
    and a walk along the list for nobody reads all of it: so they are looked up, each by its index, by :func:`lookups`.
    """
    first, _space, rest = words.partition(" ")
    return Q(search_surname__startswith=rest.rpartition(" ")[2], search_name__startswith=f"{first} ") if rest else None
