"""What a history row holds beside the statuses, field by field: amounts, dates, providers, follow-ups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.models.parcel import TRACKING_LABELS
from oscar_fulfillment.services import followups, printing

from .money_words import OPERATIONS, moment, money, provider_name, state_label

_LABELS = {
    "amount": gettext_lazy("Amount"),
    "provider": gettext_lazy("Provider"),
    "source": gettext_lazy("Paid by"),
    "state": gettext_lazy("State"),
    "external_id": gettext_lazy("Provider's number"),
    "held_until": gettext_lazy("Held until"),
    "what": gettext_lazy("What does not match"),
    "reference": gettext_lazy("Reference"),
    "carrier": gettext_lazy("Carrier"),
    "tracking_code": gettext_lazy("Tracking code"),
    "number": gettext_lazy("Number"),
    "series": gettext_lazy("Series"),
    "access_key": gettext_lazy("Access key"),
    "missing": gettext_lazy("Waits for goods"),
    "before": gettext_lazy("Before"),
    "after": gettext_lazy("Now"),
    "until": gettext_lazy("Now until"),
    "document": gettext_lazy("Document"),
    "file": gettext_lazy("File"),
    "protocol": gettext_lazy("Protocol"),
    "tracking": gettext_lazy("Where it is"),
    "text": gettext_lazy("In the carrier's words"),
    "handed_to": gettext_lazy("Handed over to"),
    "boxes": gettext_lazy("Boxes"),
}

#: What of a payment does not match, in words.
MISMATCHES = {
    "currency": gettext_lazy("the currency"),
    "reference": gettext_lazy("our reference"),
    "number": gettext_lazy("the provider's number"),
    "sums": gettext_lazy("the sums"),
    "state": gettext_lazy("the state"),
}


#: What comes of a return, and how its money goes back.
OUTCOMES = {
    "refund": gettext_lazy("Money back"),
    "exchange": gettext_lazy("The same goods again"),
    "nothing": gettext_lazy("Neither money nor goods"),
}
REFUND_WAYS = {"hand": gettext_lazy("By hand"), "credit": gettext_lazy("As a credit note")}


def _carrier(aliases: str) -> str:
    """One alias, or several where the parcels of a shipment went different ways."""
    return ", ".join(str(carriers.get(each).name) if each in carriers else each for each in aliases.split(", "))


def _document(name: Any) -> str:
    document = printing.DOCUMENTS.get(name)
    return str(document.label if document else name)


_SHOWN: dict[str, Callable[[Any], str]] = {
    "provider": provider_name,
    "source": provider_name,
    "state": state_label,
    "held_until": moment,
    "what": lambda value: str(MISMATCHES.get(value, value)),
    "carrier": _carrier,
    "tracking": lambda value: str(TRACKING_LABELS.get(value, value)),
    "document": _document,
}


def facts(change: Any, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of each field that people read, both plain text, in the order of :data:`_LABELS`."""
    found = []
    shown = dict(_SHOWN)
    if change.machine == "terms":
        shown |= {"before": moment, "until": moment}
    for name, label in _LABELS.items():
        if not (value := data.get(name)):
            continue
        if name == "amount" and data.get("currency"):
            text = money(value, str(data["currency"]))
        else:
            text = shown[name](str(value)) if name in shown else str(value)
        found.append((str(label), text))
    return found + _of_operation(change, data) + _of_followup(change, data) + _of_return(data) + _flags(data)


def _of_operation(change: Any, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    if change.action != "refuse_operation" or data.get("kind") not in OPERATIONS:
        return []
    return [(_("What was asked"), str(OPERATIONS[data["kind"]]))]


def _of_followup(change: Any, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    if change.machine != "followup":
        return []
    found = []
    if kind := followups.KINDS.get(data.get("kind", "")):
        found.append((_("Follow-up"), str(kind)))
    if change.action == "assign_followup":
        found.append((_("Assigned to"), str(data.get("to") or _("Nobody"))))
    if outcome := followups.OUTCOMES.get(data.get("outcome", "")):
        found.append((_("What came of it"), str(outcome)))
    return found


def _of_return(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not (number := data.get("return_number")):
        return []
    found = [(pgettext("goods sent back", "Return"), str(number))]
    if outcome := OUTCOMES.get(data.get("outcome", "")):
        found.append((_("What came of it"), str(outcome)))
    if way := data.get("way"):
        found.append((pgettext("of a refund", "How"), str(REFUND_WAYS.get(way, _("By the provider")))))
    if data.get("shipping"):
        found.append((_("Of it for the shipping costs"), money(data["shipping"], str(data.get("currency", "")))))
    if data.get("damaged"):
        found.append((_("Damaged"), str(data["damaged"])))
    return found


def _flags(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if data.get("by_hand"):
        found.append((_("How"), _("Paid back by hand")))
    if data.get("late"):
        found.append((_("When"), _("After the order was cancelled")))
    return found
