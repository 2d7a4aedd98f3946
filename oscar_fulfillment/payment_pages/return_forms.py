"""What a customer says who sends goods back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.transitions import key_of_form, new_key
from oscar_fulfillment.models.returns import EXCHANGE, REASON_LABELS, REFUND
from oscar_fulfillment.selectors.return_units import Offer
from oscar_fulfillment.services.return_rows import UNDELIVERABLE

#: Above any quantity an order line can hold; keeps absurd numbers away from the database.
_MOST = 2_147_483_647


class CustomerReturnForm(forms.Form):
    """Units and reason of each line that may come back, what is wanted, and a note. Its key makes sending it twice
    harmless."""

    wants = forms.ChoiceField(
        label=gettext_lazy("What would you like?"),
        choices=[
            (REFUND, pgettext_lazy("wanted for a return", "Money back")),
            (EXCHANGE, pgettext_lazy("wanted for a return", "The same goods again")),
        ],
        initial=REFUND,
        widget=forms.RadioSelect,
    )
    note = forms.CharField(
        label=gettext_lazy("Your note to us"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    key = forms.RegexField(r"^[\w-]{8,100}\Z", widget=forms.HiddenInput)

    def __init__(self, order: Any, offer: Offer, data: Any = None):
        super().__init__(data, initial={"key": new_key()}, auto_id="return_%s")
        most_of = {line.pk: most for line, most in offer.lines}
        # A form sent twice is read as it was the first time, whatever is offered since.
        self.lines = [(ln, most_of.get(ln.pk, 0)) for ln in order.lines.all() if data is not None or ln.pk in most_of]
        reasons = [("", _("Choose a reason")), *((c, r) for c, r in REASON_LABELS.items() if c != UNDELIVERABLE)]
        for line, most in self.lines:
            named = {"title": line.title}
            self.fields[f"units_{line.pk}"] = forms.IntegerField(
                label=_("How many of “%(title)s”?") % named, required=False, min_value=0, max_value=_MOST,
                widget=forms.NumberInput(attrs={"class": "form-control", "inputmode": "numeric", "max": most}),
            )  # fmt: skip
            self.fields[f"reason_{line.pk}"] = forms.ChoiceField(
                label=_("Reason for “%(title)s”") % named, required=False, choices=reasons,
                widget=forms.Select(attrs={"class": "custom-select"}),
            )  # fmt: skip
        self.fields["note"].widget.attrs["class"] = "form-control"

    def rows(self) -> list[tuple[Any, int, Any, Any]]:
        """(order line, units at most, field of units, field of the reason)."""
        found = [(ln, most, self[f"units_{ln.pk}"], self[f"reason_{ln.pk}"]) for ln, most in self.lines]
        return [row for row in found if row[1] or row[2].errors]

    def given(self) -> dict[str, Any]:
        """What the service takes."""
        typed = self.cleaned_data
        lines = {
            line.pk: (typed.get(f"units_{line.pk}") or 0, typed.get(f"reason_{line.pk}") or "")
            for line, _most in self.lines
        }
        return {
            "lines": lines, "wants": typed["wants"], "note": typed["note"], "key": key_of_form(typed["key"], typed),
        }  # fmt: skip

    def take_errors(self, error: InvalidInput) -> None:
        """Put the service's complaints to the fields they are about."""
        for name, found in error.errors.items():
            field = name.replace("line_", "units_", 1)
            shown = [ValidationError(str(message)) for message in found]
            self.add_error(field if field in self.fields else None, ValidationError(shown))
