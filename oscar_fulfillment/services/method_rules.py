"""What a payment method's policy may not say, because its parts contradict each other or the provider cannot do it.

Each rule yields (field, message); the message says what to change. Nothing here touches the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from babel import Locale
from babel.numbers import list_currencies
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.flows import flows
from oscar_fulfillment.gateways.base import Capability
from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.models import payment as words
from oscar_fulfillment.selectors.payment_methods import gateway_or_none, provider_problem

Problem = tuple[str, str]

#: A gap that a set of ``fulfillment_setup`` leaves in a text, for the merchant to fill in.
GAP = "____"
#: The longest period that is believed, in days and in hours.
MAX_DAYS, MAX_HOURS = 730, 720
NAME_LENGTH = 128
DAYS = ("hold_days", "reservation_days", "reminder_days", "cancel_days", "due_days")
HOURS = ("hold_warning_hours", "retry_hours")
CHOICES = {
    "kind": (words.MANUAL, words.GATEWAY),
    "capture": (words.CAPTURE_NOW, words.CAPTURE_LATER),
    "capture_at": (words.BY_HAND, words.AT_DISPATCH),
    "hold_end": (words.GIVE_BACK, words.TAKE),
    "audience": (words.EVERYONE, words.GROUPS, words.CUSTOMERS),
}


def leave_out(method: PaymentMethod) -> None:
    """Put back to its default what says nothing for this kind of method, so that it never comes to life unseen."""
    fields = []
    if not method.is_run_by_provider:
        method.provider = method.provider_method = ""
        fields += ["retry_hours"]
    if method.capture != words.CAPTURE_LATER:
        fields += ["capture_at", "hold_end", "hold_days", "hold_warning_hours"]
    for name in fields:
        setattr(method, name, default_of(name))


def default_of(name: str) -> Any:
    """What a column holds where nobody decided."""
    field: Any = PaymentMethod._meta.get_field(name)
    return field.get_default()


def problems(method: PaymentMethod, group_count: int) -> dict[str, list[str]]:
    """Everything that is wrong, by field; empty when the method can be kept. It names ``group_count`` groups."""
    found: dict[str, list[str]] = {}
    # With figures and words of the wrong kind the other rules would only stumble.
    for rules in ((_texts, _figures), (_provider, _clock, _goods, lambda m: _audience(m, group_count), _where)):
        for rule in rules:
            for field, message in rule(method):
                found.setdefault(field, []).append(message)
        if found:
            break
    return found


def _texts(method: PaymentMethod) -> Iterator[Problem]:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", method.code):
        yield "code", _("A code has letters without accents, digits, - and _; at most 64.")
    if not method.name:
        yield "name", _("Give the method a name.")
    given: list[tuple[str, str, int | None]] = [
        ("name", method.name, NAME_LENGTH), ("instructions", method.instructions, None)
    ]  # fmt: skip
    for language, texts in method.translations.items():
        given += [
            (f"name_{language}", texts.get("name", ""), NAME_LENGTH),
            (f"instructions_{language}", texts.get("instructions", ""), None),
        ]
    for field, text, limit in given:
        try:
            clean_text(field, text, limit=limit)
        except InvalidInput as error:
            yield field, str(error)
        if method.is_active and GAP in text:
            yield field, _("Fill in the gaps (____) before the method is offered.")


def _figures(method: PaymentMethod) -> Iterator[Problem]:
    for field, allowed in CHOICES.items():
        if getattr(method, field) not in allowed:
            yield field, _("Choose one of the list.")
    for field in DAYS:
        days = getattr(method, field)
        if days is not None and not (_is_whole(days) and 1 <= days <= MAX_DAYS):
            yield field, _("A number of days from 1 to %(most)d, or nothing for “never”.") % {"most": MAX_DAYS}
    for field in HOURS:
        hours = getattr(method, field)
        if not (_is_whole(hours) and 0 <= hours <= MAX_HOURS):
            yield field, _("A number of hours from 0 to %(most)d.") % {"most": MAX_HOURS}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _provider(method: PaymentMethod) -> Iterator[Problem]:
    holds = method.capture == words.CAPTURE_LATER
    if not method.is_run_by_provider:
        if holds:
            yield "capture", _("Only a provider can hold a sum. A payment by hand is there or it is not.")
        if method.awaits_payout:
            yield "awaits_payout", _("Only a provider pays out later. What a person approves is in already.")
        return
    gateway = gateway_or_none(method.provider)
    if method.is_active and (problem := provider_problem(method)):
        yield "paid_by", problem
    elif holds and gateway is not None and Capability.HOLD not in gateway.capabilities(method.provider_method):
        label = gateway.methods.get(method.provider_method, (method.provider_method,))[0]
        yield "capture", _("%(method)s cannot be held: it is charged at once.") % {"method": label}
    if gateway is not None and gateway.currencies:
        for currency in sorted(set(method.currencies) - gateway.currencies):
            yield "currencies", _("%(provider)s does not take %(currency)s.") % {
                "provider": gateway.name or method.provider, "currency": currency
            }  # fmt: skip
    if holds and method.hold_days and method.hold_warning_hours >= method.hold_days * 24:
        yield "hold_warning_hours", _("The warning would come before the hold has begun.")
    if method.paid_on_delivery:
        yield "paid_on_delivery", _("What is paid when handed over is not paid at a provider.")


def _clock(method: PaymentMethod) -> Iterator[Problem]:
    reservation, reminder = method.reservation_days, method.reminder_days
    cancel, due = method.cancel_days, method.due_days
    if method.ships_before_payment:
        if cancel:
            yield "cancel_days", _("Goods that have left cannot be cancelled by themselves. Leave this empty.")
        if reservation:
            yield "reservation_days", _("Goods that leave at once are not reserved. Leave this empty.")
        return
    if cancel and reservation and cancel < reservation:
        yield "cancel_days", _("The order would be cancelled while its goods are still reserved.")
    # Without a day of its own, the end of the reservation cancels.
    end, field = (cancel, "cancel_days") if cancel else (reservation, "reservation_days")
    if end and reminder and reminder >= end:
        yield field, _("The order would be cancelled before the customer is reminded.")
    if end and due and due > end:
        yield "due_days", _("The order would be cancelled before it is due.")


def _goods(method: PaymentMethod) -> Iterator[Problem]:
    if method.ships_before_payment:
        if method.holds:
            yield "ships_before_payment", _("A held sum lets the goods leave already. Choose one of the two.")
        if not method.due_days and not method.paid_on_delivery:
            yield (
                "due_days",
                _("Say when it is due, or that it is paid when handed over: nobody would ask for it."),
            )
    if method.paid_on_delivery:
        if not method.ships_before_payment and not method.is_run_by_provider:
            yield "paid_on_delivery", _("Then the goods must leave before the money is in: tick that too.")
        if method.due_days:
            yield "due_days", _("What is paid when handed over has no later due date. Leave this empty.")
    if method.awaits_payout and not method.completes_when_paid:
        yield "completes_when_paid", _("An order that waits for the payout is completed only when the money is in.")


def _audience(method: PaymentMethod, group_count: int) -> Iterator[Problem]:
    if method.audience == words.GROUPS and not group_count:
        yield "groups", _("Choose the groups that may use it.")


def _where(method: PaymentMethod) -> Iterator[Problem]:
    for field, message, is_known in (
        ("countries", _("“%(code)s” is not the code of a country (ISO 3166, such as CH)."), is_country),
        ("currencies", _("“%(code)s” is not the code of a currency (ISO 4217, such as CHF)."), is_currency),
        ("flows", _("The shop has no flow “%(code)s”."), flows().__contains__),
    ):
        known: Callable[[str], bool] = is_known
        for code in getattr(method, field):
            if not known(code):
                yield field, message % {"code": str(code)[:20]}


def is_country(code: str) -> bool:
    """Whether this is a country's code of two letters (ISO 3166-1)."""
    return bool(re.fullmatch(r"[A-Z]{2}", code)) and code in Locale("en").territories and code not in _NO_COUNTRIES


#: Two letters in CLDR's list that are no country: the unknown, unions, pseudo-locales.
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"})


def is_currency(code: str) -> bool:
    """Whether this is a currency's code of three letters (ISO 4217)."""
    return code in list_currencies()
