"""Forms about money that no provider is asked for: received, kept, paid out; the reservation; a restored order."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.selectors.given_up import needed
from oscar_fulfillment.services import late_money, ledger, payouts, receipts, restoring, terms

from .money_actions import is_offered, may_receive
from .money_words import money
from .page_forms import StepForm, form, mail_address, mail_field, reason_field
from .page_forms_payment import amount_field, reference_field

#: Days by which a reservation is extended unless another day is chosen.
EXTENSION_DAYS = 7
_DAYS = [MinValueValidator(datetime.date(1970, 1, 2)), MaxValueValidator(datetime.date(9998, 12, 31))]


def end_of_day(day: datetime.date) -> datetime.datetime:
    """The last second of a day where the shop is."""
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time(23, 59, 59)))


def booked(order: Any, change: StatusChange) -> list[tuple[int, str]]:
    """What became of money that was booked: exact, short, over, or for an order that is off."""
    amount = money(change.data.get("amount", 0), order.currency)
    fulfillment, missing = order.fulfillment, needed(order.fulfillment) - ledger.totals(order.pk).net
    too_much = late_money.excess(order)
    if too_much:
        said = _("%(amount)s booked. %(sum)s is too much: refund it, or keep it as a credit note.")
        return [(messages.WARNING, said % {"amount": amount, "sum": money(too_much, order.currency)})]
    if fulfillment.is_payable() and missing > 0:
        said = _("%(amount)s booked. %(sum)s is still missing.")
        return [(messages.WARNING, said % {"amount": amount, "sum": money(missing, order.currency)})]
    said = _("%(amount)s booked. The payment status is now “%(state)s”.")
    return [(messages.SUCCESS, said % {"amount": amount, "state": fulfillment.payment_label})]


@form("receive_money")
class ReceiveForm(StepForm):
    """A sum came in, exact or not."""

    submit_label = gettext_lazy("Book it")

    amount = amount_field()
    reference = reference_field(gettext_lazy("The bank's reference, or what the customer wrote."))
    reason = reason_field(gettext_lazy("Note for the history"))

    def prepare(self) -> None:
        self.fields["amount"].initial = self.page.money.outstanding or None

    def refusals(self) -> list[Reason]:
        if may_receive(self.page.money):
            return []
        method = self.page.fulfillment.payment_method
        message = _("%(method)s tells us by itself whether the payment is approved or cancelled.")
        return [Reason("run_by_provider", message % {"method": method.label if method else ""})]

    def consequences(self) -> list[Any]:
        if self.page.money.is_off:
            return [_("The order is cancelled: you decide then whether it is restored, refunded or kept.")]
        return [
            _("All that is missing: the payment is approved, and the customer gets a mail."),
            _("Less: the order waits for the rest. More: you decide what becomes of what is too much."),
        ]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return receipts.receive_money(
            amount=typed["amount"], reference=typed["reference"], reason=typed["reason"], **common
        )

    def follow_through(self, change: StatusChange) -> list[tuple[int, str]]:
        return booked(self.page.order, change)


@form("keep_credit")
class CreditForm(StepForm):
    """Money that the order does not need stays here for the customer's next one."""

    amount = amount_field()
    reason = reason_field(gettext_lazy("Why is it kept?"), required=True)

    def prepare(self) -> None:
        purse, field = self.page.money, self.fields["amount"]
        field.initial = purse.excess or None
        field.help_text = _("At most %(sum)s is too much.") % {"sum": money(purse.excess, purse.currency)}

    def refusals(self) -> list[Reason]:
        if is_offered(self.page.money, "keep_credit"):
            return []
        return [Reason("too_much", _("Nothing is too much for this order."))]

    def consequences(self) -> list[Any]:
        return [_("A numbered credit note is made. Agree it with the customer first: no mail is sent.")]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return late_money.keep_as_credit(amount=typed["amount"], reason=typed["reason"], **common)

    def follow_through(self, change: StatusChange) -> list[tuple[int, str]]:
        said = _("Credit note %(number)s over %(amount)s made.")
        amount = money(change.data.get("amount", 0), change.data.get("currency", ""))
        return [(messages.SUCCESS, said % {"number": change.data.get("number", ""), "amount": amount})]


@form("confirm_payout")
class PayoutForm(StepForm):
    """The provider has paid the money out."""

    reference = reference_field(gettext_lazy("The payout's number on the provider's or the bank's statement."))

    def refusals(self) -> list[Reason]:
        if is_offered(self.page.money, "confirm_payout"):
            return []
        return [Reason("no_payout", _("No payout is awaited for this order."))]

    def consequences(self) -> list[Any]:
        return [_("A delivered order is completed by it.")]

    def save(self, **common: Any) -> StatusChange:
        return payouts.confirm_payout(reference=self.cleaned_data["reference"], **common)


@form("extend_reservation")
class ExtendForm(StepForm):
    """The goods are kept until a day that was agreed."""

    until = forms.DateField(
        label=gettext_lazy("Reserved until the end of"),
        input_formats=["%Y-%m-%d"],
        validators=_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    reason = reason_field(gettext_lazy("What was agreed?"), required=True)

    def prepare(self) -> None:
        found, today = self.page.money.terms, timezone.localdate()
        reserved = timezone.localdate(found.reserved_until) if found and found.reserved_until else today
        self.fields["until"].initial = max(reserved, today) + datetime.timedelta(days=EXTENSION_DAYS)

    def refusals(self) -> list[Reason]:
        if is_offered(self.page.money, "extend_reservation"):
            return []
        return [Reason("no_reservation", _("This order has no reservation that ends."))]

    def consequences(self) -> list[Any]:
        return [_("The order is not cancelled before the end of that day. A follow-up reminds you the day before.")]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return terms.extend_reservation(until=end_of_day(typed["until"]), reason=typed["reason"], **common)


@form("restore")
class RestoreForm(StepForm):
    """A cancelled order goes out after all."""

    reason = reason_field(gettext_lazy("Why is it restored?"), required=True)
    notify = mail_field(gettext_lazy("Send the order's confirmation again?"))

    def prepare(self) -> None:
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def consequences(self) -> list[Any]:
        purse = self.page.money
        found = [_("Its goods are reserved again. It is refused when some of them are not in stock any more.")]
        if purse.net >= purse.total:
            found.append(_("The money is in: the order can go on at once."))
        else:
            found.append(_("It waits for its money again; its dates start anew."))
        return found

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return restoring.restore_order(reason=typed["reason"], notify=typed["notify"] == "yes", **common)
