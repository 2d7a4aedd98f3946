"""The forms of the checkout: Oscar's address forms with Brazil's rules, and the choice of a payment method."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from oscar.apps.checkout import forms as oscar_forms
from oscar.core.loading import get_class

from . import addresses, identity

UserAddressForm = get_class("address.forms", "UserAddressForm")


class AddressRulesMixin:
    """For an address form of Oscar: CEP with and without hyphen, one of the 27 states, labels a Brazilian knows."""

    def limit_countries(self, codes) -> None:
        """Offer only these countries (ISO codes); a single one is not asked for."""
        if "country" in self.fields:
            queryset = self.fields["country"].queryset.filter(pk__in=list(codes))
            self.fields["country"].queryset = queryset
            if len(queryset) == 1:
                self.instance.country = queryset[0]
                del self.fields["country"]
        self.adapt_to_country()

    def adapt_to_country(self) -> None:
        """With Brazil as the only country, ask for the state as a list and name the lines."""
        if "country" in self.fields or self.instance.country_id != "BR":
            return
        for name, label in addresses.BRAZILIAN_LABELS.items():
            if name in self.fields:
                self.fields[name].label = label
        self.fields["state"] = self.state_field()
        self.fields["postcode"].widget.attrs.update({"inputmode": "numeric", "placeholder": "01310-100"})

    def state_field(self) -> forms.ChoiceField:
        label = addresses.BRAZILIAN_LABELS["state"]
        blank = [("", _("Choose the state"))]
        try:
            from localflavor.br.forms import BRStateChoiceField
        except ImportError:
            return forms.ChoiceField(label=label, choices=blank + list(addresses.STATES.items()))
        field = BRStateChoiceField(label=label)
        field.widget.choices = blank + list(addresses.STATES.items())
        return field  # type: ignore[return-value]

    def clean(self):
        cleaned = super().clean()
        country = self.get_country()
        if country is None or country.pk != "BR":
            return cleaned
        for name, normalise in (("postcode", addresses.normalise_cep), ("state", addresses.normalise_state)):
            if name in self.errors:
                continue
            try:
                cleaned[name] = normalise(cleaned.get(name) or "")
            except ValidationError as error:
                self.add_error(name, error)
        return cleaned


class ShippingAddressForm(AddressRulesMixin, oscar_forms.ShippingAddressForm):
    pass


class CheckoutUserAddressForm(AddressRulesMixin, UserAddressForm):  # type: ignore[valid-type]
    """The address book's form as the checkout shows it."""


class PaymentMethodForm(forms.Form):
    """How to pay, and the buyer's tax number where the country asks for one."""

    payment_method = forms.ChoiceField(
        label=_("How would you like to pay?"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose how you would like to pay."),
            "invalid_choice": _("This way to pay is not offered here. Choose one of the list."),
        },
    )
    tax_id_kind = forms.ChoiceField(label=_("Kind of tax number"), widget=forms.RadioSelect, required=False)
    tax_id = forms.CharField(
        label=_("Tax number"),
        required=False,
        max_length=identity.MAX_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"max_length": _("A tax number has at most %(limit_value)d characters.")},
    )

    def __init__(self, *args, methods, rule: identity.IdentityRule, **kwargs):
        super().__init__(*args, **kwargs)
        self.methods = {method.code: method for method in methods}
        self.rule = rule
        self.identity: identity.TaxIdentity | None = None
        if self.methods:
            self.fields["payment_method"].choices = [(code, method.label) for code, method in self.methods.items()]
        else:
            del self.fields["payment_method"]
        if not rule.kinds:
            del self.fields["tax_id"], self.fields["tax_id_kind"]
            return
        examples = [identity.EXAMPLES[kind] for kind in rule.kinds if kind in identity.EXAMPLES]
        self.fields["tax_id"].help_text = _("For example %(examples)s; with or without punctuation.") % {
            "examples": ", ".join(examples)
        }
        if len(rule.kinds) == 1:
            self.fields["tax_id"].label = identity.LABELS.get(rule.kinds[0], rule.kinds[0])
            del self.fields["tax_id_kind"]
        else:
            self.fields["tax_id_kind"].choices = rule.choices
            self.fields["tax_id_kind"].initial = rule.kinds[0]
        self.fields["tax_id"].required = rule.required

    def clean(self):
        cleaned = super().clean() or {}
        if "tax_id" not in self.fields or "tax_id" in self.errors or "tax_id_kind" in self.errors:
            return cleaned
        if number := (cleaned.get("tax_id") or "").strip():
            # The kind that was ticked, else any other that the number is: a CNPJ under "CPF" is no mistake to punish.
            ticked = cleaned.get("tax_id_kind") or self.rule.kinds[0]
            try:
                self.identity = identity.check_any((ticked, *self.rule.kinds), number)
            except ValidationError as error:
                self.add_error("tax_id", error)
        return cleaned

    @property
    def method(self):
        """The chosen ``PaymentMethod``, None when the shop offers none. Only for a valid form."""
        return self.methods.get(self.cleaned_data.get("payment_method", ""))
