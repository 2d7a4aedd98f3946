"""What is exported to the accounts: the period and what of it, read from the URL."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.flows import flows
from oscar_fulfillment.selectors.journal import KINDS, Scope
from oscar_fulfillment.services.accounts import JOURNAL, KIND_LABELS, LOCALE, MACHINE, ORDERS
from oscar_fulfillment.services.accounts_period import last_month, make_scope


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": "form-control form-control-sm"})
    return forms.DateField(label=label, input_formats=["%Y-%m-%d"], widget=widget)


def _select(label: Any, choices: Any = (), **options: Any) -> forms.ChoiceField:
    widget = forms.Select(attrs={"class": "form-control form-control-sm"})
    return forms.ChoiceField(label=label, choices=choices, required=False, widget=widget, **options)


class AccountsForm(forms.Form):
    """Without any day given: the month before this one. The service checks the rest, and ``scope`` is what it made."""

    first = _day(gettext_lazy("From"))
    last = _day(gettext_lazy("To"))
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Kinds"), required=False, choices=[(kind, KIND_LABELS[kind]) for kind in KINDS],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    currency = forms.CharField(
        label=gettext_lazy("Currency"), required=False, max_length=12,
        widget=forms.TextInput(
            attrs={"class": "form-control form-control-sm", "autocomplete": "off", "placeholder": gettext_lazy("all")}
        ),
    )  # fmt: skip
    flow = _select(gettext_lazy("Flow"))
    decimals = _select(
        gettext_lazy("Sums"),
        [(MACHINE, gettext_lazy("1234.50, for programs")), (LOCALE, gettext_lazy("as in your language"))],
    )

    def __init__(self, data: Any):
        given = data.copy()
        if "first" not in given and "last" not in given:
            given["first"], given["last"] = (day.isoformat() for day in last_month())
            given.setlist("kinds", given.getlist("kinds") or list(KINDS))
        super().__init__(given)
        names = [(name, flow.label) for name, flow in flows().items()]
        self.fields["flow"].choices = [("", gettext_lazy("all")), *names]  # type: ignore[attr-defined]
        self.scope: Scope | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            wanted = {name: cleaned[name] for name in ("first", "last", "kinds", "currency", "flow")}
            try:
                self.scope = make_scope(**wanted)
            except InvalidInput as error:
                for name, told in error.errors.items():
                    for message in told:
                        self.add_error(name if name in self.fields else None, str(message))
        return cleaned

    @property
    def decimal_style(self) -> str:
        return self.cleaned_data.get("decimals") or MACHINE

    @cached_property
    def query(self) -> str:
        """What is chosen, for the links of the downloads."""
        given = self.data.copy()
        for name in set(given) - set(self.fields):
            del given[name]
        return given.urlencode()


def what_of(data: Any) -> str:
    """Journal or orders; "" for anything else."""
    what = data.get("what", JOURNAL)
    return what if what in (JOURNAL, ORDERS) else ""
