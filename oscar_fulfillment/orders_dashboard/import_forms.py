"""The form of a file that tells of parcels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.conf import settings


class UploadForm(forms.Form):
    """The file, and what it does not say itself."""

    file = forms.FileField(
        label=_("File with tracking codes, or OCOREN file"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.edi,.oco,text/csv,text/plain"}),
        help_text=_("CSV with order numbers and tracking codes, or what the carrier sends as OCOREN 3.0, 3.1 or 5.0."),
    )
    carrier = forms.ChoiceField(
        label=_("Carrier"), required=False, widget=forms.Select(attrs={"class": "custom-select no-widget-init"}),
        help_text=_("Of rows that name none."),
    )  # fmt: skip
    replaces = forms.ChoiceField(
        label=_("A new code for a parcel that has left already"),
        widget=forms.Select(attrs={"class": "custom-select no-widget-init"}),
        choices=[("1", _("takes the place of the old one")), ("0", _("is one more parcel"))],
    )
    notify = forms.ChoiceField(
        label=_("Customers"),
        widget=forms.Select(attrs={"class": "custom-select no-widget-init"}),
        choices=[("1", _("are mailed their tracking code")), ("0", _("are not mailed"))],
    )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        offered = [(alias, carriers.get(alias).name) for alias in carriers]
        self.fields["carrier"].choices = [("", gettext("As the file or the order says")), *offered]  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"help_{name}"

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        limit = settings.STATEMENT_MAX_BYTES
        if file.size > limit:
            message = gettext("The file is larger than %(limit)d MB.")
            raise forms.ValidationError(message % {"limit": limit // 1_000_000})
        return file

    @property
    def answers(self) -> dict[str, Any]:
        """What ``services.tracking_imports.start_import`` wants beside the file."""
        given = self.cleaned_data
        return {
            "carrier": given["carrier"],
            "replaces": given["replaces"] == "1",
            "notify": given["notify"] == "1",
        }
