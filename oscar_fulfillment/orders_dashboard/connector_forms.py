"""The forms of other systems: what their logs are narrowed to, and their status rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms import formset_factory
from django.utils.translation import gettext_lazy

from oscar_fulfillment.connectors.records import Rule
from oscar_fulfillment.models import StatusRule
from oscar_fulfillment.selectors.connectors import systems
from oscar_fulfillment.services import connector_rules

from .connector_words import OUTCOMES, STATUSES, name_of

_SMALL = {"class": "form-control form-control-sm no-widget-init"}


class NarrowForm(forms.Form):
    """What of a log is shown. What is no choice counts as nothing chosen."""

    system = forms.ChoiceField(required=False, label=gettext_lazy("System"))
    status = forms.ChoiceField(required=False, label=gettext_lazy("Status"))
    number = forms.CharField(
        required=False, max_length=64, label=gettext_lazy("Order number"),
        widget=forms.TextInput(attrs={**_SMALL, "autocomplete": "off"}),
    )  # fmt: skip
    statuses: list[tuple[str, Any]] = []

    def __init__(self, data: Any = None, **kwargs: Any):
        super().__init__(data, **kwargs)
        named = [(alias, name_of(alias)) for alias in systems()]
        for name, choices in (("system", named), ("status", self.statuses)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", gettext_lazy("All")), *choices]
            field.widget.attrs.update(_SMALL)

    def chosen(self) -> dict[str, str]:
        """What is narrowed to, without what is not understood."""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        found = {name: str(value).replace("\x00", "") for name, value in given.items() if value}
        return {name: value for name, value in found.items() if value}


class ExportsForm(NarrowForm):
    """For the ledger."""

    statuses = [(status, label) for status, (label, _tone) in STATUSES.items()]


class ChangesForm(NarrowForm):
    """For what other systems said."""

    statuses = [
        ("trouble", gettext_lazy("Needs you")),
        *((status, label) for status, (label, _tone) in OUTCOMES.items()),
    ]


class RuleForm(forms.Form):
    """One rule; which fields count follows from its direction. The service checks them."""

    outside = forms.CharField(
        required=False, max_length=100, label=gettext_lazy("Their status"),
        widget=forms.TextInput(attrs={**_SMALL, "list": "outside-states", "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs["use_required_attribute"] = False
        super().__init__(*args, **kwargs)

    def is_blank(self) -> bool:
        """Whether this row is one of those for new rules that nobody used, or is taken away."""
        given = self.cleaned_data
        names = [name for name in self.fields if name not in ("DELETE", "wins")]
        return bool(given.get("DELETE")) or not any(given.get(name) for name in names)


class RuleInForm(RuleForm):
    """Their status moves ours."""

    step = forms.ChoiceField(required=False, label=gettext_lazy("Our step"))
    wins = forms.ChoiceField(required=False, label=gettext_lazy("When both have moved, who wins"))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        steps = [(name, step.label) for name, step in connector_rules.steps().items()]
        _choose(self, "step", [("", "–"), *steps])
        _choose(self, "wins", list(connector_rules.WINS.items()))


class RuleOutForm(RuleForm):
    """Our status shows as theirs."""

    payment = forms.ChoiceField(required=False, label=gettext_lazy("Payment status"))
    shipping = forms.ChoiceField(required=False, label=gettext_lazy("Shipping status"))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for machine in ("payment", "shipping"):
            _choose(self, machine, [("", gettext_lazy("any")), *connector_rules.states(machine).items()])


def _choose(form: forms.Form, name: str, choices: list[tuple[str, Any]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices
    field.widget.attrs.update(_SMALL)


_InSet = formset_factory(RuleInForm, extra=2, can_delete=True, max_num=connector_rules.MOST, absolute_max=250)
_OutSet = formset_factory(RuleOutForm, extra=2, can_delete=True, max_num=connector_rules.MOST, absolute_max=250)


class RuleSets:
    """Both directions of a connector's rules as one form."""

    def __init__(self, rules: list[Rule], data: Any = None):
        self.incoming = _InSet(data, prefix="in", initial=[
            {"outside": rule.outside, "step": rule.step, "wins": rule.wins}
            for rule in rules if rule.direction == StatusRule.IN
        ])  # fmt: skip
        self.outgoing = _OutSet(data, prefix="out", initial=[
            {"outside": rule.outside, "payment": rule.payment, "shipping": rule.shipping}
            for rule in rules if rule.direction == StatusRule.OUT
        ])  # fmt: skip

    def is_valid(self) -> bool:
        return all([self.incoming.is_valid(), self.outgoing.is_valid()])

    def kept(self) -> list[tuple[Any, dict[str, str]]]:
        """The rows that count, each with the values for ``connector_rules.save_rules``."""
        found = []
        for direction, rows in ((StatusRule.IN, self.incoming), (StatusRule.OUT, self.outgoing)):
            for form in rows.forms:
                if not form.is_blank():
                    values = {name: value for name, value in form.cleaned_data.items() if name != "DELETE"}
                    found.append((form, {"direction": direction, **values}))
        return found
