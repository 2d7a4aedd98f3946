"""What the page "Edit the order" sends: units per line, shipping, and what the person has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.formats import sanitize_separators
from django.utils.translation import gettext as _

from oscar_fulfillment.core.transitions import new_key
from oscar_fulfillment.services.edit_wanted import Shipping, Wanted, most_units

#: Values of the field "shipping" that are no method of the shop's; those are "method:<code>".
AS_AGREED, BY_HAND, METHOD = "", "charge", "method:"


@dataclass
class Typed:
    """The form as it came. ``values`` are the raw words by field; ``wanted`` what could be read of them."""

    values: Mapping[str, str]
    wanted: Wanted = field(default_factory=Wanted)
    errors: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def version(self) -> int:
        return whole(self.values.get("version", "")) or 0

    @property
    def key(self) -> str:
        key = self.values.get("key", "")
        return key if 8 <= len(key) <= 100 and key.replace("-", "").isalnum() else new_key()

    @property
    def seen_total(self) -> Decimal | None:
        """The new total that the person has looked at."""
        return money(self.values.get("seen", ""))

    @property
    def reason(self) -> str:
        return self.values.get("reason", "")

    @property
    def notifies(self) -> bool:
        return self.values.get("notify") != "no"


def whole(text: str) -> int | None:
    """A whole number as people type it; None for anything else."""
    text = text.strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and len(digits) <= 12 else None


def money(text: str) -> Decimal | None:
    """A sum as people type it, in the reader's or the plain notation; None for anything else.

    Three digits after the mark are refused: some write thousands so.
    """
    text = text.strip()
    if not text or len(text) > 20:
        return None
    for candidate in (text, str(sanitize_separators(text))):
        try:
            found = Decimal(candidate)
        except InvalidOperation:
            continue
        if not found.is_finite() or abs(found) >= 10**12 or found != (rounded := found.quantize(Decimal("0.01"))):
            return None
        return rounded
    return None


def read_typed(data: Mapping[str, str]) -> Typed:
    """Read the form. A line counts as changed when it differs from what the page had shown, not from what the order is
    by now: so a page that has grown old changes only what its reader has changed."""
    typed = Typed(dict(data.items()))
    was = dict(pair.partition(":")[::2] for pair in typed.values.get("was", "").split())
    quantities: dict[int, int] = {}
    added: dict[int, int] = {}
    for name, text in typed.values.items():
        kind, dash, pk = name.partition("-")
        if kind not in ("line", "new") or not dash or not pk.isdecimal() or len(pk) > 12:
            continue
        units = whole(text)
        if units is None or not 0 <= units <= most_units():
            typed.errors[name] = [_("Enter a number between 0 and %(most)d.") % {"most": most_units()}]
        elif kind == "new":
            added[int(pk)] = units
        elif str(units) != was.get(pk):
            quantities[int(pk)] = units
    typed.wanted = Wanted(quantities, added, _shipping(typed))
    return typed


def _shipping(typed: Typed) -> Shipping:
    chosen = typed.values.get("shipping", AS_AGREED)
    if chosen.startswith(METHOD):
        return Shipping(method=chosen.removeprefix(METHOD)[:128])
    if chosen != BY_HAND:
        return Shipping()
    charge = money(typed.values.get("charge", ""))
    if charge is None or charge < 0:
        typed.errors["charge"] = [_("Enter a sum of zero or more.")]
        return Shipping()
    return Shipping(charge=charge)


def with_added(wanted: Wanted, record: int, units: int = 1) -> Wanted:
    """The draft with some more of a product."""
    return Wanted(wanted.quantities, {**wanted.added, record: wanted.added.get(record, 0) + units}, wanted.shipping)


def without(wanted: Wanted, key: str) -> Wanted:
    """The draft with a line ("line-7" of the order, "new-3" of its own) taken away."""
    kind, _dash, pk = key.partition("-")
    if not pk.isdecimal() or len(pk) > 12:
        return wanted
    if kind == "new":
        rest = {record: units for record, units in wanted.added.items() if record != int(pk)}
        return Wanted(wanted.quantities, rest, wanted.shipping)
    return Wanted({**wanted.quantities, int(pk): 0}, wanted.added, wanted.shipping)
