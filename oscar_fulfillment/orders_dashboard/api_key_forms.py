"""The form of a key of the API. The service checks what is typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import ApiKey
from oscar_fulfillment.services import api_keys


class ApiKeyForm(forms.Form):
    """A key as a manager enters it: a new one, or what an existing one may do."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    name = forms.CharField(
        max_length=100,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Whose key it is, for example “ERP of the warehouse”."),
    )
    system = forms.SlugField(
        max_length=32,
        label=gettext_lazy("System"),
        help_text=gettext_lazy("Keys of one system share what it has acknowledged. It cannot be changed later."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    scopes = forms.MultipleChoiceField(label=gettext_lazy("What it may do"), widget=forms.CheckboxSelectMultiple)
    flows = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Only orders of these flows"),
        help_text=gettext_lazy("None marked: of all."),
        widget=forms.CheckboxSelectMultiple,
    )
    partner: Any = forms.ModelChoiceField(
        queryset=None,
        required=False,
        label=gettext_lazy("Only orders and stock of this partner"),
        help_text=gettext_lazy("Orders with goods of somebody else too are out of reach then."),
        empty_label=gettext_lazy("Of all"),
    )
    expires_at = forms.DateTimeField(
        required=False,
        label=gettext_lazy("Ends"),
        help_text=gettext_lazy("Empty: it works until it is switched off."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, data: Any = None, *, key: ApiKey | None = None):
        self.key = key
        kept = key or ApiKey(scopes=["orders:read", "orders:ack"])
        names = ("name", "system", "scopes", "flows", "partner", "expires_at")
        initial = {"seen": key.version if key else 0, **{name: getattr(kept, name) for name in names}}
        super().__init__(data, initial=initial)
        if key is not None:
            del self.fields["system"]
        self.fields["partner"].queryset = get_model("partner", "Partner")._default_manager.all()  # type: ignore[attr-defined]
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]
            (name, format_lazy("{} ({})", label, name)) for name, label in api_keys.SCOPES.items()
        ]
        self.fields["flows"].choices = [(name, flow.label) for name, flow in flows().items()]  # type: ignore[attr-defined]
        for field in self.fields.values():
            checks = (forms.CheckboxSelectMultiple, forms.CheckboxInput)
            css = "form-check-input" if isinstance(field.widget, checks) else "form-control no-widget-init"
            field.widget.attrs["class"] = css

    def save(self, actor: Actor) -> tuple[ApiKey, str]:
        """The key, and for a new one the secret to be shown. Raises what the service raises."""
        values = dict(self.cleaned_data)
        seen = values.pop("seen")
        if self.key is None:
            return api_keys.make_key(actor=actor, values=values)
        return api_keys.change_key(key=self.key, actor=actor, values=values, seen=seen), ""

    def take_errors(self, error: InvalidInput) -> None:
        """Show what the service refused beside the fields it is about."""
        for name, found in error.errors.items():
            self.add_error(name if name in self.fields else None, ValidationError([str(each) for each in found]))
