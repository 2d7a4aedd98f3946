"""The form of a payment method: what a merchant decides about it, in groups, each with its own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.flows import flows
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import Capability
from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.models import payment as words
from oscar_fulfillment.selectors import method_words
from oscar_fulfillment.selectors.payment_methods import gateway_or_none, last_change
from oscar_fulfillment.services.method_rules import default_of
from oscar_fulfillment.services.payment_methods import save_payment_method

from .method_texts import FIELDSETS, HELP, LABELS

BY_HAND = f"{words.MANUAL}|"


class PaymentMethodForm(forms.Form):
    """Everything about a method but its customers, who are added one by one. The service checks how it fits together.

    ``method`` is changed; without one a method is made, from the values of ``source`` (a copy) where there is one.
    """

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    code = forms.SlugField(max_length=64, required=False)
    paid_by = forms.ChoiceField()
    capture = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (words.CAPTURE_NOW, gettext_lazy("At once")),
            (words.CAPTURE_LATER, gettext_lazy("Hold the sum first, take it later")),
        ],
    )
    capture_at = forms.ChoiceField(
        required=False,
        widget=forms.RadioSelect,
        choices=[
            (words.BY_HAND, gettext_lazy("When a person says so")),
            (words.AT_DISPATCH, gettext_lazy("When the goods are sent")),
        ],
    )
    hold_end = forms.ChoiceField(
        required=False,
        widget=forms.RadioSelect,
        choices=[
            (words.GIVE_BACK, gettext_lazy("Warn, and let the provider give the sum back")),
            (words.TAKE, gettext_lazy("Take the sum before the hold ends")),
        ],
    )
    hold_days = forms.IntegerField(required=False)
    hold_warning_hours = forms.IntegerField(required=False)
    retry_hours = forms.IntegerField(required=False)
    reservation_days = forms.IntegerField(required=False)
    reminder_days = forms.IntegerField(required=False)
    cancel_days = forms.IntegerField(required=False)
    due_days = forms.IntegerField(required=False)
    ships_before_payment = forms.BooleanField(required=False)
    paid_on_delivery = forms.BooleanField(required=False)
    completes_when_paid = forms.BooleanField(required=False)
    awaits_payout = forms.BooleanField(required=False)
    sends_invoice = forms.BooleanField(required=False)
    audience = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (words.EVERYONE, gettext_lazy("Everyone")),
            (words.GROUPS, gettext_lazy("Only groups of customers, such as dealers")),
            (words.CUSTOMERS, gettext_lazy("Only customers it is enabled for, one by one")),
        ],
    )
    groups = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    countries = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    currencies = forms.CharField(required=False, max_length=200)
    flows = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    is_active = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, method: PaymentMethod | None = None, source: PaymentMethod | None = None):
        self.method = method
        kept = method or source or PaymentMethod(code="", name="", is_active=False)
        self.languages = other_languages()
        super().__init__(data, initial=self._initial(kept, is_copy=method is None and source is not None))
        self._add_texts()
        self._fill_choices(kept)
        if method is not None:
            self.fields["code"].disabled = True
        for name, field in self.fields.items():
            self._dress(name, field)

    # What is shown

    def _initial(self, kept: PaymentMethod, *, is_copy: bool) -> dict[str, Any]:
        columns = {field.name for field in PaymentMethod._meta.concrete_fields} & set(self.base_fields)
        found = {name: getattr(kept, name) for name in columns}
        found["seen"] = last_change(self.method)
        found["paid_by"] = f"{kept.provider}|{kept.provider_method}" if kept.is_run_by_provider else BY_HAND
        found["groups"] = [str(group.pk) for group in kept.groups.all()] if kept.pk else []
        found["currencies"] = ", ".join(kept.currencies)
        found["name"] = kept.text("name", django_settings.LANGUAGE_CODE)
        found["instructions"] = kept.text("instructions", django_settings.LANGUAGE_CODE)
        for code, _label in self.languages:
            texts = kept.translations.get(code) or {}
            found[f"name_{code}"], found[f"instructions_{code}"] = texts.get("name"), texts.get("instructions")
        if is_copy:
            found |= {"code": "", "is_active": False, "name": _("%(name)s (copy)") % {"name": found["name"]}}
        return found

    def _add_texts(self) -> None:
        for code, label in (("", ""), *self.languages):
            suffix = f"_{code}" if code else ""
            name, text = LABELS["name"], LABELS["instructions"]
            if code:
                name = _("Name: %(language)s") % {"language": label}
                text = _("Instructions: %(language)s") % {"language": label}
            self.fields[f"name{suffix}"] = forms.CharField(label=name, required=not code, max_length=128)
            self.fields[f"instructions{suffix}"] = forms.CharField(
                label=text, required=False, widget=forms.Textarea(attrs={"rows": 3})
            )
            if code:
                for field in ("name", "instructions"):
                    self.fields[f"{field}_{code}"].widget.attrs["lang"] = code

    def _fill_choices(self, kept: PaymentMethod) -> None:
        self.fields["paid_by"].choices, holding = provider_choices(kept)  # type: ignore[attr-defined]
        self.fields["paid_by"].widget.attrs["data-holding"] = " ".join(holding)
        choices: Mapping[str, list[tuple[str, str]]] = {
            "groups": [(str(group.pk), group.name) for group in Group._default_manager.order_by("name")],
            "countries": country_choices(kept.countries),
            "flows": [(name, f"{flow.label or name}") for name, flow in flows().items()]
            + [(name, name) for name in kept.flows if name not in flows()],
        }
        for name, found in choices.items():
            self.fields[name].choices = found  # type: ignore[attr-defined]

    def _dress(self, name: str, field: forms.Field) -> None:
        field.label = LABELS.get(name, field.label)
        field.help_text = HELP.get(name, "")
        widget = field.widget
        if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple | forms.CheckboxInput):
            css = "form-check-input"
        elif isinstance(widget, forms.Select):
            css = "custom-select no-widget-init"
        else:
            css = "form-control no-widget-init"
        if isinstance(widget, forms.NumberInput):
            widget.attrs |= {"min": 0 if name.endswith("_hours") else 1, "inputmode": "numeric"}
            css += " ff-short"
        if not widget.is_hidden:
            widget.attrs["class"] = css

    @property
    def fieldsets(self) -> Iterator[dict[str, Any]]:
        """The groups of the form as the template shows them; ``when`` says to a script where a row applies."""
        for group in FIELDSETS:
            rows = [{"field": self[name], "when": when} for name, when in group.fields]
            yield {"key": group.key, "title": group.title, "about": group.about, "rows": rows}

    @property
    def other_texts(self) -> Iterator[dict[str, Any]]:
        """Name and instructions of each other language."""
        for code, label in self.languages:
            fields = [self[f"name_{code}"], self[f"instructions_{code}"]]
            yield {"label": label, "fields": fields, "is_wrong": any(field.errors for field in fields)}

    # What is read

    def clean_currencies(self) -> list[str]:
        """Codes in capitals, each once, however they are separated."""
        typed = self.cleaned_data["currencies"].upper().replace(",", " ").replace(";", " ").split()
        return list(dict.fromkeys(typed))

    def values(self) -> dict[str, Any]:
        """What the service is to write. Only for a valid form."""
        given = dict(self.cleaned_data)
        provider, _bar, provider_method = given.pop("paid_by").partition("|")
        by_hand = provider == words.MANUAL and not provider_method
        translations = dict(self.method.translations) if self.method is not None else {}
        # What is typed above as the shop's own language is the text of that language.
        for code in {django_settings.LANGUAGE_CODE.lower(), django_settings.LANGUAGE_CODE.lower().partition("-")[0]}:
            translations.pop(code, None)
        for code, _label in self.languages:
            name, text = given.pop(f"name_{code}"), given.pop(f"instructions_{code}")
            texts = {"name": name, "instructions": text.replace("\r\n", "\n")}
            translations[code] = {key: value for key, value in texts.items() if value}
            if not translations[code]:
                del translations[code]
        given["instructions"] = given["instructions"].replace("\r\n", "\n")
        for name in ("retry_hours", "hold_warning_hours"):
            given[name] = default_of(name) if given[name] is None else given[name]
        for name, usual in (("capture_at", words.BY_HAND), ("hold_end", words.GIVE_BACK)):
            given[name] = given[name] or usual
        return given | {
            "kind": words.MANUAL if by_hand else words.GATEWAY,
            "provider": "" if by_hand else provider,
            "provider_method": provider_method,
            "translations": translations,
        }

    def save(self, actor: Actor) -> PaymentMethod:
        """Hand the values to the service. Raises what it raises."""
        return save_payment_method(
            actor=actor, values=self.values(), method=self.method, seen=self.cleaned_data["seen"]
        )

    def take_errors(self, error: InvalidInput) -> None:
        """Show what the service refused beside the fields it is about."""
        for name, found in error.errors.items():
            visible = name in self.fields and not self.fields[name].widget.is_hidden
            self.add_error(name if visible else None, ValidationError([str(message) for message in found]))


def other_languages() -> list[tuple[str, str]]:
    """The shop's languages but its own, which has the plain fields."""
    own = django_settings.LANGUAGE_CODE.lower()
    return [(code.lower(), str(label)) for code, label in django_settings.LANGUAGES if code.lower() != own]


