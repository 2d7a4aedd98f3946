"""Rows of the list as plain text, so that the template only prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.flows import get_flow
from oscar_fulfillment.selectors.clocks import Clock
from oscar_fulfillment.selectors.orders import PROBLEMS

from .list_formats import moments, money
from .money_words import left

_ANY_NUMBER = "0any-number0"
_SAFE = "!$&'()*+,;=/~:@"


def present_rows(
    rows: Iterable[dict[str, Any]], methods: Mapping[int, str], clocks: Mapping[int, Clock] | None = None
) -> list[dict[str, Any]]:
    """Words, colours, money and times of each row, in the reader's language; ``methods`` are names by id,
    ``clocks`` the moments that come by themselves, by order."""
    found, clocks, now = [], clocks or {}, timezone.now()
    # One look at the URL patterns for all rows; the number is quoted as ``reverse`` does.
    address = reverse("dashboard:order-detail", kwargs={"number": _ANY_NUMBER})
    zone = timezone.get_current_timezone() if django_settings.USE_TZ else None
    moment, language = moments(), get_language()
    for row in rows:
        number = row["number"]
        placed = row["placed_at"].astimezone(zone) if zone else row["placed_at"]
        found.append(
            {
                "id": row["order_id"],
                "number": number,
                "url": address.replace(_ANY_NUMBER, quote(number, safe=_SAFE)),
                "customer": row["customer_name"] or row["email"],
                "email": row["email"] if row["customer_name"] else "",
                "placed": moment(placed),
                "placed_iso": placed.isoformat(timespec="minutes"),
                "total": money(row["order__total_incl_tax"], row["order__currency"], language),
                "method": methods.get(row["payment_method_id"], ""),
                "payment": _status(language, row["flow"], "payment", row["payment_status"]),
                "clock": _clock(clocks[row["order_id"]], row, moment, zone, now) if row["order_id"] in clocks else "",
                "shipping": _status(language, row["flow"], "shipping", row["shipping_status"]),
                "marks": _marks(row),
            }
        )
    return found


def rows_html(rows: Iterable[dict[str, Any]]) -> SafeString:
    """The ``<tr>`` of each row of :func:`present_rows`. Fifty rows by the template engine take longer than everything
    else of the page together.
    """
    choose = escape(_("Choose order"))
    return mark_safe("".join([_row_html(row, choose) for row in rows]))  # noqa: S308 - every text is escaped, see there


def _row_html(row: dict[str, Any], choose: str) -> str:
    number, url, placed, customer, email, method, total = _escaped([row[key] for key in _TEXTS])
    check = f'<input type="checkbox" name="selected_order" class="selected_order" value="{row["id"]}"'
    return (
        f'<tr>\n<td class="ff-table__check">{check} aria-label="{choose} {number}"></td>\n'
        f'<th scope="row"><a href="{url}">{number}</a></th>\n'
        f'<td><time datetime="{row["placed_iso"]}">{placed}</time></td>\n'
        f"<td>{customer}{_small(email)}</td>\n"
        f"<td>{row['payment']}{row['clock']}{_small(method)}</td>\n"
        f"<td>{row['shipping']}{''.join([f' {mark}' for mark in row['marks']])}</td>\n"
        f'<td class="ff-num">{total}</td>\n</tr>\n'
    )


_TEXTS = ("number", "url", "placed", "customer", "email", "method", "total")


def _escaped(texts: list[str]) -> list[str]:
    """All of them at once: most of the time that escaping takes is the call."""
    found = escape("\x1f".join(texts)).split("\x1f")
    return found if len(found) == len(texts) else [escape(text) for text in texts]


def _small(escaped: str) -> str:
    return f"<small>{escaped}</small>" if escaped else ""


def _clock(
    clock: Clock, row: dict[str, Any], moment: Callable[[datetime], str], zone: Any, now: datetime
) -> SafeString:
    """How long money is held, or how long an unpaid order still waits; in red when somebody should look."""
    seconds = (clock.until - now).total_seconds()
    at = clock.until.astimezone(zone) if zone else clock.until
    is_held = row["payment_status"] == "authorized"
    words = _("held until %(when)s") if is_held else _("cancelled by itself on %(when)s")
    css = " ff-clock--soon" if seconds < clock.warning.total_seconds() else ""
    return format_html(
        ' <span class="ff-clock{}" title="{}"><i class="far fa-clock" aria-hidden="true"></i> '
        '<time datetime="{}">{}</time><span class="sr-only">, {}</span></span>',
        css, words % {"when": moment(at)}, at.isoformat(timespec="minutes"),
        left(clock.until, now), words % {"when": moment(at)},
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _status(language: str | None, flow_name: str, machine: str, state: str) -> SafeString:
    """A status in the active language, with the name of its column for screens where a row is a card."""
    flow = get_flow(flow_name)
    column = _("Payment") if machine == "payment" else _("Shipping")
    badge = _badge(flow.machines[machine].label(state), flow.tone(machine, state))
    return format_html('<span class="ff-label">{}</span>{}', column, badge)


def _badge(text: Any, tone: str, more: str = "") -> SafeString:
    return format_html('<span class="ff-badge {}ff-tone-{}">{}</span>', more, tone, text)


def _marks(row: dict[str, Any]) -> list[SafeString]:
    """Badges of what is out of the ordinary."""
    marks = []
    if row["hold_count"]:
        marks.append(_badge(_("On hold"), "warning", "ff-mark "))
    if row["has_backorder"]:
        marks.append(_badge(_("Waits for goods"), "warning", "ff-mark "))
    if row["problem"]:
        marks.append(_badge(PROBLEMS.get(row["problem"], _("Problem")), "danger", "ff-mark "))
    return marks


def count_text(count: int, cap: int | None = -1) -> str:
    """``1,000+`` above the cap (None: never), grouped as the reader's language does."""
    cap = settings.CAPPED_COUNT if cap == -1 else cap
    shown = count if cap is None else min(count, cap)
    # Below a thousand there is nothing to group.
    text = str(shown) if 0 <= shown < 1000 else formats.number_format(shown, force_grouping=True)
    return f"{text}+" if cap is not None and count > cap else text


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "OSCAR_FULFILLMENT":
        _status.cache_clear()


setting_changed.connect(_forget)
