"""The forms of webhooks: one for the webhook, and what the log is narrowed to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import WebhookEndpoint
from oscar_fulfillment.services.webhook_events import EVENTS, GROUPS
from oscar_fulfillment.services.webhooks import save_webhook

from .webhook_words import STATE_LABELS

ALL, SOME = "all", "some"


class WebhookForm(forms.Form):
    """A webhook as a manager enters it. The service checks address and events."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    url = forms.CharField(
        max_length=500,
        label=gettext_lazy("Address"),
        help_text=gettext_lazy("Where the other system listens, for example https://erp.example.com/webhooks"),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    description = forms.CharField(
        max_length=100,
        required=False,
        label=gettext_lazy("What it is for"),
        help_text=gettext_lazy("So that your colleagues know, for example “Warehouse”."),
    )
    which = forms.ChoiceField(
        label=gettext_lazy("What it is told"),
        widget=forms.RadioSelect,
        choices=[
            (ALL, gettext_lazy("All events, also those to come")),
            (SOME, gettext_lazy("Only the events that are marked below")),
        ],
    )
    events = forms.MultipleChoiceField(
        required=False, label=gettext_lazy("Events"), widget=forms.CheckboxSelectMultiple
    )
    includes_customer = forms.BooleanField(
        required=False,
        label=gettext_lazy("With the buyer's data"),
        help_text=gettext_lazy(
            "Name, mail, addresses, tax number, and the words of reasons and notes. Leave it out unless the other "
            "system needs them: what it gets is out of your hands."
        ),
    )

    def __init__(self, data: Any = None, *, endpoint: WebhookEndpoint | None = None):
        self.endpoint = endpoint
        kept = endpoint or WebhookEndpoint()
        initial = {
            "seen": endpoint.version if endpoint else 0,
            "url": kept.url,
            "description": kept.description,
            "which": ALL if kept.all_events else SOME,
            "events": kept.events,
            "includes_customer": kept.includes_customer,
        }
        super().__init__(data, initial=initial)
        self.fields["events"].choices = [(name, event.label) for name, event in EVENTS.items()]  # type: ignore[attr-defined]
        for field in self.fields.values():
            checks = (forms.RadioSelect, forms.CheckboxSelectMultiple, forms.CheckboxInput)
            css = "form-check-input" if isinstance(field.widget, checks) else "form-control no-widget-init"
            field.widget.attrs["class"] = css

    @property
    def event_groups(self) -> Iterator[dict[str, Any]]:
        """The check boxes of the events, by group: (check box, name of the event)."""
        boxes = {str(box.data["value"]): box for box in self["events"]}
        for group, label in GROUPS.items():
            names = [name for name, event in EVENTS.items() if event.group == group]
            yield {"key": group, "label": label, "boxes": [(boxes[name], name) for name in names if name in boxes]}

    def values(self) -> dict[str, Any]:
        """What the service is to write. Only for a valid form."""
        given = dict(self.cleaned_data)
        is_all = given.pop("which") == ALL
        given.pop("seen")
        return given | {"all_events": is_all, "events": [] if is_all else given["events"]}

    def save(self, actor: Actor) -> WebhookEndpoint:
        """Hand the values to the service. Raises what it raises."""
        seen = self.cleaned_data["seen"] if self.endpoint else None
        return save_webhook(actor=actor, values=self.values(), endpoint=self.endpoint, seen=seen)

    def take_errors(self, error: InvalidInput) -> None:
        """Show what the service refused beside the fields it is about."""
        for name, found in error.errors.items():
            field = name if name in self.fields else None
            self.add_error(field, ValidationError([str(message) for message in found]))


class LogForm(forms.Form):
    """What the log is narrowed to; what cannot be read is left out."""

    state = forms.ChoiceField(required=False, label=gettext_lazy("State"))
    event = forms.ChoiceField(required=False, label=gettext_lazy("Event"))
    number = forms.CharField(required=False, max_length=128, label=gettext_lazy("Order"))

    def __init__(self, data: Any):
        super().__init__(data)
        everything = ("", gettext_lazy("Everything"))
        self.fields["state"].choices = [everything, *STATE_LABELS.items()]  # type: ignore[attr-defined]
        self.fields["event"].choices = [everything, *((name, name) for name in (*EVENTS, "ping"))]  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control form-control-sm no-widget-init"

    def chosen(self) -> dict[str, str]:
        """Only what is valid and not empty."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value and "\x00" not in value}


class ReplayForm(forms.Form):
    """Since when what was given up is sent again."""

    since = forms.DateTimeField(widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