def provider_choices(kept: PaymentMethod) -> tuple[list[Any], list[str]]:
    """What a method may be paid by, grouped by provider, and those of them that can be held."""
    choices: list[Any] = [(BY_HAND, _("By hand: a person approves the payment"))]
    known, holding = {BY_HAND}, []
    for alias in gateways:
        gateway = gateway_or_none(alias)
        if gateway is None:
            continue
        found = []
        for code, (label, _capabilities) in gateway.methods.items():
            value = f"{alias}|{code}"
            known.add(value)
            if Capability.HOLD in gateway.capabilities(code):
                holding.append(value)
            found.append((value, f"{label}"))
        name = str(gateway.name or alias)
        choices.append((name if name.replace(" ", "").casefold() == alias else f"{name} ({alias})", found))
    present = f"{kept.provider}|{kept.provider_method}"
    if kept.is_run_by_provider and present not in known:
        choices.append((present, _("%(provider)s (not configured)") % {"provider": method_words.by_whom(kept)}))
    return choices, holding


def country_choices(kept: list[str]) -> list[tuple[str, str]]:
    """The countries the shop ships to, and those a method names already."""
    Country = get_model("address", "Country")
    codes = set(Country._default_manager.filter(is_shipping_country=True).values_list("pk", flat=True)) | set(kept)
    return sorted(((code, method_words.country_name(code)) for code in codes), key=lambda pair: pair[1])
