"""The forms of missing goods: what is ordered from a supplier, and what came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.transitions import new_key

_CHECK = {"class": "form-check-input"}


class _QuantitiesForm(forms.Form):
    """A field of units for each row: (id, title, how many are offered, how many at most)."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, rows: Iterable[tuple[int, str, int, int]], data: Any = None, **kwargs: Any):
        kwargs["initial"] = {"key": new_key(), **kwargs.get("initial", {})}
        super().__init__(data, **kwargs)
        self.pks: list[int] = []
        for pk, title, offered, most in rows:
            self.pks.append(pk)
            self.fields[f"line_{pk}"] = forms.IntegerField(
                label=gettext("Units of %(title)s") % {"title": title},
                min_value=0,
                max_value=most,
                initial=offered,
                required=False,
                widget=forms.NumberInput(
                    attrs={"class": "form-control form-control-sm ff-units", "inputmode": "numeric"}
                ),
            )

    @property
    def quantities(self) -> dict[int, int]:
        return {pk: self.cleaned_data[f"line_{pk}"] or 0 for pk in self.pks}

    def quantity_fields(self) -> Iterator[tuple[int, Any]]:
        for pk in self.pks:
            yield pk, self[f"line_{pk}"]

    def refuse(self, error: InvalidInput) -> None:
        """Show what the service says at the fields it names, the rest above the form."""
        for name, told in error.errors.items():
            for message in told:
                self.add_error(name if name in self.fields and name != "key" else None, str(message))


class SupplierOrderForm(_QuantitiesForm):
    """What is ordered, and whether the supplier gets a mail."""

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    send_mail = forms.BooleanField(
        label=_("Mail the order to the supplier"),
        required=False,
        initial=True,
        widget=forms.CheckboxInput(attrs=_CHECK),
    )
    email = forms.CharField(
        label=_("Supplier’s e-mail"), required=False, max_length=254,
        widget=forms.EmailInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )  # fmt: skip
    expected_on = forms.DateField(
        label=_("Expected on"), required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"class": "form-control", "type": "date"}),
    )  # fmt: skip
    note = forms.CharField(
        label=_("Note to the supplier"),
        required=False,
        widget=forms.Textarea(attrs={"class": "form-control", "rows": 3}),
    )
    reference = forms.CharField(
        label=_("Your reference"), required=False, max_length=64,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
        help_text=_("The number in your purchasing, if there is one."),
    )  # fmt: skip

    def clean_note(self) -> str:
        note = self.cleaned_data["note"]
        return str(note)[: settings.MAX_TEXT + 1]  # the service says that it is too long

    @property
    def texts(self) -> dict[str, Any]:
        """What stays when the figures are shown anew."""
        return {name: self.cleaned_data[name] for name in ("send_mail", "email", "expected_on", "reference", "note")}

    @property
    def answers(self) -> dict[str, Any]:
        return {**self.texts, "seen": self.cleaned_data["seen"], "key": self.cleaned_data["key"]}


class ReceiptForm(_QuantitiesForm):
    """What came, and whether it is counted into the stock."""

    add_to_stock = forms.BooleanField(
        label=_("Count these units into the stock"), required=False, initial=True,
        widget=forms.CheckboxInput(attrs=_CHECK),
        help_text=_("Switch it off where another system keeps the stock."),
    )  # fmt: skip
