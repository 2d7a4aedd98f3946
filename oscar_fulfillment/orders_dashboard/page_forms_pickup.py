"""Forms about goods that the customer comes for: ready, handed over."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.services import cash, pickup

from .money_words import money
from .page_forms import StepForm, form, mail_address, mail_field, reason_field
from .page_forms_goods import ShipmentForm
from .page_forms_payment import amount_field


@form("ready_for_pickup")
class ReadyForm(StepForm):
    """The goods wait at the counter."""

    submit_label = gettext_lazy("The goods are ready")
    notify = mail_field(gettext_lazy("Send the customer the mail with the pick-up code?"))

    def prepare(self) -> None:
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def save(self, **common: Any) -> StatusChange:
        shipment = int(self.options["shipment"]) if self.options.get("shipment", "").isdecimal() else None
        return pickup.ready_for_pickup(shipment=shipment, notify=self.cleaned_data["notify"] == "yes", **common)


@form("hand_over")
class HandOverForm(ShipmentForm):
    """The customer is there."""

    marks_optional = False

    code = forms.CharField(
        label=gettext_lazy("The customer's pick-up code"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("From the mail or the customer's page: typed or scanned."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "ff-key"}),
    )
    reason = reason_field(gettext_lazy("Without the code: how do you know that it is the customer?"))
    handed_to = forms.CharField(
        label=gettext_lazy("Handed over to"),
        required=False,
        max_length=150,
        help_text=gettext_lazy("The name, if it is not the customer."),
    )
    cash_taken = amount_field(required=False)

    def prepare(self) -> None:
        self.offer(self.page.to_dispatch, _("Choose a shipment"))
        self.fields["code"].initial = self.options.get("code", "")
        self.fields["reason"].widget.attrs["rows"] = 2
        self.fields["cash_taken"].label = _("Cash taken")
        if self.due:
            text = _("Due: %(sum)s.") % {"sum": money(cash.in_coins(self.due, self.currency), self.currency)}
            self.fields["cash_taken"].help_text = text
        elif not self.data.get(self.add_prefix("cash_taken")):
            del self.fields["cash_taken"]  # kept where it was typed: the same form sent twice is the same step

    @cached_property
    def due(self) -> Decimal:
        return cash.due_in_cash(self.page.fulfillment)

    @property
    def currency(self) -> str:
        return self.page.fulfillment.currency

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        fields = {name: typed[name] for name in ("shipment", "code", "reason", "handed_to")}
        return pickup.hand_over_order(cash_taken=typed.get("cash_taken"), **fields, **common)
