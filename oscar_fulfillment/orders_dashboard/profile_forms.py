"""The form of a tax profile: codes and rates, as an accountant writes them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.fiscal.emission import rules as tax
from oscar_fulfillment.fiscal.emission.municipalities import STATE_CODES
from oscar_fulfillment.fiscal.emission.rules import TaxRules, read_rate, rules_from_json
from oscar_fulfillment.models import TaxProfile
from oscar_fulfillment.services.tax_profiles import last_change, save_tax_profile

LABELS: dict[str, Any] = {
    "name": gettext_lazy("Name"),
    "product_class": gettext_lazy("For which articles"),
    "ncm": gettext_lazy("NCM"),
    "cest": gettext_lazy("CEST"),
    "origin": gettext_lazy("Origin"),
    "unit": gettext_lazy("Unit"),
    "cfop_inside": gettext_lazy("CFOP inside the state"),
    "cfop_outside": gettext_lazy("CFOP to other states"),
    "cfop_outside_firm": gettext_lazy("CFOP to taxpayers of other states"),
    "icms": gettext_lazy("ICMS (CST or CSOSN)"),
    "icms_rate": gettext_lazy("Rate inside the state (%)"),
    "icms_rate_outside": gettext_lazy("Rate between states (%)"),
    "icms_reduction": gettext_lazy("Reduction of the base (%)"),
    "fcp_rate": gettext_lazy("Poverty fund inside the state (%)"),
    "credit_rate": gettext_lazy("Credit of Simples for the buyer (%)"),
    "benefit": gettext_lazy("Tax benefit (cBenef)"),
    "destinations": gettext_lazy("Inner rates of other states"),
    "pis": gettext_lazy("PIS (CST)"),
    "pis_rate": gettext_lazy("Rate of PIS (%)"),
    "cofins": gettext_lazy("COFINS (CST)"),
    "cofins_rate": gettext_lazy("Rate of COFINS (%)"),
    "excludes_icms": gettext_lazy("The ICMS leaves the base of PIS and COFINS"),
    "ipi": gettext_lazy("IPI (CST)"),
    "ipi_rate": gettext_lazy("Rate of IPI (%)"),
    "ipi_framework": gettext_lazy("Framework of IPI (cEnq)"),
    "class_code": gettext_lazy("Tax class of IBS and CBS (cClassTrib)"),
    "ibs_state_rate": gettext_lazy("IBS of the state (%)"),
    "ibs_city_rate": gettext_lazy("IBS of the city (%)"),
    "cbs_rate": gettext_lazy("CBS (%)"),
    "note_text": gettext_lazy("Text on the note"),
    "reason": gettext_lazy("Why is it changed?"),
}
HELP: dict[str, Any] = {
    "ncm": gettext_lazy("Eight digits. An article's own attribute “ncm” goes before it."),
    "cfop_outside_firm": gettext_lazy("Empty: the same as to everybody in other states."),
    "icms_rate_outside": gettext_lazy("Empty: 4, 7 or 12 as the law says for the two states and the origin."),
    "destinations": gettext_lazy(
        "One state a line: its rate, and its poverty fund's if it has one, for example “PE 20,5” or “RJ 20 2”. For "
        "sales of the normal regime to buyers who are no taxpayers."
    ),
    "ipi": gettext_lazy("Empty where the firm does not deal with IPI. The price contains it."),
    "class_code": gettext_lazy("Six digits, for example 000001. Empty: the note has no group of IBS and CBS."),
    "note_text": gettext_lazy("For example what Simples Nacional asks for."),
}
GROUPS: tuple[tuple[str, Any, Any, tuple[str, ...]], ...] = (
    ("what", gettext_lazy("What it is for"), "", ("name", "product_class", "ncm", "cest", "origin", "unit")),
    ("operation", gettext_lazy("The sale"), "", ("cfop_inside", "cfop_outside", "cfop_outside_firm")),
    (
        "icms", gettext_lazy("ICMS"),
        gettext_lazy("Two digits for the normal regime, three (CSOSN) for Simples Nacional and MEI."),
        ("icms", "icms_rate", "icms_rate_outside", "icms_reduction", "fcp_rate", "credit_rate", "benefit",
         "destinations"),
    ),
    ("contributions", gettext_lazy("PIS and COFINS"), "",
     ("pis", "pis_rate", "cofins", "cofins_rate", "excludes_icms")),
    ("ipi", gettext_lazy("IPI"), "", ("ipi", "ipi_rate", "ipi_framework")),
    ("reform", gettext_lazy("IBS and CBS"), "", ("class_code", "ibs_state_rate", "ibs_city_rate", "cbs_rate")),
    ("rest", gettext_lazy("Words"), "", ("note_text", "reason")),
)  # fmt: skip
_CHOICES = {
    "origin": tax.ORIGINS,
    "icms": tax.ICMS,
    "pis": tax.CONTRIBUTIONS,
    "cofins": tax.CONTRIBUTIONS,
    "ipi": tax.IPI,
}
_RATES = ("icms_rate", "icms_rate_outside", "icms_reduction", "fcp_rate", "credit_rate", "pis_rate", "cofins_rate",
          "ipi_rate", "ibs_state_rate", "ibs_city_rate", "cbs_rate")  # fmt: skip
_LONG = {"destinations": 5, "note_text": 2, "reason": 2}


class RateField(forms.CharField):
    """A percentage, with comma or point."""

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value) or "").strip().rstrip("%").strip()
        if not text:
            return None
        rate = read_rate(text)
        if rate is None or rate > 100:
            raise ValidationError(_("A rate is between 0 and 100 percent."))
        return rate


class ProfileForm(forms.Form):
    """Everything of a profile. Gaps may stay: the page and the notes name them."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    excludes_icms = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, profile: TaxProfile | None = None, product_class: int | None = None):
        self.profile = profile
        rules = rules_from_json(profile.rules) if profile is not None else TaxRules()
        super().__init__(data, initial=self._initial(rules, profile, product_class))
        for _key, _title, _about, names in GROUPS:
            for name in names:
                self.fields[name] = self.fields.get(name) or self._field(name)
                self._dress(name)

    def _initial(self, rules: TaxRules, profile: TaxProfile | None, product_class: int | None) -> dict[str, Any]:
        found: dict[str, Any] = dict(rules.__dict__)
        for name in _RATES:
            value = found[name]
            found[name] = "" if value is None or (not value and profile is None) else _plain(value)
        found["destinations"] = "\n".join(
            " ".join([state, _plain(inner), *([_plain(fund)] if fund else [])])
            for state, (inner, fund) in sorted(rules.destinations.items())
        )
        found["seen"] = last_change(profile) if profile is not None else 0
        found["name"] = profile.name if profile is not None else ""
        found["product_class"] = (profile.product_class_id if profile is not None else product_class) or ""
        return found

    def _field(self, name: str) -> forms.Field:
        if name in _RATES:
            return RateField(required=False, max_length=10)
        if name in _CHOICES:
            return forms.ChoiceField(choices=[("", "---"), *_CHOICES[name].items()], required=False)
        if name == "product_class":
            classes = get_model("catalogue", "ProductClass")._default_manager.order_by("name")
            choices = [("", _("All others")), *((str(one.pk), one.name) for one in classes)]
            return forms.ChoiceField(choices=choices, required=False)
        if name in _LONG:
            return forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": _LONG[name]}))
        return forms.CharField(required=name == "name", max_length=80 if name == "name" else 20)

    def _dress(self, name: str) -> None:
        field = self.fields[name]
        field.label, field.help_text = LABELS[name], HELP.get(name, "")
        widget = field.widget
        if isinstance(widget, forms.CheckboxInput):
            widget.attrs["class"] = "form-check-input"
        else:
            is_select = isinstance(widget, forms.Select)
            widget.attrs["class"] = "custom-select no-widget-init" if is_select else "form-control"
            if name in _RATES:
                widget.attrs |= {"inputmode": "decimal", "class": "form-control ff-short"}
        if name in HELP:
            widget.attrs["aria-describedby"] = f"id_{name}_helptext"

    @property
    def fieldsets(self) -> Iterator[dict[str, Any]]:
        for key, title, about, names in GROUPS:
            yield {"key": key, "title": title, "about": about, "fields": [self[name] for name in names]}

    def clean_destinations(self) -> dict[str, tuple[Decimal, Decimal]]:
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for line in self.cleaned_data["destinations"].splitlines():
            parts = line.replace(";", " ").replace("%", " ").split()
            if not parts:
                continue
            rates = [read_rate(part) for part in parts[1:]]
            state = parts[0].upper()
            if state not in STATE_CODES or not 1 <= len(rates) <= 2 or None in rates:
                raise ValidationError(_("“%(line)s” is not a state with its rates.") % {"line": line.strip()[:40]})
            found[state] = (rates[0] or Decimal(0), rates[1] if len(rates) > 1 and rates[1] else Decimal(0))
        return found

    def clean_ncm(self) -> str:
        return "".join(self.cleaned_data["ncm"].replace(".", "").split())

    def clean_cest(self) -> str:
        return "".join(self.cleaned_data["cest"].replace(".", "").split())

    def rules(self) -> TaxRules:
        """What was typed. Only for a valid form."""
        given = self.cleaned_data
        values = {name: given[name] for name in TaxRules.__dataclass_fields__ if name in given}
        for name in _RATES:
            if values[name] is None and name != "icms_rate_outside":
                values[name] = Decimal(0)
        values["benefit"] = values["benefit"].upper().strip()
        values["ipi_framework"] = values["ipi_framework"] or "999"
        return TaxRules(**values)

    def save(self, actor: Actor) -> TaxProfile:
        """Raises what the service raises."""
        given = self.cleaned_data
        product_class = given["product_class"]
        return save_tax_profile(
            actor=actor, name=given["name"], product_class=int(product_class) if product_class else None,
            rules=self.rules(), reason=given["reason"], profile=self.profile, seen=given["seen"],
        )  # fmt: skip


def _plain(rate: Decimal) -> str:
    """A rate as people of this language write it."""
    normal = rate.normalize() if rate else Decimal(0)
    places = max(-int(normal.as_tuple().exponent), 0)
    return str(number_format(normal, decimal_pos=places, use_l10n=True))
