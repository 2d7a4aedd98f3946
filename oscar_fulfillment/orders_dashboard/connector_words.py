"""Other systems in words: what a row of the ledger is and how it stands, what came of what they said."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import CREDIT, DELIVERY, ORDER, PAYMENT, STATE, Capability
from oscar_fulfillment.models import Export, OutsideChange
from oscar_fulfillment.selectors.connectors import Health
from oscar_fulfillment.services import connector_rules

KINDS: dict[str, Any] = {
    ORDER: pgettext_lazy("export", "Order"),
    PAYMENT: pgettext_lazy("export", "Payment"),
    DELIVERY: pgettext_lazy("export", "Delivery note"),
    CREDIT: pgettext_lazy("export", "Credit note"),
    STATE: pgettext_lazy("export", "Status"),
}
STATUSES: dict[str, tuple[Any, str]] = {
    Export.WAITING: (pgettext_lazy("export", "Waits"), "info"),
    Export.SENDING: (pgettext_lazy("export", "Under way"), "info"),
    Export.SENT: (pgettext_lazy("export", "Sent, not acknowledged"), "warning"),
    Export.ACKNOWLEDGED: (pgettext_lazy("export", "Arrived"), "success"),
    Export.FAILED: (pgettext_lazy("export", "Not taken"), "danger"),
    Export.DISMISSED: (pgettext_lazy("export", "Need not go"), "secondary"),
}
OUTCOMES: dict[str, tuple[Any, str]] = {
    OutsideChange.WAITING: (pgettext_lazy("word of a system", "Being looked at"), "info"),
    OutsideChange.APPLIED: (pgettext_lazy("word of a system", "Done"), "success"),
    OutsideChange.NOTHING: (pgettext_lazy("word of a system", "Nothing to do"), "secondary"),
    OutsideChange.ECHO: (pgettext_lazy("word of a system", "Our own change"), "secondary"),
    OutsideChange.OUTDATED: (pgettext_lazy("word of a system", "Overtaken"), "secondary"),
    OutsideChange.KEPT: (pgettext_lazy("word of a system", "Ours counts"), "warning"),
    OutsideChange.REFUSED: (pgettext_lazy("word of a system", "Not possible"), "danger"),
    OutsideChange.UNMATCHED: (pgettext_lazy("word of a system", "No such order"), "danger"),
    OutsideChange.SETTLED: (pgettext_lazy("word of a system", "Settled by hand"), "secondary"),
}
SYSTEM_KINDS: dict[str, Any] = {
    "erp": gettext_lazy("ERP"),
    "accounts": gettext_lazy("Accounts"),
    "crm": gettext_lazy("CRM"),
}
_MOMENTS: dict[str, Any] = {
    "placed": gettext_lazy("Orders go there when they are placed."),
    "paid": gettext_lazy("Orders go there when they are paid."),
    "released": gettext_lazy("Orders go there when they are released."),
    "dispatched": gettext_lazy("Orders go there when they are sent."),
}


def name_of(alias: str) -> str:
    """A system's name; its alias where the shop does not have it any more."""
    return str(connectors.get(alias).name) if alias in connectors else alias


def when(alias: str) -> str:
    """When orders go there, and whether they are fetched, in a sentence or two."""
    connector = connectors.get(alias)
    if Capability.FETCHED in connector.capabilities:
        return f"{_MOMENTS[connector.order_at]} {_('It comes for them by itself.')}"
    return str(_MOMENTS[connector.order_at])


def state(health: Health) -> tuple[str, str]:
    """How a system does, and the tone of its badge."""
    if health.is_failing:
        return _("does not answer"), "danger"
    if health.counts.get(Export.FAILED) or health.trouble:
        return _("needs you"), "warning"
    heard = health.acknowledged_at or (health.state and health.state.asked_at)
    return (_("works"), "success") if heard else (_("not used yet"), "info")


def export_row(export: Export) -> dict[str, Any]:
    """A row of the ledger as it is shown."""
    label, tone = STATUSES.get(export.status, (export.status, "secondary"))
    return {
        "export": export,
        "system": name_of(export.connector),
        "kind": KINDS.get(export.kind, export.kind),
        "label": label,
        "tone": tone,
        "amount": export.facts.get("amount", ""),
        "currency": export.facts.get("currency", ""),
        "may_again": export.status in (Export.FAILED, Export.SENT, Export.DISMISSED) and can_send(export),
        "may_dismiss": export.status in (Export.WAITING, Export.FAILED, Export.SENT),
        "state": export.outside_label or _state(export) or export.outside_state,
        "link": export.link if export.link.startswith(("https://", "http://")) else "",
    }


def _state(export: Export) -> str:
    return connectors.get(export.connector).label_of(export.outside_state) if export.connector in connectors else ""


def can_send(export: Export) -> bool:
    """Whether its system is still one of the shop's."""
    return export.connector in connectors


def change_row(change: OutsideChange) -> dict[str, Any]:
    """What a system said as it is shown."""
    label, tone = OUTCOMES.get(change.status, (change.status, "secondary"))
    known = connector_rules.steps()
    return {
        "change": change,
        "system": name_of(change.connector),
        "what": _what(change),
        "step": known[change.step].label if change.step in known else change.step,
        "label": label,
        "tone": tone,
        "is_trouble": change.status in OutsideChange.TROUBLE,
    }


def _what(change: OutsideChange) -> list[str]:
    found = []
    if change.state:
        found.append(change.label or change.state)
    if paid := change.facts.get("paid"):
        found.append(_("paid: %(amount)s") % {"amount": paid["amount"]})
    if invoice := change.facts.get("invoice"):
        number = invoice["number"] or invoice["access_key"]
        found.append((_("note %(number)s cancelled") if invoice["cancelled"] else _("note %(number)s")) % {
            "number": number
        })  # fmt: skip
    if tracking := change.facts.get("tracking"):
        if tracking["code"] or not tracking["delivered"]:
            found.append(_("sent %(code)s") % {"code": tracking["code"]})
        if tracking["delivered"]:
            found.append(_("delivered"))
    return found


def order_card(page: Any, user: Any) -> dict[str, Any] | None:
    """The panel of an order's page; None for an order that no other system knows."""
    from oscar_fulfillment.permissions import user_may

    exports, said = page.exports
    if not exports and not said:
        return None
    return {
        "exports": [export_row(export) for export in exports],
        "said": [change_row(change) for change in said],
        "may": user_may(user, "manage_connectors"),
    }
