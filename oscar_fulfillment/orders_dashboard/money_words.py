"""Money in words: states of payments, what providers were asked for, how long something lasts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import PaymentOperation, ProviderPayment

#: state -> (label, tone of its badge).
STATES: dict[str, tuple[Any, str]] = {
    PaymentState.PENDING: (gettext_lazy("Waits for the buyer"), "warning"),
    PaymentState.IN_REVIEW: (gettext_lazy("Paid, the provider still checks it"), "warning"),
    PaymentState.AUTHORIZED: (pgettext_lazy("payment", "Held"), "info"),
    PaymentState.CAPTURED: (pgettext_lazy("payment", "Charged"), "success"),
    PaymentState.REFUSED: (gettext_lazy("Refused by the card's issuer"), "danger"),
    PaymentState.REFUSED_ANTIFRAUD: (gettext_lazy("Refused by the risk check"), "danger"),
    PaymentState.EXPIRED: (pgettext_lazy("payment", "Expired"), "secondary"),
    PaymentState.CANCELLED: (pgettext_lazy("payment", "Given back, or closed unpaid"), "secondary"),
    PaymentState.REFUNDED: (pgettext_lazy("payment", "Refunded"), "secondary"),
    PaymentState.CHARGED_BACK: (gettext_lazy("Taken back by the buyer's bank"), "danger"),
    PaymentState.UNKNOWN: (gettext_lazy("The provider says something we do not know"), "warning"),
}

OPERATIONS: dict[str, Any] = {
    PaymentOperation.CAPTURE: pgettext_lazy("asked of a provider", "Charge"),
    PaymentOperation.VOID: pgettext_lazy("asked of a provider", "Give back"),
    PaymentOperation.REFUND: pgettext_lazy("asked of a provider", "Refund"),
}

#: status of an operation -> (label, tone).
OPERATION_STATUS: dict[str, tuple[Any, str]] = {
    PaymentOperation.REQUESTED: (gettext_lazy("Asked, the answer is pending"), "warning"),
    PaymentOperation.DONE: (pgettext_lazy("operation", "Done"), "success"),
    PaymentOperation.REFUSED: (pgettext_lazy("operation", "Refused"), "danger"),
    PaymentOperation.UNKNOWN: (gettext_lazy("Never answered"), "danger"),
}

#: Oscar's words for the rows of its ledger, and ours for the one it lacks.
TRANSACTIONS: dict[str, Any] = {
    "Authorise": pgettext_lazy("ledger", "Held"),
    "Debit": pgettext_lazy("ledger", "Received"),
    "Refund": pgettext_lazy("ledger", "Paid back"),
    "Void": pgettext_lazy("ledger", "Given back"),
}

#: Names of sources that services book under, as readers know them.
SOURCES: dict[str, Any] = {
    "Bank transfer": gettext_lazy("Bank transfer"),
    "By hand": gettext_lazy("Approved by hand"),
}


def money(amount: Any, currency: str) -> str:
    """An amount as the reader's language writes it; what is none is shown as it is."""
    from oscar.templatetags.currency_filters import currency as as_currency

    try:
        return str(as_currency(Decimal(str(amount)), currency)) if currency else str(amount)
    except ArithmeticError:
        return f"{amount} {currency}"


def provider_name(alias: str) -> str:
    """The provider's own name; its alias (or Oscar's name of a source) where the shop has none of that alias."""
    if alias in gateways:
        return str(gateways.get(alias).name or alias)
    return str(SOURCES.get(alias, alias))


def payment_name(payment: ProviderPayment) -> str:
    """Provider and method of a payment: ``YooKassa, card``."""
    methods = gateways.get(payment.provider).methods if payment.provider in gateways else {}
    label = methods[payment.method][0] if payment.method in methods else payment.method
    return ", ".join(str(part) for part in (provider_name(payment.provider), label) if part)


def state_label(state: str) -> str:
    return str(STATES[state][0] if state in STATES else state)


def state_tone(state: str) -> str:
    return STATES[state][1] if state in STATES else "secondary"


def lasting(seconds: float) -> str:
    """A time to come in its two largest units: ``2 days 4 hours``. Below a minute: ``less than a minute``."""
    minutes = int(seconds) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = []
    if days:
        parts.append(ngettext("%(count)d day", "%(count)d days", days) % {"count": days})
    if hours:
        parts.append(ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours})
    if minutes and not days:
        parts.append(ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes})
    return " ".join(parts) or _("less than a minute")


def left(until: datetime, now: datetime | None = None) -> str:
    """How long it is to a moment; what to say when it has passed."""
    seconds = (until - (now or timezone.now())).total_seconds()
    return lasting(seconds) if seconds > 0 else _("over")


def moment(value: Any) -> str:
    """A moment kept as text (ISO 8601) where the shop is; what is none is shown as it is."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    if timezone.is_naive(found):
        return date_format(found, "SHORT_DATE_FORMAT")
    return date_format(timezone.localtime(found), "SHORT_DATETIME_FORMAT")
