"""The forms around notes: the buyer as the note names them, reasons, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.fiscal.emission.municipalities import STATE_CODES
from oscar_fulfillment.fiscal.emission.requests import CORRECTION_TEXT, REASON
from oscar_fulfillment.selectors.note_buyer import FIELDS

_LIMITS = {"name": 60, "ie": 14, "number": 60, "postcode": 9, "phone": 20}
_HELP: dict[str, Any] = {
    "ie": gettext_lazy("Only of a firm that is a taxpayer; else leave it empty."),
    "number": gettext_lazy("S/N where there is none."),
}


class BuyerForm(forms.Form):
    """The buyer of a note. What is changed here counts for the note alone; the order stays as it is."""

    def __init__(self, data: Any = None, *, buyer: Mapping[str, str]):
        super().__init__(data, initial=dict(buyer))
        for name, label in FIELDS.items():
            if name == "state":
                choices = [("", "---"), *((state, state) for state in sorted(STATE_CODES))]
                self.fields[name] = forms.ChoiceField(label=label, choices=choices, required=False)
                css = "custom-select no-widget-init ff-short"
            else:
                self.fields[name] = forms.CharField(label=label, required=False, max_length=_LIMITS.get(name, 100))
                css = "form-control"
            self.fields[name].help_text = _HELP.get(name, "")
            widget = self.fields[name].widget
            widget.attrs["class"] = css
            if name in _HELP:
                widget.attrs["aria-describedby"] = f"id_{name}_helptext"

    def corrections(self) -> dict[str, str]:
        """What was typed, field by field. Only for a valid form."""
        return {name: self.cleaned_data[name] for name in FIELDS}


class TextForm(forms.Form):
    """A text that goes to the tax office, within its bounds."""

    text = forms.CharField(widget=forms.Textarea(attrs={"class": "form-control", "rows": 3}), strip=True)

    def __init__(self, data: Any = None, *, action: str):
        super().__init__(data, auto_id=f"id_{action}_%s")
        least, most = CORRECTION_TEXT if action == "correct" else REASON
        labels = {
            "cancel": _("Why is the note cancelled?"),
            "correct": _("What is right"),
            "give_up": _("Why is the note given up?"),
        }
        field = self.fields["text"]
        field.label = labels[action]
        field.help_text = _("%(least)d to %(most)d letters. They go to the tax office.") % {
            "least": least,
            "most": most,
        }
        field.widget.attrs |= {
            "minlength": least, "maxlength": most, "aria-describedby": f"id_{action}_text_helptext",
        }  # fmt: skip


class VoidForm(forms.Form):
    """Numbers to be voided."""

    first = forms.IntegerField(label=gettext_lazy("From number"), min_value=1, max_value=999_999_999)
    last = forms.IntegerField(label=gettext_lazy("To number"), min_value=1, max_value=999_999_999)
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=255)


class NumberForm(forms.Form):
    """The number to go on with."""

    number = forms.IntegerField(label=gettext_lazy("Next number"), min_value=1, max_value=999_999_999)
