"""The history of a payment method in words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.models import PaymentMethodChange
from oscar_fulfillment.services import payment_methods as services

from .method_forms import PaymentMethodForm
from .method_texts import LABELS

ACTIONS: dict[str, Any] = {
    services.CREATE: gettext_lazy("Made"),
    services.CHANGE: gettext_lazy("Changed"),
    services.MOVE: gettext_lazy("Moved"),
    services.OFFER: gettext_lazy("Offered in the shop"),
    services.WITHDRAW: gettext_lazy("Withdrawn"),
    services.ALLOW: gettext_lazy("Enabled for a customer"),
    services.DISALLOW: gettext_lazy("Taken away from a customer"),
    services.DELETE: gettext_lazy("Deleted"),
}
#: Columns that have no field of their own in the form.
_COLUMNS: dict[str, Any] = {
    "kind": LABELS["paid_by"],
    "provider": gettext_lazy("Provider"),
    "provider_method": gettext_lazy("Provider's method"),
    "translations": gettext_lazy("Texts in other languages"),
    "place": gettext_lazy("Place"),
    "customers": gettext_lazy("Customer"),
}
_SHOWN = 80


def told(change: PaymentMethodChange) -> dict[str, Any]:
    """One change for the page: what, who, when, and each column before and after."""
    columns = []
    if change.action not in (services.CREATE, services.DELETE):
        for name, (before, after) in change.data.items():
            if label := LABELS.get(name) or _COLUMNS.get(name):
                columns.append({"label": label, "before": _word(name, before), "after": _word(name, after)})
    return {
        "action": ACTIONS.get(change.action, change.action),
        "who": change.actor_label,
        "at": change.created_at,
        "columns": columns,
    }


def _word(name: str, value: Any) -> str:
    if value is True or value is False:
        return _("yes") if value else _("no")
    if value in (None, "", [], {}):
        return _("nothing")
    choices = getattr(PaymentMethodForm.base_fields.get(name), "choices", None)
    if isinstance(value, str) and choices:
        return str(dict(choices).get(value, value))
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(sorted(value))
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
