"""What an edit's history row says: what was, what is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def edit_facts(data: Mapping[str, Any], money: Callable[[Any, str], str]) -> list[tuple[str, str]]:
    """(name, value) of what an edit changed: each line, the shipping, the discount, the total; before and after."""
    before, after = _part(data, "before"), _part(data, "after")
    code = str(data.get("currency") or "")
    found = []
    for change in data.get("changes") or ():
        if isinstance(change, Mapping):
            found.append((str(change.get("title", "")), _quantities(change)))
    if (was := _shipping(before, code, money)) != (now := _shipping(after, code, money)):
        found.append((_("Shipping"), _arrow(was, now)))
    if before.get("discount") != after.get("discount"):
        found.append(
            (_("Discount"), _arrow(money(before.get("discount", 0), code), money(after.get("discount", 0), code)))
        )
    if before.get("total") is not None and after.get("total") is not None:
        found.append((_("Total"), _arrow(money(before["total"], code), money(after["total"], code))))
        found.append((_("Before"), _goods(before)))
        found.append((_("Now"), _goods(after)))
    return found


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def _arrow(was: str, now: str) -> str:
    return f"{was} → {now}"


def _quantities(change: Mapping[str, Any]) -> str:
    was, now = change.get("from"), change.get("to")
    if not was:
        return _("added: %(quantity)s") % {"quantity": now}
    if not now:
        return _("taken away: %(quantity)s") % {"quantity": was}
    return _arrow(str(was), str(now))


def _shipping(part: Mapping[str, Any], code: str, money: Callable[[Any, str], str]) -> str:
    shipping = part.get("shipping")
    if not isinstance(shipping, list) or len(shipping) != 2:
        return ""
    name, charge = shipping
    return f"{name or pgettext('shipping of an order', 'Shipping')} {money(charge, code)}"


def _goods(part: Mapping[str, Any]) -> str:
    rows = part.get("lines") or ()
    return ", ".join(f"{row[2]} × {row[0]}" for row in rows if isinstance(row, list) and len(row) == 3)
