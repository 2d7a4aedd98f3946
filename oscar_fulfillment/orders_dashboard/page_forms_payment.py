"""Forms that ask a provider for something: charge a held sum, give it back, refund. Also the refund by hand."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.exceptions import AdapterUnavailable
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.gateways.base import Capability
from oscar_fulfillment.models import PaymentOperation, ProviderPayment, StatusChange
from oscar_fulfillment.selectors.order_money import can
from oscar_fulfillment.services import operation_runs, operations, receipts

from .money_words import money, payment_name
from .page_forms import StepForm, form, reason_field

logger = logging.getLogger("oscar_fulfillment.payments")

_LARGEST_ID = 2**63 - 1
_SUM = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?", re.ASCII)
BY_HAND = "hand"


class SumField(forms.DecimalField):
    """Plain digits only: Python would read ``1e9`` and digits of every script."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip() and not _SUM.fullmatch(value.strip()):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


def amount_field(*, required: bool = True) -> SumField:
    """A sum as people type it, with the comma or point of their language. Its bounds are the service's."""
    return SumField(
        label=gettext_lazy("Amount"),
        required=required,
        max_digits=12,
        decimal_places=2,
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


def reference_field(help_text: Any) -> forms.CharField:
    """The number of a payment on somebody's statement."""
    return forms.CharField(
        label=gettext_lazy("Reference"),
        required=False,
        help_text=help_text,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def ask_now(change: StatusChange) -> list[tuple[int, str]]:
    """Ask the provider at once for what was just requested, so that a person sees the answer; what to tell them.

    What cannot be answered now is asked again by the workers: nothing is raised.
    """
    amount = money(change.data.get("amount", 0), change.data.get("currency", ""))
    try:
        operation = operation_runs.run_operation(change.data["operation"])
    except AdapterUnavailable as error:
        logger.info("operation %s: %s", change.data["operation"], error)
    except Exception:
        # It is written down and will be asked again: a person need not see what broke.
        logger.exception("operation %s could not be run", change.data["operation"])
    else:
        return [outcome(operation, amount)]
    return [(messages.WARNING, _("Asked. The provider's answer is pending; this page shows it when it is there."))]


def outcome(operation: PaymentOperation, amount: str) -> tuple[int, str]:
    """What came of something a provider was asked for, as a message: (level, text)."""
    if operation.status == PaymentOperation.DONE:
        done = {
            PaymentOperation.CAPTURE: _("%(amount)s charged."),
            PaymentOperation.VOID: _("The provider has given the money back, or closed the payment."),
            PaymentOperation.REFUND: _("%(amount)s refunded."),
        }
        return messages.SUCCESS, done[operation.kind] % {"amount": amount}
    if operation.status == PaymentOperation.REFUSED:
        said = _("The provider said no: %(words)s") % {"words": operation.error}
        return messages.ERROR, said
    return messages.WARNING, _("The provider did not answer. Ask it again before you repeat this.")


class PaymentForm(StepForm):
    """A step about one of the order's payments; chosen where there are several."""

    payment = forms.IntegerField(
        label=gettext_lazy("Which payment?"), min_value=1, max_value=_LARGEST_ID, widget=forms.HiddenInput
    )

    def candidates(self) -> Sequence[ProviderPayment]:
        """The payments that it could be about."""
        raise NotImplementedError

    def title_of(self, payment: ProviderPayment) -> str:
        """How the choice names a payment."""
        return f"{payment_name(payment)}: {money(payment.held or payment.amount, payment.currency)}"

    def prepare(self) -> None:
        found = list(self.candidates())
        field = self.fields["payment"]
        chosen = self.options.get("payment", "")
        first = next((each for each in found if str(each.pk) == chosen), found[0] if found else None)
        field.initial = first.pk if first else None
        if len(found) > 1:
            field.widget = forms.RadioSelect(choices=[(each.pk, self.title_of(each)) for each in found])

    def follow_through(self, change: StatusChange) -> list[tuple[int, str]]:
        return ask_now(change)


@form("capture")
class CaptureForm(PaymentForm):
    """Take what a provider holds."""

    amount = amount_field()
    reason = reason_field(gettext_lazy("Note for the history"))

    def candidates(self) -> Sequence[ProviderPayment]:
        return self.page.money.held_payments

    def prepare(self) -> None:
        super().prepare()
        purse, found = self.page.money, list(self.candidates())
        chosen = next((each for each in found if each.pk == self.fields["payment"].initial), None)
        field = self.fields["amount"]
        if chosen is None:
            return
        in_part = [each for each in found if can(each, Capability.PARTIAL_CAPTURE)]
        wanted = min(purse.to_capture, chosen.held) if chosen in in_part else chosen.held
        field.initial = wanted or chosen.held
        most = money(chosen.held, chosen.currency)
        if in_part:
            field.help_text = _("At most %(sum)s is held.") % {"sum": most}
        else:
            field.widget.attrs["readonly"] = True
            field.help_text = _("This provider takes the whole held sum or nothing.")

    def consequences(self) -> list[Any]:
        found = [_("What is held beyond it is given back to the buyer.")]
        if len(self.candidates()) == 1 and not can(self.candidates()[0], Capability.PARTIAL_CAPTURE):
            found = []
        total = money(self.page.money.total, self.page.money.currency)
        found.append(_("The order costs %(sum)s. Once all of it is in, the customer gets a mail.") % {"sum": total})
        return found

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return operations.request_capture(
            payment=typed["payment"], amount=typed["amount"], reason=typed["reason"], **common
        )


@form("void_payment")
class VoidForm(PaymentForm):
    """Give a hold back, or close what nobody has paid."""

    submit_label: Any = gettext_lazy("Yes, give it back")
    danger = True

    reason = reason_field(gettext_lazy("Why is it given back?"), required=True)

    def candidates(self) -> Sequence[ProviderPayment]:
        return self.page.money.voidable

    def prepare(self) -> None:
        super().prepare()
        if not self.page.money.held:
            self.label, self.submit_label = _("Close the open payment"), _("Yes, close it")
            self.fields["reason"].label = _("Why is it closed?")

    def refusals(self) -> list[Reason]:
        if self.candidates():
            return []
        return [Reason("no_hold", _("No provider holds money for this order that it could give back."))]

    def consequences(self) -> list[Any]:
        held = self.page.money.held
        found = [_("A held sum is free again on the buyer's card.") if held else _("Nobody can pay it any more.")]
        if self.page.money.is_waiting:
            found.append(_("The order is cancelled with it, unless another payment is under way or was made."))
        return found

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return operations.request_void(payment=typed["payment"], reason=typed["reason"], **common)


@form("refund")
class RefundForm(StepForm):
    """Money goes back: by the provider it came from, or by a person's own hand."""

    template_name = "oscar_fulfillment/orders/forms/refund.html"

    kind = forms.RegexField(rf"^(?:{BY_HAND}|[1-9][0-9]{{0,17}})\Z", label=gettext_lazy("How does it go back?"),
                            widget=forms.HiddenInput)  # fmt: skip
    amount = amount_field()
    reason = reason_field(gettext_lazy("Why is it paid back?"), required=True)
    reference = reference_field(gettext_lazy("Of your transfer or receipt, if there is one."))

    def prepare(self) -> None:
        purse = self.page.money
        ways = [(str(each.pk), each.refundable, payment_name(each)) for each in purse.refundable_payments]
        if purse.refundable_by_hand:
            ways.append((BY_HAND, purse.refundable_by_hand, _("I pay it back by hand (bank transfer, cash)")))
        field, chosen = self.fields["kind"], self.options.get("payment", "")
        first = next((way for way in ways if way[0] == chosen), ways[0] if ways else ("", 0, ""))
        field.initial = first[0] or None
        if len(ways) > 1:
            up_to = _("%(way)s: up to %(sum)s")
            field.widget = forms.RadioSelect(
                choices=[(code, up_to % {"way": name, "sum": money(most, purse.currency)}) for code, most, name in ways]
            )
        amount = self.fields["amount"]
        amount.initial = min(purse.excess, first[1]) or first[1]
        amount.help_text = _("At most %(sum)s can go back this way.") % {"sum": money(first[1], purse.currency)}
        if len(ways) > 1:
            amount.help_text = ""
        self.by_hand_only = [way[0] for way in ways] == [BY_HAND]
        if BY_HAND not in (way[0] for way in ways) and not self.is_bound:
            del self.fields["reference"]

    def refusals(self) -> list[Reason]:
        if self.page.money.refundable:
            return []
        return [Reason("nothing_in", _("Nothing came in for this order that could go back."))]

    def consequences(self) -> list[Any]:
        purse, found = self.page.money, []
        if purse.excess and not purse.is_off:
            found.append(_("%(sum)s is too much.") % {"sum": money(purse.excess, purse.currency)})
        if self.by_hand_only:
            found.append(_("Pay it back first: here it is only written down."))
        found.append(_("The customer is told by mail when the money has gone back."))
        if not purse.is_off:
            found.append(_("The order itself goes on: a refund cancels nothing."))
        return found

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        given = {"amount": typed["amount"], "reason": typed["reason"], **common}
        if typed["kind"] == BY_HAND:
            return receipts.note_refund(reference=typed.get("reference", ""), **given)
        return operations.request_refund(payment=int(typed["kind"]), **given)

    def follow_through(self, change: StatusChange) -> list[tuple[int, str]]:
        if "operation" in change.data:
            return ask_now(change)
        amount = money(change.data.get("amount", 0), change.data.get("currency", ""))
        return [(messages.SUCCESS, _("%(amount)s noted as paid back.") % {"amount": amount})]
