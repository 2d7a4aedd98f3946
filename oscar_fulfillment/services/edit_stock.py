"""The stock of an edit: what is no longer wanted is free at once, what is wanted more is allocated under lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_fulfillment.core.statemachine import Reason

from . import stock
from .edit_plan import Plan, PlanLine


def lacking(plan: Plan) -> dict[str, int]:
    """Units that the stock lacks, by the key of the plan's line. Reads only; :func:`move` asks again under lock."""
    changed = [line for line in plan.changed if line.is_tracked]
    pks = {line.record.pk for line in changed}
    if not pks:
        return {}
    rows = get_model("partner", "StockRecord")._default_manager.filter(pk__in=pks)
    free = {pk: (has or 0) - (promised or 0) for pk, has, promised in
            rows.values_list("pk", "num_in_stock", "num_allocated")}  # fmt: skip
    for line in changed:
        if line.quantity < line.was:
            free[line.record.pk] += min(line.was - line.quantity, line.line.num_allocated or 0)
    found = {}
    for line in changed:
        more = line.quantity - line.was
        if more > 0:
            if (short := more - max(free[line.record.pk], 0)) > 0:
                found[line.key] = min(short, more)
            free[line.record.pk] -= more
    return found


def short_reason(missing: list[tuple[str, int]]) -> Reason:
    """The refusal for goods that are not in the house: (title, units that lack)."""
    names = ", ".join(_("%(title)s (%(missing)d missing)") % {"title": title, "missing": n} for title, n in missing[:5])
    return Reason(
        "short", _("Not enough in stock: %(lines)s.") % {"lines": names}, _("Choose fewer, or count the stock")
    )


def move(order: Any, changes: Mapping[int, int]) -> Reason | None:
    """Free and allocate so many units more (or less, below zero) per order line pk, under lock; why not.

    New lines are there with nothing allocated yet, lines that go still with what they had.
    """
    locked = stock.lock_stock([order.pk])
    fewer = {pk: -units for pk, units in changes.items() if units < 0}
    more = {pk: units for pk, units in changes.items() if units > 0}
    stock.free(locked, fewer)
    for pk, units in fewer.items():
        line = locked.lines[pk]
        if locked.tracks(line):
            record = locked.records[line.stockrecord_id]
            record.num_allocated = max((record.num_allocated or 0) - min(units, line.num_allocated or 0), 0)
    if missing := stock.missing(locked, more):
        return short_reason([(line.title, units) for line, units in missing])
    stock.allocate(locked, more)
    _note_uncounted(locked, changes)
    return None


def _note_uncounted(locked: stock.LockedStock, changes: Mapping[int, int]) -> None:
    """Oscar writes "allocated" on lines whose stock is not counted, too."""
    Line = get_model("order", "Line")
    for pk in changes:
        line = locked.lines[pk]
        if not locked.tracks(line):
            Line._default_manager.filter(pk=pk).update(num_allocated=line.quantity)


def changes_of(lines: list[PlanLine], pks: Mapping[str, int]) -> dict[int, int]:
    """Units more (or less) per order line pk; ``pks`` names the order line of each key."""
    return {pks[line.key]: line.quantity - line.was for line in lines if line.quantity != line.was}
