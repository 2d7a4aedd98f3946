"""The forms of the pages about bank statements and payouts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.conf import settings


class _UploadForm(forms.Form):
    currency = forms.RegexField(
        label=_("Currency"), regex="^[A-Za-z]{3}$", help_text=_("Only where the file does not say it."),
        widget=forms.TextInput(attrs={"maxlength": 3, "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["currency"].initial = django_settings.OSCAR_DEFAULT_CURRENCY
        for name, field in self.fields.items():
            if not isinstance(field.widget, forms.FileInput):
                css = "custom-select" if isinstance(field.widget, forms.Select) else "form-control"
                field.widget.attrs["class"] = css
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"help_{name}"

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        limit = settings.STATEMENT_MAX_BYTES
        if file.size > limit:
            message = _("The file is larger than %(limit)d MB. Export a shorter period.")
            raise forms.ValidationError(message % {"limit": limit // 1_000_000})
        return file


class StatementForm(_UploadForm):
    """A bank statement. Account and currency are asked for CSV files, which do not name them."""

    file = forms.FileField(
        label=_("File from the bank"),
        widget=forms.FileInput(attrs={"accept": ".xml,.csv,.txt,.camt,.053,text/csv,text/xml,text/plain"}),
    )
    account = forms.CharField(
        label=_("Account"), required=False, max_length=42, help_text=_("IBAN or number; only for CSV files."),
        widget=forms.TextInput(attrs={"list": "accounts", "autocomplete": "off"}),
    )  # fmt: skip
    field_order = ("file", "account", "currency")


class PayoutForm(_UploadForm):
    """A provider's payout file."""

    file = forms.FileField(
        label=_("File from the provider"), widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"})
    )
    provider = forms.ChoiceField(label=_("Provider"))
    reference = forms.CharField(
        label=_("Number of the payout"), required=False, max_length=128,
        help_text=_("As on the bank statement; it is written into each order’s history."),
    )  # fmt: skip
    field_order = ("file", "provider", "reference", "currency")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = [(alias, alias) for alias in settings.GATEWAYS]  # type: ignore[attr-defined]
