"""Forms about the order as a whole: payment, cancelling, holds, problems, notes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.services import cancelling, holds, notes, payments, receipts

from .money_words import money
from .page_forms import Later, StepForm, form, mail_address, mail_field, reason_field
from .page_forms_money import booked
from .page_forms_payment import amount_field, reference_field


class _OverrideForm(StepForm):
    """A step that a provider runs, unless somebody who may overrides it with a written reason."""

    override_provider = forms.BooleanField(
        label=gettext_lazy("I override the payment provider"),
        required=False,
        help_text=gettext_lazy("The history shows it with your name and reason."),
    )

    def prepare(self) -> None:
        if not self.override:
            del self.fields["override_provider"]
        else:
            self.fields["override_provider"].required = True

    def permissions(self) -> list[str]:
        return ["override_payment"] if self.overrides else []

    @property
    def overrides(self) -> bool:
        return bool(self.cleaned_data.get("override_provider"))


@form("approve")
class ApproveForm(_OverrideForm):
    """The money is in: what is missing, unless another sum is typed."""

    template_name = "oscar_fulfillment/orders/forms/approve.html"

    reference = reference_field(gettext_lazy("The bank's or provider's reference, if there is one."))
    amount = amount_field(required=False)
    reason = reason_field(gettext_lazy("Reason of the override"))

    def prepare(self) -> None:
        super().prepare()
        if self.override:
            self.fields["reason"].required = True
            self.order_fields(["override_provider", "reason", "reference"])
            del self.fields["amount"]
            return
        del self.fields["reason"]
        self.fields["amount"].label = _("Amount received")
        # Reckoned when it is shown: taking the step need not read the page.
        amount: Any = self.fields["amount"]
        amount.help_text = Later(self._what_is_missing)

    def _what_is_missing(self) -> str:
        purse = self.page.money
        missing = money(purse.outstanding, purse.currency)
        return _("Leave it empty when exactly %(sum)s came in.") % {"sum": missing}

    def consequences(self) -> list[Any]:
        return [_("The customer is told by mail that the payment is approved.")]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        if typed.get("amount") is not None:
            return receipts.receive_money(amount=typed["amount"], reference=typed["reference"], **common)
        return payments.approve_payment(
            reference=typed["reference"], reason=typed.get("reason", ""), override=self.overrides, **common
        )

    def follow_through(self, change: StatusChange) -> list[tuple[int, str]]:
        return booked(self.page.order, change) if change.action == "receive_money" else []


@form("cancel")
class CancelForm(_OverrideForm):
    """The order will not go out."""

    submit_label = gettext_lazy("Yes, cancel this order")
    danger = True

    reason = reason_field(gettext_lazy("Why is it cancelled?"), required=True)
    tell_reason = forms.BooleanField(
        label=gettext_lazy("Show this reason to the customer"),
        required=False,
        help_text=gettext_lazy("In the mail and on the customer's page. Otherwise only the team reads it."),
    )
    notify = mail_field(gettext_lazy("Tell the customer by mail?"))

    def prepare(self) -> None:
        super().prepare()
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def consequences(self) -> list[Any]:
        units = sum(row.line.num_allocated or 0 for row in self.page.lines)
        found = []
        if units:
            found.append(
                ngettext(
                    "%(count)d reserved unit goes back to the stock that is free to sell.",
                    "%(count)d reserved units go back to the stock that is free to sell.",
                    units,
                )
                % {"count": units}
            )
        if self.page.fulfillment.is_payable():
            found.append(_("The payment is cancelled."))
        elif self.page.fulfillment.payment_status in ("paid", "partially_refunded"):
            found.append(_("The payment is in: it stays approved, and the order asks for a refund."))
        if any(each.held for each in self.page.money.payments):
            found.append(_("The provider is asked to give the held sum back."))
        found.append(_("A cancelled order can be restored while its goods are in stock."))
        return found

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return cancelling.cancel_order(
            reason=typed["reason"],
            override=self.overrides,
            notify=typed["notify"] == "yes",
            tell_reason=typed["tell_reason"],
            **common,
        )


@form("place_hold")
class PlaceHoldForm(StepForm):
    """The order must wait."""

    submit_label = gettext_lazy("Put on hold")

    code = forms.CharField(
        label=gettext_lazy("Why must it wait?"),
        widget=forms.Select(choices=[("", gettext_lazy("Choose a reason")), *holds.HOLD_REASONS.items()]),
    )
    note = reason_field(gettext_lazy("Note"))
    expires_at = forms.DateTimeField(
        label=gettext_lazy("Ends by itself"),
        required=False,
        help_text=gettext_lazy("Leave empty for a hold that somebody releases."),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def consequences(self) -> list[Any]:
        return [_("Nothing of this order can be released, invoiced or dispatched while it is on hold.")]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return holds.place_hold(code=typed["code"], note=typed["note"], expires_at=typed["expires_at"], **common)


@form("release_hold")
class ReleaseHoldForm(StepForm):
    """One hold ends."""

    submit_label = gettext_lazy("Release the hold")

    note = reason_field(gettext_lazy("Why may it go on?"))

    def consequences(self) -> list[Any]:
        held = next((h for h in self.page.open_holds if str(h.pk) == self.options.get("hold")), None)
        return [_("Hold: %(reason)s.") % {"reason": held.label}] if held else []

    def save(self, **common: Any) -> StatusChange:
        return holds.release_hold(hold=int(self.options["hold"]), note=self.cleaned_data["note"], **common)


@form("resolve_problem")
class ResolveProblemForm(StepForm):
    """A problem is settled."""

    submit_label = gettext_lazy("Settled")

    reason = reason_field(gettext_lazy("How was it settled?"), required=True)

    def save(self, **common: Any) -> StatusChange:
        return notes.resolve_problem(reason=self.cleaned_data["reason"], **common)


@form("note")
class NoteForm(StepForm):
    """A note, for the team or for the customer."""

    submit_label = gettext_lazy("Save the note")

    text = forms.CharField(label=gettext_lazy("Text"), widget=forms.Textarea(attrs={"rows": 3}))
    audience = forms.ChoiceField(label=gettext_lazy("Who reads it?"), widget=forms.RadioSelect, initial="team")

    def prepare(self) -> None:
        choices = [
            ("team", _("The team only")),
            ("customer", _("The customer: will be mailed to %(address)s") % {"address": mail_address(self.page)}),
        ]
        self.fields["audience"].choices = choices  # type: ignore[attr-defined]

    def save(self, **common: Any) -> StatusChange:
        common.pop("expected_version")  # a note is true whatever else changed
        for_customer = self.cleaned_data["audience"] == "customer"
        return notes.add_note(text=self.cleaned_data["text"], visible_to_customer=for_customer, **common)
