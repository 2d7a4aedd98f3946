"""Stock by SKU: how many are there, and how many of them orders have reserved."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.services.stock_counts import Count, CountsRefused, records, set_counts

from .calls import Call
from .problems import Problem, not_found


def get_stock(call: Call) -> dict[str, Any]:
    """One article."""
    sku, partner = _sku(call), call.query.get("partner", "")
    rows = [row for row in _records(call, sku) if partner in ("", row.partner.code)]
    if not rows:
        raise not_found()
    if len(rows) > 1:
        raise Problem(409, "conflict", _("Several partners have this SKU: name one."))
    return _shown(rows[0])


def put_stock(call: Call) -> dict[str, Any]:
    """Set one article."""
    try:
        (row,) = _set(call, [_count(_sku(call), call.body)])
    except CountsRefused as error:
        code, message = error.errors[0]
        raise not_found() if code == "unknown" else Problem(409, "conflict", message) from error
    return _shown(row)


def post_stock(call: Call) -> dict[str, Any]:
    """Set many: all of them, or none."""
    try:
        rows = _set(call, [_count(each["sku"], each) for each in call.body["items"]])
    except CountsRefused as error:
        listed = [
            {"pointer": f"#/items/{place}", "code": code, "detail": message}
            for place, (code, message) in sorted(error.errors.items())
        ]
        raise Problem(409, "conflict", _("Nothing was set."), errors=listed) from error
    return {"items": [_shown(row) for row in rows]}


def _sku(call: Call) -> str:
    sku = call.path["sku"]
    if not 0 < len(sku) <= 128 or not sku.isprintable():
        raise not_found()
    return sku


def _records(call: Call, sku: str) -> list[Any]:
    return records([sku], partner=call.key.partner_id).get(sku, [])


def _count(sku: str, given: Any) -> Count:
    return Count(
        sku,
        int(given["num_in_stock"]),
        partner=given.get("partner", ""),
        even_if_short=given.get("even_if_short", False),
    )


def _set(call: Call, counts: list[Count]) -> list[Any]:
    return set_counts(system=call.key.system, counts=counts, partner=call.key.partner_id)


def _shown(row: Any) -> dict[str, Any]:
    there, reserved = row.num_in_stock, row.num_allocated or 0
    return {
        "sku": row.partner_sku,
        "partner": row.partner.code,
        "num_in_stock": there,
        "num_allocated": reserved,
        "available": max((there or 0) - reserved, 0),
        "short_by": max(reserved - (there or 0), 0),
    }
