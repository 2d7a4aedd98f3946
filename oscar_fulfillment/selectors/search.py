"""One search box: what was typed is compared with everything it may be, each by its own index."""

from __future__ import annotations

import re

from django.db.models import Q
from oscar.core.loading import get_model

from oscar_fulfillment.core.text import fold
from oscar_fulfillment.models import Invoice, Shipment

#: Longest text that is searched for.
MAX_QUERY = 200
ACCESS_KEY_LENGTH = 44

_PUNCTUATION = re.compile(r"[\s.\-/]+")


def exact_numbers(text: str) -> set[str]:
    """What the text is called if it is an order number, however it was typed."""
    text = text.strip().removeprefix("#").strip()
    return {text, text.upper()} if text else set()


def search(text: str) -> list[Q]:
    """Alternatives, any of which makes an order a hit: its number's beginning, customer, mail, tracking code, access
    key (in groups too), tax id (with or without its punctuation), SKU. Nothing typed: no condition.
    """
    text = text.strip().removeprefix("#").strip()
    if not text:
        return [Q()]
    compact = _PUNCTUATION.sub("", text).upper()
    if len(compact) == ACCESS_KEY_LENGTH and compact.isalnum():
        return [Q(pk__in=Invoice._default_manager.filter(access_key=compact).values("fulfillment_id"))]
    found = [Q(number__startswith=number) for number in sorted(exact_numbers(text))]
    if "@" in text:
        return [*found, Q(email__startswith=text.casefold())]
    has_digit = any(c.isdigit() for c in compact)
    if has_digit and len(compact) >= 5:
        found.append(Q(tax_id__startswith=compact))
        code = "".join(text.split()).upper()
        found.append(
            Q(pk__in=Shipment._default_manager.filter(tracking_code__startswith=code).values("fulfillment_id"))
        )
    return [*found, sku(text), *name(text)]


def sku(text: str) -> Q:
    """Orders with a line of this stock-keeping unit; by the stock record, since Oscar has no index on the line's."""
    StockRecord, Line = get_model("partner", "StockRecord"), get_model("order", "Line")
    records = StockRecord._default_manager.filter(partner_sku__in=sorted({text, text.upper(), text.lower()}))
    return Q(pk__in=Line._default_manager.filter(stockrecord__in=records.values("pk")).values("order_id"))


def name(text: str) -> list[Q]:
    """First name, last name, or both in either order, by their beginnings, without case and accents."""
    words = fold(text.replace(",", " "))
    if not any(c.isalpha() for c in words):
        return []
    found = [Q(search_name__startswith=words), Q(search_surname__startswith=words)]
    if " " in words:
        first, _space, rest = words.partition(" ")
        last = rest.rpartition(" ")[2]
        # "ana sou" also finds Ana Maria Souza.
        found.append(Q(search_surname__startswith=last, search_name__startswith=f"{first} "))
    return found
