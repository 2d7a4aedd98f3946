"""Stock as another system counts it: set under lock, never below what orders have reserved without its saying so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.models import OutsideChange

from . import stock

#: The largest number that Oscar's column takes.
MOST = 2**31 - 1


@dataclass(frozen=True)
class Count:
    """How many are there. ``even_if_short``: also where more are reserved."""

    sku: str
    number: int
    partner: str = ""
    even_if_short: bool = False


class CountsRefused(FulfillmentError):
    """Nothing was set. ``errors`` by position: (code, message); the codes are unknown, ambiguous, twice, short,
    not_counted."""

    def __init__(self, errors: Mapping[int, tuple[str, str]]):
        self.errors = dict(errors)
        super().__init__("; ".join(message for _code, message in errors.values()))


def records(skus: Sequence[str], *, partner: int | None = None) -> dict[str, list[Any]]:
    """The stock records of these articles, by SKU; ``partner`` (its id) leaves out those of others. 1 query."""
    rows = get_model("partner", "StockRecord")._default_manager.filter(partner_sku__in=set(skus))
    if partner is not None:
        rows = rows.filter(partner=partner)
    related = ("partner", "product__product_class", "product__parent__product_class")
    found: dict[str, list[Any]] = {}
    for row in rows.select_related(*related).order_by("pk"):
        found.setdefault(row.partner_sku, []).append(row)
    return found


def set_counts(*, system: str, counts: Sequence[Count], partner: int | None = None) -> list[Any]:
    """Set them all, or none: :class:`CountsRefused`. The records as they are then, in the order of ``counts``.

    What changed is written down as a word of that system.
    """
    chosen = _choose(counts, records([count.sku for count in counts], partner=partner))
    with transaction.atomic():
        locked = stock.lock_records(row.pk for row in chosen)
        errors: dict[int, tuple[str, str]] = {}
        values: dict[int, int] = {}
        for place, (count, row) in enumerate(zip(counts, chosen, strict=True)):
            current = locked.get(row.pk)
            if current is None:
                errors[place] = ("unknown", _("There is no such article."))
            elif not stock.is_tracked(current):
                errors[place] = ("not_counted", _("The stock of this article is not counted."))
            elif count.number < (current.num_allocated or 0) and not count.even_if_short:
                text = _("Orders have reserved %(reserved)d of it, more than %(count)d.")
                errors[place] = ("short", text % {"reserved": current.num_allocated, "count": count.number})
            elif current.num_in_stock != count.number:
                values[row.pk] = count.number
        if errors:
            raise CountsRefused(errors)
        before = {pk: locked[pk].num_in_stock for pk in values}
        stock.set_in_stock(values)
        _write_down(system, locked, before, values)
    for pk, number in values.items():
        locked[pk].num_in_stock = number
    return [locked[row.pk] for row in chosen]


def _choose(counts: Sequence[Count], known: Mapping[str, list[Any]]) -> list[Any]:
    errors: dict[int, tuple[str, str]] = {}
    chosen: list[Any] = []
    seen: set[int] = set()
    for place, count in enumerate(counts):
        rows = [row for row in known.get(count.sku, ()) if count.partner in ("", row.partner.code)]
        if not rows:
            errors[place] = ("unknown", _("There is no such article."))
        elif len(rows) > 1:
            errors[place] = ("ambiguous", _("Several partners have this SKU: name one."))
        elif rows[0].pk in seen:
            errors[place] = ("twice", _("This article is named twice."))
        else:
            seen.add(rows[0].pk)
            chosen.append(rows[0])
    if errors:
        raise CountsRefused(errors)
    return chosen


def _write_down(system: str, locked: Mapping[int, Any], before: Mapping[int, Any], values: Mapping[int, int]) -> None:
    now = timezone.now()
    OutsideChange._default_manager.bulk_create(
        OutsideChange(
            connector=system, key=f"stock:{uuid4().hex}", reference=locked[pk].partner_sku[:128], seen_at=now,
            status=OutsideChange.APPLIED,
            facts={"stock": {"record": pk, "sku": locked[pk].partner_sku, "before": before[pk], "now": number}},
        )
        for pk, number in values.items()
    )  # fmt: skip
