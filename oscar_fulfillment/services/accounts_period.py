"""The period of an export: days in the shop's time zone, checked before anything is read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.selectors.journal import KINDS, Scope

#: The longest period of one export.
MOST_YEARS = 5
_FIRST, _LAST = date(1970, 1, 2), date(9998, 12, 31)


def last_month() -> tuple[date, date]:
    """The first and the last day of the month before this one."""
    today = timezone.localdate(timezone=timezone.get_default_timezone()) if django_settings.USE_TZ else date.today()
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def make_scope(*, first: date, last: date, kinds: Iterable[str] = (), currency: str = "", flow: str = "") -> Scope:
    """The days ``first`` to ``last``, both included. :class:`InvalidInput` with every problem at once."""
    errors: dict[str, list[Any]] = {}
    if not (_FIRST <= first <= _LAST and _FIRST <= last <= _LAST):
        errors["last"] = [_("These days are not in any calendar of a shop.")]
    elif last < first:
        errors["last"] = [_("The period ends before it begins.")]
    elif last >= _years_later(first):
        message = ngettext(
            "The period is longer than %(years)d year: export it in parts.",
            "The period is longer than %(years)d years: export it in parts.",
            MOST_YEARS,
        )
        errors["last"] = [message % {"years": MOST_YEARS}]
    wanted = frozenset(kinds) or frozenset(KINDS)
    if unknown := wanted - frozenset(KINDS):
        errors["kinds"] = [_("There is no kind “%(kind)s”.") % {"kind": min(unknown)}]
    currency = currency.strip().upper()
    if currency and not OrderFulfillment._default_manager.filter(currency=currency).exists():
        errors["currency"] = [_("No order is in the currency “%(currency)s”.") % {"currency": currency}]
    if flow and flow not in flows():
        errors["flow"] = [_("There is no flow “%(flow)s”.") % {"flow": flow}]
    if errors:
        raise InvalidInput(errors)
    return Scope(_midnight(first), _midnight(last + timedelta(days=1)), wanted, currency, flow)


def _years_later(day: date) -> date:
    try:
        return day.replace(year=day.year + MOST_YEARS)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + MOST_YEARS, month=3, day=1)


def _midnight(day: date) -> datetime:
    moment = datetime.combine(day, time.min)
    return timezone.make_aware(moment, timezone.get_default_timezone()) if django_settings.USE_TZ else moment
