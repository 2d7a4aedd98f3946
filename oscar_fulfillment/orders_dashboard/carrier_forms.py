"""The forms of the carriers' pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import CarrierSetup
from oscar_fulfillment.selectors.carriers_page import CarrierRow
from oscar_fulfillment.services import carrier_setup


class _CarrierForm(forms.Form):
    is_active = forms.BooleanField(
        label=_("In use"), required=False, initial=True,
        help_text=_("What is out of use cannot be chosen; parcels that are on their way are followed as before."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            widget = field.widget
            widget.attrs.setdefault(
                "class", "form-check-input" if isinstance(widget, forms.CheckboxInput) else "form-control"
            )

    def take_errors(self, error: InvalidInput) -> None:
        """What the service found wrong, at its field."""
        for name, messages in error.errors.items():
            self.add_error(name if name in self.fields else None, [str(message) for message in messages])


class SwitchesForm(_CarrierForm):
    """What may be switched on a carrier of the settings: only what it can do is asked."""

    automatic_tracking_mail = forms.BooleanField(
        label=_("Mails the tracking link by itself"), required=False,
        help_text=_("At every dispatch, without asking."),
    )  # fmt: skip
    creates_orders = forms.BooleanField(
        label=_("Ordered by itself at release"), required=False,
        help_text=_("The carrier gets its order at the release, and the customer the number when it comes."),
    )  # fmt: skip
    dispatches_on_pickup = forms.BooleanField(
        label=_("Sent when the carrier has it"), required=False,
        help_text=_("A parcel counts as sent, and the customer is told, once the carrier says that it has it."),
    )  # fmt: skip
    is_polled = forms.BooleanField(
        label=_("Asked for its parcels"), required=False,
        help_text=_("Ended when the carrier's own notifications are enough."),
    )  # fmt: skip

    def __init__(self, *args: Any, row: CarrierRow, **kwargs: Any) -> None:
        self.row = row
        given = {name: bool(getattr(row.adapter, name, False)) for name in carrier_setup.SWITCHES}
        super().__init__(*args, initial={"is_active": row.is_active, **given}, **kwargs)
        for name, capability in carrier_setup.SWITCHES.items():
            if not row.can(capability):
                del self.fields[name]

    def save(self, actor: Actor) -> CarrierSetup:
        typed = self.cleaned_data
        switches = {name: typed[name] for name in carrier_setup.SWITCHES if name in typed}
        return carrier_setup.save_switches(
            alias=self.row.alias, is_active=typed["is_active"], actor=actor, **switches
        )  # fmt: skip


class OwnCarrierForm(_CarrierForm):
    """A carrier that is no more than its tracking page."""

    field_order = ["name", "alias", "url_template", "pattern", "example", "shipping_methods", "automatic_tracking_mail"]

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("As customers read it."))
    alias = forms.CharField(
        label=_("Short name"), max_length=32, help_text=_("For files and programs; it stays: “jadlog”, “post-eco”.")
    )
    url_template = forms.CharField(
        label=_("Address of the tracking page"), max_length=300, required=False,
        help_text=_("With {code} where the tracking code goes, and {language} where the reader's language does."),
        widget=forms.TextInput(attrs={"placeholder": "https://carrier.example/track/{code}", "inputmode": "url"}),
    )  # fmt: skip
    pattern = forms.CharField(
        label=_("What its codes look like"), max_length=200, required=False,
        help_text=_("A regular expression for the whole code, in capitals: [0-9]{14}. Empty: any code."),
    )  # fmt: skip
    example = forms.CharField(
        label=_("An example of a code"), max_length=64, required=False,
        help_text=_("Shown to whoever types a code that does not fit."),
    )  # fmt: skip
    shipping_methods = forms.CharField(
        label=_("Shipping methods"), required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One a line: words in the shipping method that mean this carrier, so that it is proposed."),
    )  # fmt: skip
    automatic_tracking_mail = forms.BooleanField(label=_("Mails the tracking link by itself"), required=False)

    def __init__(self, *args: Any, setup: CarrierSetup | None = None, **kwargs: Any) -> None:
        self.setup = setup
        initial = {} if setup is None else {name: getattr(setup, name) for name in self.base_fields}
        super().__init__(*args, initial=initial, **kwargs)
        if setup is not None:
            del self.fields["alias"]

    def save(self, actor: Actor) -> CarrierSetup:
        typed = dict(self.cleaned_data)
        alias = typed.pop("alias", "") or (self.setup.alias if self.setup else "")
        return carrier_setup.save_own(
            actor=actor, alias=alias, pk=self.setup.pk if self.setup else None, **typed
        )  # fmt: skip
