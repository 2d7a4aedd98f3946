"""Rows of the list as plain text, so that the template only prints them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from oscar.templatetags.currency_filters import currency

from oscar_fulfillment.conf import settings
from oscar_fulfillment.flows import get_flow
from oscar_fulfillment.selectors.orders import PROBLEMS


def present_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words, colours, money and times of each row, in the reader's language."""
    badges: dict[tuple[str, str, str], tuple[str, str]] = {}

    def badge(flow_name: str, machine: str, state: str) -> tuple[str, str]:
        key = (flow_name, machine, state)
        if key not in badges:
            flow = get_flow(flow_name)
            badges[key] = (str(flow.machines[machine].label(state)), flow.tone(machine, state))
        return badges[key]

    found = []
    for row in rows:
        payment, payment_tone = badge(row["flow"], "payment", row["payment_status"])
        shipping, shipping_tone = badge(row["flow"], "shipping", row["shipping_status"])
        placed = timezone.localtime(row["placed_at"]) if django_settings.USE_TZ else row["placed_at"]
        found.append(
            {
                "id": row["order_id"],
                "number": row["number"],
                "url": reverse("dashboard:order-detail", kwargs={"number": row["number"]}),
                "customer": row["customer_name"] or row["email"],
                "email": row["email"] if row["customer_name"] else "",
                "placed": formats.date_format(placed, "SHORT_DATETIME_FORMAT"),
                "placed_iso": placed.isoformat(timespec="minutes"),
                "total": currency(row["order__total_incl_tax"], row["order__currency"]),
                "method": row["payment_method__name"] or "",
                "payment": payment,
                "payment_tone": payment_tone,
                "shipping": shipping,
                "shipping_tone": shipping_tone,
                "marks": _marks(row),
            }
        )
    return found


def _marks(row: dict[str, Any]) -> list[tuple[str, str]]:
    """(text, colour) of what is out of the ordinary."""
    marks = []
    if row["hold_count"]:
        marks.append((_("On hold"), "warning"))
    if row["has_backorder"]:
        marks.append((_("Waits for goods"), "warning"))
    if row["problem"]:
        marks.append((str(PROBLEMS.get(row["problem"], _("Problem"))), "danger"))
    return marks


def count_text(count: int, cap: int | None = -1) -> str:
    """``1,000+`` above the cap (None: never), grouped as the reader's language does."""
    cap = settings.CAPPED_COUNT if cap == -1 else cap
    text = formats.number_format(count if cap is None else min(count, cap), force_grouping=True)
    return f"{text}+" if cap is not None and count > cap else text
