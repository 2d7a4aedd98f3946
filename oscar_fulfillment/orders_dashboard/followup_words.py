"""Follow-ups in words: what happened, and the ways out that are one click away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.models import FollowUp, PaymentOperation
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.services import followups

from .history_facts import MISMATCHES
from .money_actions import action_url
from .money_words import OPERATIONS, moment, money, provider_name, state_label


def title(followup: FollowUp) -> str:
    """What it is about."""
    return str(followups.KINDS.get(followup.kind, followup.kind))


def outcome(followup: FollowUp) -> str:
    """What came of it."""
    return str(followups.OUTCOMES.get(followup.outcome, followup.outcome))


class _Facts:
    """What a follow-up holds, as words for its sentences. What is missing reads as a dash, never as an error."""

    def __init__(self, data: Any):
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}

    def __getitem__(self, name: str) -> str:
        return self.text(name) or "–"

    def text(self, name: str) -> str:
        value = str(self.data.get(name) or "")
        currency = str(self.data.get("currency") or "")
        if value and name in ("amount", "received", "difference"):
            return money(value, currency)
        if value and name == "expected":
            return money(value, str(self.data.get("expected_currency") or currency))
        shown: dict[str, Callable[[str], str]] = {
            "until": moment,
            "due": moment,
            "state": state_label,
            "provider": provider_name,
            "source": provider_name,
            "what": lambda text: str(MISMATCHES.get(text) or OPERATIONS.get(text, text)),
        }
        return shown[name](value) if value and name in shown else value


_WHY: dict[str, Any] = {
    followups.LATE_MONEY: gettext_lazy("%(amount)s came by %(source)s after the order was cancelled."),
    followups.OVERPAID: gettext_lazy("%(received)s came in for %(expected)s: %(difference)s is too much."),
    followups.UNDERPAID: gettext_lazy("%(received)s of %(expected)s came in: %(difference)s is missing."),
    followups.HOLD_ENDS: gettext_lazy("%(provider)s holds %(amount)s. Charge it, or it goes back to the buyer."),
    followups.RESERVATION_ENDS: gettext_lazy("Agree a date, or the order is cancelled. Reserved until: %(until)s"),
    followups.UNKNOWN_PAYMENT: gettext_lazy("%(provider)s has a payment of %(amount)s that is for no order of ours."),
    followups.OPERATION_FAILED: gettext_lazy("%(what)s of %(amount)s at %(provider)s: %(error)s"),
    followups.CHARGE_BACK: gettext_lazy("%(amount)s of %(provider)s went back to the buyer without us."),
    followups.OVERDUE: gettext_lazy("Due since %(due)s, and the reminders did not help."),
    followups.PAYMENT_LOST: gettext_lazy("%(provider)s: %(state)s. The order stays: %(why)s"),
    followups.NOTE_CANCELLED: gettext_lazy(
        "NF-e %(number)s, series %(series)s, is not valid any more. Get the goods back, or have another note issued."
    ),
}
_MISMATCH = gettext_lazy("%(provider)s says %(amount)s where %(expected)s was asked: %(what)s does not match.")
_STUCK = gettext_lazy("The money of %(provider)s is booked, but the order could not follow: %(why)s")
_SHORT_HOLD = gettext_lazy("%(provider)s holds %(received)s of %(expected)s: %(difference)s is missing.")
_NOT_CANCELLED = gettext_lazy("Its time to be paid is over, and the order stays: %(why)s")
_ODD_STATE = gettext_lazy("%(provider)s says “%(state)s”, and we do not know what that means.")


def why(followup: FollowUp) -> str:
    """What happened, in one sentence; "" where the kind says it all."""
    facts = _Facts(followup.data)
    sentence = _WHY.get(followup.kind)
    if followup.kind == followups.MISMATCH:
        sentence = {"state": _ODD_STATE, "step": _STUCK}.get(str(facts.data.get("what")), _MISMATCH)
    elif followup.kind == followups.UNDERPAID and facts.data.get("state") == "authorized":
        sentence = _SHORT_HOLD
    elif followup.kind == followups.PAYMENT_LOST and not facts.data.get("provider"):
        sentence = _NOT_CANCELLED
    return str(sentence) % facts if sentence else ""  # type: ignore[operator]


def details(followup: FollowUp) -> list[tuple[str, str]]:
    """What somebody needs who looks a payment up at the provider: (name, value)."""
    if followup.kind not in (followups.UNKNOWN_PAYMENT, followups.MISMATCH):
        return []
    facts = _Facts(followup.data)
    labels = {
        "external_id": _("Provider's number"),
        "reference": _("Reference"),
        "state": _("State"),
    }
    return [(label, facts.text(name)) for name, label in labels.items() if facts.text(name)]


def present(followup: FollowUp, user: Any) -> dict[str, Any]:
    """A follow-up as pages show it to this person."""
    return {
        "row": followup,
        "title": title(followup),
        "why": why(followup),
        "details": details(followup),
        "ways": ways(followup, user),
        "outcome": outcome(followup),
        "assignee": followup.assignee.get_full_name() or followup.assignee.get_username() if followup.assignee else "",
        "is_mine": followup.assignee_id is not None and followup.assignee_id == user.pk,
        "is_due": followup.closed_at is None and followup.due_at <= timezone.now(),
    }


@dataclass(frozen=True)
class Way:
    """One way out: a link to a form that is filled in, or (``is_post``) a button that acts at once."""

    label: str
    url: str
    is_main: bool = False
    is_post: bool = False


def ways(followup: FollowUp, user: Any) -> list[Way]:
    """The ways out of a follow-up that this person may take, the best one first. No query."""
    if followup.fulfillment is None or followup.closed_at is not None:
        return []
    number = followup.fulfillment.number
    found: list[Way] = []
    for action, label in _ways_of(followup):
        if user_may(user, action):
            url = _url(number, action)
            found.append(Way(str(label), url, is_main=not found, is_post=action == "check_payment"))
    return found


_REFUND, _CREDIT = gettext_lazy("Refund"), gettext_lazy("Keep as a credit note")
_CHECK = ("check_payment", gettext_lazy("Ask the provider now"))
_WAYS: dict[str, list[tuple[str, Any]]] = {
    followups.LATE_MONEY: [
        ("restore", gettext_lazy("Restore the order")), ("refund_payment", _REFUND), ("keep_credit", _CREDIT),
    ],
    followups.OVERPAID: [("refund_payment", gettext_lazy("Refund the difference")), ("keep_credit", _CREDIT)],
    followups.UNDERPAID: [("receive_money", gettext_lazy("The rest came in"))],
    followups.RESERVATION_ENDS: [
        ("extend_reservation", gettext_lazy("Extend the reservation")),
        ("receive_money", gettext_lazy("Money received")),
    ],
    followups.HOLD_ENDS: [
        ("capture_payment", gettext_lazy("Charge the held sum")), ("void_payment", gettext_lazy("Give it back")),
    ],
    followups.MISMATCH: [_CHECK],
    followups.CHARGE_BACK: [_CHECK],
    followups.OVERDUE: [("receive_money", gettext_lazy("Money received"))],
    followups.PAYMENT_LOST: [_CHECK, ("cancel", gettext_lazy("Cancel the order"))],
}  # fmt: skip
_AGAIN = {
    PaymentOperation.CAPTURE: "capture_payment",
    PaymentOperation.VOID: "void_payment",
    PaymentOperation.REFUND: "refund_payment",
}


def _ways_of(followup: FollowUp) -> list[tuple[str, Any]]:
    if followup.kind != followups.OPERATION_FAILED:
        return _WAYS.get(followup.kind, [])
    what = followup.data.get("what", "") if isinstance(followup.data, Mapping) else ""
    again = [(_AGAIN[what], gettext_lazy("Try again"))] if what in _AGAIN else []
    return [*again, _CHECK]


def _url(number: str, action: str) -> str:
    if action in ("restore", "capture_payment", "cancel"):
        return reverse("dashboard:order-step", kwargs={"number": number, "action": action})
    if action == "check_payment":
        return reverse("dashboard:order-payments-check", kwargs={"number": number})
    return action_url(number, action)
