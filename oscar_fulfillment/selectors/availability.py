"""What the stock has for a line that is to be released: the one formula behind the release and the missing goods."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goods:
    """Units for one line. ``reserved``: allocated to it. ``free``: in stock beyond every order's allocations.
    ``missing``: asked, but not in the house."""

    reserved: int
    free: int
    missing: int


def find_goods(
    *, asked: int, allocated: int | None, in_stock: int | None, all_allocated: int | None, taken: int
) -> Goods:
    """What there is of ``asked`` units. ``allocated`` is the line's, ``in_stock`` and ``all_allocated`` are the stock
    record's, ``taken`` units of it were promised before this line.
    """
    in_stock = in_stock or 0
    reserved = max(min(asked, allocated or 0), 0)
    free = max(in_stock - (all_allocated or 0), 0)
    available = min(max(in_stock - taken, 0), reserved + free)
    return Goods(reserved, free, max(asked - available, 0))
