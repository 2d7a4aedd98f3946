"""The forms of a return until its goods are here: one per step, each calling one service."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import Return, ReturnLine
from oscar_fulfillment.models.returns import EXCHANGE, REASON_LABELS, REFUND
from oscar_fulfillment.selectors.order_page import OrderPage
from oscar_fulfillment.selectors.return_units import Balance, balances
from oscar_fulfillment.services import inspecting, returns

from .page_forms import StepForm, mail_address, mail_field, reason_field
from .page_forms_goods import MOST
from .page_forms_parcels import carrier_choices

WANTS = [
    (REFUND, pgettext_lazy("wanted for a return", "Money back")),
    (EXCHANGE, pgettext_lazy("wanted for a return", "The same goods again")),
]


def units_field(label: Any) -> forms.IntegerField:
    """Units of a line, empty for none."""
    widget = forms.NumberInput(attrs={"class": "ff-quantity", "inputmode": "numeric"})
    return forms.IntegerField(label=label, required=False, min_value=0, max_value=MOST, widget=widget)


def text_field(label: Any) -> forms.CharField:
    """A text of one line; its length is checked by the service."""
    return forms.CharField(label=label, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class ReturnForm(StepForm):
    """A step of a return. Carries the version of its order, and a key, as every step does."""

    template_name = "oscar_fulfillment/returns/forms/fields.html"

    #: Complaints of the service about a line -> the field that shows them.
    line_field = ""

    def __init__(self, page: OrderPage, ret: Return | None = None, **given: Any):
        self.ret = ret
        super().__init__(page, **given)

    @property
    def the_return(self) -> Return:
        assert self.ret is not None
        return self.ret

    def take_errors(self, error: InvalidInput) -> None:
        renamed = {
            name.replace("line_", self.line_field, 1) if name.startswith("line_") else name: found
            for name, found in error.errors.items()
        }
        super().take_errors(InvalidInput(renamed))

    def common(self, common: dict[str, Any]) -> dict[str, Any]:
        """What a service of a return takes of what a step gives."""
        return {name: value for name, value in common.items() if name != "order"}

    def told(self, result: Return) -> str:
        """What the person reads when it is done."""
        raise NotImplementedError


class NewReturnForm(ReturnForm):
    """A return that staff write down: asked for on the phone, allowed at once, or on the table already."""

    template_name = "oscar_fulfillment/returns/forms/new.html"
    line_field = "units_"
    submit_label = gettext_lazy("Write it down")
    HERE = "here"

    wants = forms.ChoiceField(
        label=gettext_lazy("What does the customer want?"), choices=WANTS, initial=REFUND, widget=forms.RadioSelect
    )
    state = forms.ChoiceField(
        label=gettext_lazy("How far is it?"),
        choices=[
            ("approved", gettext_lazy("The goods may come: the customer gets the return slip by mail")),
            ("requested", gettext_lazy("Somebody decides later whether they may come")),
            (HERE, gettext_lazy("The goods are here already: no mail, on to the inspection")),
        ],
        initial="approved",
        widget=forms.RadioSelect,
    )
    note = reason_field(gettext_lazy("Note"))

    def prepare(self) -> None:
        for line, _balance in self.candidates:
            units = self.fields[f"units_{line.pk}"] = units_field(_("Units of “%(title)s”") % {"title": line.title})
            units.widget.attrs["class"] = "ff-quantity"
            self.fields[f"reason_{line.pk}"] = forms.ChoiceField(
                label=_("Reason for “%(title)s”") % {"title": line.title},
                choices=list(REASON_LABELS.items()),
                initial="other",
                required=False,
            )

    @cached_property
    def candidates(self) -> list[tuple[Any, Balance]]:
        """The order's lines of which something can come back; all of them where something was typed, so that a form
        sent twice is read as it was the first time."""
        found = balances(self.page.order.pk)
        rows = [(line, found.get(line.pk, Balance())) for line in self.page.order.lines.order_by("pk")]
        return [(line, balance) for line, balance in rows if balance.returnable or self.is_bound]

    def rows(self) -> list[tuple[Any, Balance, Any, Any]]:
        found = [(line, b, self[f"units_{line.pk}"], self[f"reason_{line.pk}"]) for line, b in self.candidates]
        return [row for row in found if row[1].returnable or row[2].errors]

    def refusals(self) -> list[Reason]:
        if any(balance.returnable for _line, balance in self.candidates):
            return []
        return [Reason("nothing_to_return", _("Nothing of this order can come back: it was not sent, or is back."))]

    def save(self, **common: Any) -> Any:
        typed = self.cleaned_data
        lines = {
            line.pk: (typed.get(f"units_{line.pk}") or 0, typed.get(f"reason_{line.pk}") or "other")
            for line, _balance in self.candidates
        }
        state = typed["state"]
        return returns.request_return(
            lines=lines, wants=typed["wants"], note=typed["note"], approve=state != "requested",
            notify=state != self.HERE, **common,
        )  # fmt: skip

    def told(self, result: Return) -> str:
        return _("Return %(number)s is written down.") % {"number": result.number}


class ApproveForm(ReturnForm):
    """The goods may come."""

    submit_label = gettext_lazy("Approve the return")

    answer = reason_field(gettext_lazy("How shall the customer send them?"))
    carrier = forms.CharField(label=gettext_lazy("Carrier of the parcel"), required=False, widget=forms.Select)
    tracking_code = text_field(gettext_lazy("Its tracking code, if you send a label"))
    notify = mail_field(gettext_lazy("Send the customer the mail with the return slip?"))

    def prepare(self) -> None:
        self.fields["carrier"].widget.choices = [("", _("Not known yet")), *carrier_choices()[1:]]  # type: ignore[attr-defined]
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def save(self, **common: Any) -> Any:
        typed = self.cleaned_data
        return returns.approve_return(
            ret=self.the_return, answer=typed["answer"], carrier=typed["carrier"],
            tracking_code=typed["tracking_code"], notify=typed["notify"] == "yes", **self.common(common),
        )  # fmt: skip

    def told(self, result: Return) -> str:
        return _("The return is approved; its goods are awaited.")


class RefuseForm(ReturnForm):
    """The goods shall not come."""

    submit_label = gettext_lazy("Refuse the return")
    danger = True

    reason = reason_field(gettext_lazy("Why not? The customer reads this."), required=True)
    notify = mail_field(gettext_lazy("Tell the customer by mail?"))

    def prepare(self) -> None:
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def save(self, **common: Any) -> Any:
        typed = self.cleaned_data
        return returns.refuse_return(
            ret=self.the_return, reason=typed["reason"], notify=typed["notify"] == "yes", **self.common(common)
        )

    def told(self, result: Return) -> str:
        return _("The return is refused.")


class CancelForm(ReturnForm):
    """The goods do not come after all."""

    submit_label = gettext_lazy("Cancel the return")
    danger = True

    reason = reason_field(gettext_lazy("Note for the history"))

    def consequences(self) -> list[Any]:
        return [_("Its units can be put into another return. No mail is sent.")]

    def save(self, **common: Any) -> Any:
        return returns.cancel_return(ret=self.the_return, reason=self.cleaned_data["reason"], **self.common(common))

    def told(self, result: Return) -> str:
        return _("The return is cancelled.")


class InspectForm(ReturnForm):
    """The goods are here: how many of each are good, how many damaged."""

    template_name = "oscar_fulfillment/returns/forms/receive.html"
    line_field = "restocked_"
    submit_label = gettext_lazy("Receive the goods")

    note = reason_field(gettext_lazy("Note"))
    notify = mail_field(gettext_lazy("Tell the customer that the goods are here?"))

    def prepare(self) -> None:
        for each in self.lines:
            named = {"title": each.line.title}
            pk = each.line_id
            self.fields[f"restocked_{pk}"] = units_field(_("“%(title)s”: back into the stock") % named)
            self.fields[f"damaged_{pk}"] = units_field(_("“%(title)s”: damaged") % named)
            self.fields[f"note_{pk}"] = text_field(_("“%(title)s”: note") % named)
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    @cached_property
    def lines(self) -> list[ReturnLine]:
        return list(self.the_return.lines.select_related("line"))

    def rows(self) -> list[tuple[ReturnLine, Any, Any, Any]]:
        return [
            (each, *(self[f"{name}_{each.line_id}"] for name in ("restocked", "damaged", "note")))
            for each in self.lines
        ]

    def save(self, **common: Any) -> Any:
        typed = self.cleaned_data
        found = {
            each.line_id: (
                typed.get(f"restocked_{each.line_id}") or 0,
                typed.get(f"damaged_{each.line_id}") or 0,
                typed.get(f"note_{each.line_id}") or "",
            )
            for each in self.lines
        }
        return inspecting.receive_return(
            ret=self.the_return, lines=found, note=typed["note"], notify=typed["notify"] == "yes",
            **self.common(common),
        )  # fmt: skip

    def told(self, result: Return) -> str:
        return _("The goods are received. Decide now what comes of them.")
