"""The forms that decide what comes of a return: money back, the same goods again, or neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import Return
from oscar_fulfillment.models.returns import EXCHANGE, NOTHING, REFUND
from oscar_fulfillment.selectors.return_money import CREDIT, HAND, Way, refund_ways, shipping_left
from oscar_fulfillment.selectors.return_units import Worth, worth_of
from oscar_fulfillment.selectors.returns import history_of
from oscar_fulfillment.services import return_outcomes

from .money_words import money, payment_name
from .page_forms import mail_address, mail_field, reason_field
from .page_forms_payment import amount_field, ask_now, reference_field
from .return_forms import ApproveForm, CancelForm, InspectForm, RefuseForm, ReturnForm


class _OutcomeForm(ReturnForm):
    """What comes of the goods."""

    outcome = ""
    field_order: Sequence[str] = ("reason", "notify")

    notify = mail_field(gettext_lazy("Tell the customer by mail?"))

    def prepare(self) -> None:
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def given(self) -> Mapping[str, Any]:
        """What the service takes beside the outcome."""
        return {}

    def save(self, **common: Any) -> Any:
        typed = self.cleaned_data
        return return_outcomes.settle_return(
            ret=self.the_return, outcome=self.outcome, reason=typed["reason"], notify=typed["notify"] == "yes",
            **self.given(), **self.common(common),
        )  # fmt: skip


class RefundForm(_OutcomeForm):
    """Money goes back: by its provider, by a person's hand, or as a credit note."""

    outcome = REFUND
    submit_label = gettext_lazy("Refund")

    amount = amount_field()
    shipping_amount = amount_field(required=False)
    way = forms.CharField(label=gettext_lazy("How does it go back?"), widget=forms.RadioSelect)
    reference = reference_field(gettext_lazy("Of your transfer or receipt, if you paid it back by hand."))
    reason = reason_field(gettext_lazy("Note for the history"))

    field_order = ("amount", "shipping_amount", "way", "reference", "reason", "notify")

    def prepare(self) -> None:
        super().prepare()
        currency, most = self.page.order.currency, max((way.most for way in self.ways), default=Decimal(0))
        amount, carriage, way = (self.fields[name] for name in ("amount", "shipping_amount", "way"))
        amount.label = _("For the goods")
        amount.initial = min(self.worth, most) if most else None
        amount.help_text = _("They are worth %(worth)s. At most %(most)s can go back.") % {
            "worth": money(self.worth, currency), "most": money(most, currency),
        }  # fmt: skip
        left = shipping_left(self.page.order)
        carriage.label = _("For the shipping costs")
        carriage.help_text = _("The customer paid %(sum)s for it.") % {"sum": money(left, currency)}
        if not left:
            del self.fields["shipping_amount"]
        way.widget.choices = [(each.code, self._name(each)) for each in self.ways]  # type: ignore[attr-defined]
        way.initial = self.ways[0].code if self.ways else None
        if HAND not in (each.code for each in self.ways) and not self.is_bound:
            del self.fields["reference"]

    def _name(self, way: Way) -> str:
        named = {
            HAND: _("I pay it back by hand (bank transfer, cash)"),
            CREDIT: _("A credit note for the customer's next order"),
        }
        name = payment_name(way.payment) if way.payment is not None else named[way.code]
        return _("%(way)s: up to %(sum)s") % {"way": name, "sum": money(way.most, self.page.order.currency)}

    @cached_property
    def ways(self) -> list[Way]:
        return refund_ways(self.page.money)

    @cached_property
    def worths(self) -> list[Worth]:
        return worth_of(self.the_return)

    @property
    def worth(self) -> Decimal:
        return sum((each.value for each in self.worths), Decimal(0))

    def refusals(self) -> list[Reason]:
        if self.ways:
            return []
        words = _("Nothing came in for this order that could go back.")
        if self.page.money.refunded:
            words = _("All money of this order has gone back already, or is about to.")
        return [Reason("nothing_in", words)]

    def consequences(self) -> list[Any]:
        if any(way.code == HAND for way in self.ways):
            return [_("By hand: pay it back first. Here it is only written down.")]
        return [_("The provider is asked at once; this page shows its answer.")]

    def given(self) -> Mapping[str, Any]:
        typed = self.cleaned_data
        return {
            "amount": typed["amount"],
            "shipping_amount": typed.get("shipping_amount") or Decimal(0),
            "way": typed["way"],
            "reference": typed.get("reference", ""),
        }

    def follow_through(self, result: Any) -> list[tuple[int, str]]:
        if not self.cleaned_data["way"].isdecimal():
            return []
        return ask_now(next(row for row in history_of(result) if "operation" in row.data))

    def told(self, result: Return) -> str:
        amount = money(result.refund_amount or 0, self.page.order.currency)
        return _("The return is settled: %(amount)s go back.") % {"amount": amount}


class ExchangeForm(_OutcomeForm):
    """The same goods go out again."""

    outcome = EXCHANGE
    submit_label = gettext_lazy("Send the same goods again")

    reason = reason_field(gettext_lazy("Note for the history"))

    def refusals(self) -> list[Reason]:
        return return_outcomes.exchange_refusals(self.the_return)

    def consequences(self) -> list[Any]:
        return [_("They are reserved, and prepared as a shipment of this order that goes out by the usual steps.")]

    def told(self, result: Return) -> str:
        return _("The return is settled: its goods are prepared to be sent again.")


class NothingForm(_OutcomeForm):
    """Neither money nor goods."""

    outcome = NOTHING
    submit_label = gettext_lazy("Close it without either")
    danger = True

    reason = reason_field(gettext_lazy("Why? The customer reads this."), required=True)

    def consequences(self) -> list[Any]:
        if self.page.fulfillment.shipping_status == "returned" and self.page.fulfillment.is_payable():
            return [_("Everything is back and nothing was paid: nothing more is asked for.")]
        if self.page.fulfillment.is_payable():
            return [_("The order is not paid yet: all of it is still asked for. Agree with the customer what is due.")]
        return []

    def told(self, result: Return) -> str:
        return _("The return is closed.")


#: step in the URL -> (form, statuses of the return in which it is offered).
STEPS: dict[str, tuple[type[ReturnForm], tuple[str, ...]]] = {
    "approve": (ApproveForm, ("requested",)),
    "receive": (InspectForm, ("approved", "requested")),
    "refund": (RefundForm, ("received",)),
    "exchange": (ExchangeForm, ("received",)),
    "close": (NothingForm, ("received",)),
    "refuse": (RefuseForm, ("requested",)),
    "cancel": (CancelForm, ("approved", "requested")),
}
LABELS: dict[str, Any] = {
    "approve": gettext_lazy("Approve"),
    "receive": gettext_lazy("The goods are here"),
    "refund": gettext_lazy("Pay back"),
    "exchange": gettext_lazy("Exchange"),
    "close": gettext_lazy("Neither money nor goods"),
    "refuse": gettext_lazy("Refuse"),
    "cancel": gettext_lazy("Cancel the return"),
}
