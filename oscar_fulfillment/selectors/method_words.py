"""A payment method's policy in the words of the people who work with it."""

from __future__ import annotations

from collections.abc import Iterator

from babel import Locale, UnknownLocaleError
from django.utils.text import capfirst
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.models.payment import AT_DISPATCH, CUSTOMERS, GROUPS, TAKE

from .payment_methods import gateway_or_none


def policy(method: PaymentMethod) -> str:
    """What happens by itself, in one sentence: "Reserved 3 days, call on the last day, then cancelled."."""
    clauses = [*_money(method), *_goods(method), *_clock(method)]
    if not clauses:
        clauses = [_("a person approves the payment")]
    return f"{capfirst(', '.join(clauses))}."


def _days(count: int) -> str:
    return ngettext("%(count)d day", "%(count)d days", count) % {"count": count}


def _hours(count: int) -> str:
    return ngettext("%(count)d hour", "%(count)d hours", count) % {"count": count}


def _money(method: PaymentMethod) -> Iterator[str]:
    if not method.is_run_by_provider:
        return
    if not method.holds:
        yield _("charged at once")
    else:
        yield _("held %(days)s") % {"days": _days(method.hold_days)} if method.hold_days else _("held first")
        yield _("charged when sent") if method.capture_at == AT_DISPATCH else _("charged by hand")
        ends = {"hours": _hours(method.hold_warning_hours)}
        if method.hold_end == TAKE:
            yield _("warned %(hours)s before the hold ends, then charged by itself") % ends
        else:
            yield _("warned %(hours)s before the hold ends, then given back") % ends
    if method.retry_hours:
        yield _("%(hours)s to try again after a refusal") % {"hours": _hours(method.retry_hours)}


def _goods(method: PaymentMethod) -> Iterator[str]:
    if method.sends_invoice:
        yield _("invoice mailed with the confirmation")
    if method.ships_before_payment:
        yield _("goods leave before the money is in")
    if method.paid_on_delivery:
        yield _("paid when handed over")
    if method.due_days:
        yield _("due after %(days)s") % {"days": _days(method.due_days)}


def _clock(method: PaymentMethod) -> Iterator[str]:
    if method.reminder_days:
        yield _("reminder after %(days)s") % {"days": _days(method.reminder_days)}
    elif method.due_days and method.ships_before_payment:
        yield _("reminded when overdue")
    if method.reservation_days:
        yield _("reserved %(days)s") % {"days": _days(method.reservation_days)}
        yield _("call on the last day")
        if not method.cancel_days or method.cancel_days == method.reservation_days:
            yield _("then cancelled")
    if method.cancel_days and method.cancel_days != method.reservation_days:
        yield _("cancelled after %(days)s") % {"days": _days(method.cancel_days)}
    if method.awaits_payout:
        yield _("completed once it was paid out")
    elif not method.completes_when_paid:
        yield _("completed without waiting for the money")


def who(method: PaymentMethod, customer_count: int = 0) -> str:
    """Who may use it. ``customer_count``: how many were named."""
    if method.audience == GROUPS:
        names = ", ".join(sorted(group.name for group in method.groups.all()))
        return _("Only %(groups)s") % {"groups": names} if names else _("Nobody: no group is chosen")
    if method.audience == CUSTOMERS:
        if not customer_count:
            return _("Nobody yet: enable it for a customer")
        return ngettext("%(count)d customer, by name", "%(count)d customers, by name", customer_count) % {
            "count": customer_count
        }
    return _("Everyone")


def where(method: PaymentMethod) -> str:
    """Where it is offered: countries, currencies and flows; "Everywhere" without a limit."""
    parts = [
        ", ".join(country_name(code) for code in method.countries),
        ", ".join(str(code) for code in method.currencies),
        ", ".join(flow_label(name) for name in method.flows),
    ]
    return " · ".join(part for part in parts if part) or _("Everywhere")


def by_whom(method: PaymentMethod) -> str:
    """The provider and its method, or that it is worked by hand."""
    if not method.is_run_by_provider:
        return _("By hand")
    gateway = gateway_or_none(method.provider)
    if gateway is None:
        return " · ".join(part for part in (method.provider, method.provider_method) if part)
    label = gateway.methods.get(method.provider_method, (method.provider_method,))[0]
    return " · ".join(str(part) for part in (gateway.name or method.provider, label) if part)


def country_name(code: str) -> str:
    """A country in the present language; its code where CLDR has no name."""
    return _locale().territories.get(code, code)


def flow_label(name: str) -> str:
    """What a flow is called."""
    found = flows().get(name)
    return str(found.label or name) if found is not None else name


def _locale() -> Locale:
    language = (get_language() or "en").replace("-", "_")
    for candidate in (language, language.partition("_")[0], "en"):
        try:
            return Locale.parse(candidate)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")
