"""The words of the payment method's form: how its fields are grouped, called and explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Fieldset:
    """A group of fields. ``fields`` are (name, when): where a script may hide the row, "" = it always applies."""

    key: str
    title: Any
    about: Any
    fields: tuple[tuple[str, str], ...]


FIELDSETS = (
    Fieldset("name", _("Name and texts"), "", (("name", ""), ("instructions", ""), ("code", ""))),
    Fieldset("provider", _("Provider"), _("Who says that the money is in."), (("paid_by", ""), ("is_active", ""))),
    Fieldset(
        "money",
        _("Money"),
        _("When the sum is taken, and what happens around it."),
        (
            ("capture", "holdable"),
            ("capture_at", "hold"),
            ("hold_days", "hold"),
            ("hold_warning_hours", "hold"),
            ("hold_end", "hold"),
            ("retry_hours", "gateway"),
            ("awaits_payout", "gateway"),
            ("completes_when_paid", ""),
        ),
    ),
    Fieldset(
        "clock",
        _("Clock"),
        _("What happens by itself while an order waits for its money, in days from the order. Empty means never. "
          "Before anything is cancelled, the provider is asked."),
        (("reservation_days", "waits"), ("reminder_days", ""), ("cancel_days", "waits"), ("due_days", "")),
    ),
    Fieldset(
        "goods",
        _("Goods"),
        _("Whether the goods wait for the money."),
        (("ships_before_payment", ""), ("paid_on_delivery", "by_hand"), ("sends_invoice", "")),
    ),
    Fieldset(
        "who",
        _("Who"),
        _("Who sees this method in the checkout."),
        (("audience", ""), ("groups", "groups")),
    ),
    Fieldset(
        "where",
        _("Where"),
        _("Leave a list empty for no limit."),
        (("countries", ""), ("currencies", ""), ("flows", "")),
    ),
)  # fmt: skip

LABELS: dict[str, Any] = {
    "name": _("Name"),
    "instructions": _("Instructions for the customer"),
    "code": _("Code"),
    "paid_by": _("Paid by"),
    "is_active": _("Offered in the shop"),
    "capture": _("When is the sum taken?"),
    "capture_at": _("A held sum is taken"),
    "hold_days": _("Days a hold lasts"),
    "hold_warning_hours": _("Warn so many hours before a hold ends"),
    "hold_end": _("When a hold is about to end"),
    "retry_hours": _("Hours to try again after a refusal"),
    "awaits_payout": _("The money is in only once the provider has paid it out"),
    "completes_when_paid": _("An order is completed only when its money is in"),
    "reservation_days": _("Goods reserved for (days)"),
    "reminder_days": _("Reminder after (days)"),
    "cancel_days": _("Cancelled after (days)"),
    "due_days": _("Due after (days)"),
    "ships_before_payment": _("The goods leave before the money is in"),
    "paid_on_delivery": _("Paid when the goods are handed over"),
    "sends_invoice": _("Mail the invoice with the order's confirmation"),
    "audience": _("Who may use it?"),
    "groups": _("Groups"),
    "countries": _("Countries the goods go to"),
    "currencies": _("Currencies"),
    "flows": _("Flows"),
}

HELP: dict[str, Any] = {
    "instructions": _("Shown after the order and in its confirmation: where to pay to, what to write as reference."),
    "code": _("For your developers and imports. Made from the name when empty; it stays as it is afterwards."),
    "paid_by": _("Deposit, transfer and cash are approved by hand: you look at the account. Card, boleto, Pix or TWINT "
                 "are approved or cancelled by the provider: do not approve those by hand."),
    "is_active": _("A method that is not offered keeps its present orders; no new order has it."),
    "capture": _("With a hold the order can be edited within the held sum until it is taken."),
    "hold_days": _("As your contract says, such as 7. Used where the provider does not tell the end itself."),
    "hold_end": _("A manager finds a task in the follow-ups either way."),
    "retry_hours": _("A refused card leaves the order open for so long, and the customer gets a link to pay again. "
                     "0: the order is cancelled at once."),
    "awaits_payout": _("Cards and TWINT are paid out days later, in one sum. Confirm it, and orders are completed."),
    "completes_when_paid": _("Untick it for customers whose money you do not follow here."),
    "reservation_days": _("On the last day a manager is told to call, agree a date and extend it. Else the order is "
                          "cancelled and the goods are free again."),
    "reminder_days": _("The customer gets a mail with the sum and how to pay. A prepayment: 7 is usual."),
    "cancel_days": _("The customer gets a mail, and the goods do not block other orders any longer. A prepayment: "
                     "two to three weeks."),
    "due_days": _("Purchase on invoice: reminders follow when it is overdue, then a task to call."),
    "ships_before_payment": _("Purchase on invoice, deferred payment, cash on pick-up: the order goes straight to "
                              "assembling."),
    "paid_on_delivery": _("Marking the order as delivered says that the money is in. Check that the goods are there "
                          "before the customer comes."),
    "sends_invoice": _("The invoice goes out by itself when the order is placed."),
    "audience": _("Do not offer purchase on invoice to everyone: enable it for the customers you know."),
    "currencies": _("Codes with commas, such as CHF, EUR."),
}  # fmt: skip
