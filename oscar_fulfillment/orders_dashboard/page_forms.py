"""The forms of the order page: one per step, each calling one service.

A shop's own step names its form in ``Transition(form=...)``: a name of :data:`FORMS` or the dotted path of a
:class:`StepForm` of its own; without one it gets :class:`ConfirmForm`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import key_of_form, new_key
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.selectors.order_page import OrderPage

#: form name of a transition, or name of an action that is none -> form class. Filled by :func:`form`.
FORMS: dict[str, type[StepForm]] = {}


def form(name: str) -> Any:
    """Class decorator: this is the form of that name."""

    def register(cls: type[StepForm]) -> type[StepForm]:
        FORMS[name] = cls
        return cls

    return register


class StepForm(forms.Form):
    """What a step asks for. Carries the version that was seen, and a key that makes sending it twice harmless.

    Only what is true whatever the order's state is checked here: the rest is the service's, so that a form sent twice
    gets its first result and not a complaint about what that result changed.
    """

    template_name = "oscar_fulfillment/orders/forms/fields.html"
    submit_label: Any = ""
    danger = False
    #: Whether fields that may stay empty say so. A form whose fields depend on a choice explains itself.
    marks_optional = True

    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    key = forms.RegexField(r"^[\w-]{8,100}\Z", widget=forms.HiddenInput)

    def __init__(
        self,
        page: OrderPage,
        *,
        action: str,
        machine: str = "",
        label: Any = "",
        override: bool = False,
        options: Mapping[str, str] | None = None,
        data: Any = None,
        fresh: bool = False,
        auto_id: str = "step_%s",
    ):
        """``options`` are what the link chose beforehand (a shipment, a hold). ``fresh``: the data was refused; keep
        what was typed, but take the present version and a new key."""
        if fresh and data is not None:
            data = data.copy()
            data["version"], data["key"] = str(page.fulfillment.version), new_key()
        initial = {"version": page.fulfillment.version, "key": new_key()}
        super().__init__(data, initial=initial, auto_id=auto_id)
        self.page, self.action, self.machine, self.label, self.override = page, action, machine, label, override
        self.options = options or {}
        self.prepare()
        for name, field in self.fields.items():
            self._dress(name, field)

    def prepare(self) -> None:
        """Fill choices and initial values from the order."""

    def consequences(self) -> list[Any]:
        """What will happen, said before the person agrees."""
        return []

    def asks_for_more(self) -> bool:
        """Whether what was sent asks for more fields, and takes no step."""
        return False

    def forgive(self) -> None:
        """Show what was typed without complaints: it is not finished."""
        self._errors = ErrorDict()
        self.cleaned_data = {}

    def permissions(self) -> list[str]:
        """Actions of ``permissions.PERMISSIONS`` that what was chosen needs beside the step's own."""
        return []

    def refusals(self) -> list[Reason]:
        """Why an action that is no transition is not possible now, as far as the page sees it: the service has the last
        word."""
        return []

    def save(self, **common: Any) -> StatusChange:
        """Call the one service. ``common``: order, actor, expected_version, key."""
        raise NotImplementedError

    def follow_through(self, change: StatusChange) -> list[tuple[int, str]]:
        """What is done once the step is committed, and may use the network. Returns what the person is told instead of
        the usual sentence: (level of ``django.contrib.messages``, text). Nothing is raised: the step is done."""
        return []

    def run(self, actor: Actor) -> StatusChange:
        """:meth:`save` with the version that was seen and the form's key."""
        seen = self.cleaned_data
        key = key_of_form(seen["key"], seen)
        return self.save(order=self.page.order, actor=actor, expected_version=seen["version"], key=key)

    def take_errors(self, error: InvalidInput) -> None:
        """Put the service's complaints to the fields they are about."""
        for name, found in error.errors.items():
            visible = name in self.fields and not self.fields[name].widget.is_hidden
            self.add_error(name if visible else None, ValidationError([str(message) for message in found]))

    @property
    def submit_text(self) -> Any:
        return self.submit_label or self.label

    @property
    def is_broken(self) -> bool:
        """Whether the fields that nobody types are missing or wrong."""
        return self.is_bound and any(name in self.fields and self.fields[name].widget.is_hidden for name in self.errors)

    def typed_text(self) -> list[tuple[str, str]]:
        """What was written in words, so that a refused step loses nothing: (label, text)."""
        return [
            (str(field.label), str(field.value()))
            for field in self.visible_fields()
            if self.is_bound and isinstance(field.field, forms.CharField) and field.value()
        ]

    @staticmethod
    def _dress(name: str, field: forms.Field) -> None:
        widget = field.widget
        if isinstance(widget, forms.RadioSelect | forms.CheckboxInput | forms.CheckboxSelectMultiple):
            css = "form-check-input"
        elif isinstance(widget, forms.Select):
            css = "custom-select no-widget-init"
        else:
            css = "form-control"
        if not widget.is_hidden:
            widget.attrs["class"] = f"{css} {widget.attrs.get('class', '')}".strip()


class Later:
    """A text that is made when it is shown; Django's lazy texts are made when a form asks whether there is one."""

    def __init__(self, text: Callable[[], str]):
        self.text = text

    def __str__(self) -> str:
        return self.text()


def reason_field(label: Any, *, required: bool = False) -> forms.CharField:
    """A text of some lines. Its length is checked by the service, by the setting MAX_TEXT."""
    return forms.CharField(label=label, required=required, widget=forms.Textarea(attrs={"rows": 3}))


def mail_field(label: Any) -> forms.ChoiceField:
    """The question whether the customer gets a mail. Without an initial value it must be answered."""
    return forms.ChoiceField(
        label=label,
        choices=[("yes", gettext_lazy("Yes, send the mail")), ("no", gettext_lazy("No mail"))],
        widget=forms.RadioSelect,
    )


def form_class(name: str) -> type[StepForm]:
    """The form of this name or dotted path; :class:`ConfirmForm` where none is declared."""
    if "." in name:
        return import_string(name)
    return FORMS.get(name, ConfirmForm)


@form("confirm")
class ConfirmForm(StepForm):
    """A shop's own step: an optional note, and where the step may end in several states, which."""

    target = forms.ChoiceField(label=gettext_lazy("What comes next"), required=False)
    reason = reason_field(gettext_lazy("Note for the history"))

    def prepare(self) -> None:
        machine = self.page.flow.machines[self.machine]
        targets = machine.transitions[self.action].targets
        if len(targets) == 1:
            del self.fields["target"]
        else:
            self.fields["target"].choices = [(name, machine.label(name)) for name in targets]  # type: ignore[attr-defined]

    def save(self, **common: Any) -> StatusChange:
        from oscar_fulfillment.services.generic import run_transition

        typed = self.cleaned_data
        return run_transition(
            machine=self.machine,
            action=self.action,
            target=typed.get("target", ""),
            reason=typed["reason"],
            **common,
        )


def mail_address(page: OrderPage) -> str:
    """Where a mail to the customer goes, for the question before it."""
    return page.order.email or _("no address known")


from . import (  # noqa: E402  (they fill FORMS)
    page_forms_edit,  # noqa: F401
    page_forms_goods,  # noqa: F401
    page_forms_money,  # noqa: F401
    page_forms_order,  # noqa: F401
    page_forms_parcels,  # noqa: F401
    page_forms_payment,  # noqa: F401
    page_forms_pickup,  # noqa: F401
    page_forms_shipments,  # noqa: F401
)
