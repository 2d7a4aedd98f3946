"""Forms about shipments that are still here: split, merged, taken back, ordered from a carrier."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.carriers import carriers, suggest
from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.models.shipment import CANCELLED, PENDING
from oscar_fulfillment.selectors.order_page_rows import ShipmentRow
from oscar_fulfillment.services import carrier_orders, giving_up, shipment_edits

from .page_forms import StepForm, form, mail_address, reason_field
from .page_forms_goods import MOST, shipment_choices
from .page_forms_parcels import pk_of, row_of
from .page_steps import REST


def _not_here() -> Reason:
    return Reason("not_pending", _("This shipment does not wait to be sent."))


@form("split_shipment")
class SplitForm(StepForm):
    """What of a shipment goes into a new one."""

    template_name = "oscar_fulfillment/orders/forms/split.html"
    submit_label = gettext_lazy("Split the shipment")

    def prepare(self) -> None:
        for line in self.page.order.lines.all():
            self.fields[f"line_{line.pk}"] = forms.IntegerField(
                label=_("Units of “%(title)s” for the new shipment") % {"title": line.title},
                min_value=0,
                max_value=MOST,
                required=False,
                widget=forms.NumberInput(attrs={"class": "ff-quantity", "inputmode": "numeric", "placeholder": "0"}),
            )

    @cached_property
    def row(self) -> ShipmentRow | None:
        return row_of(self, PENDING)

    def rows(self) -> Iterator[tuple[Any, int, BoundField]]:
        """(order line, units in the shipment, field)."""
        for line, quantity in self.row.contents if self.row else ():
            yield line, quantity, self[f"line_{line.pk}"]

    def refusals(self) -> list[Reason]:
        return [] if self.row else [_not_here()]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        quantities = {int(name[5:]): typed[name] or 0 for name in typed if name.startswith("line_")}
        return shipment_edits.split_shipment(shipment=pk_of(self, "shipment"), quantities=quantities, **common)


@form("merge_shipments")
class MergeForm(StepForm):
    """Which shipments become one."""

    submit_label = gettext_lazy("Merge them")

    shipments = forms.MultipleChoiceField(
        label=gettext_lazy("Shipments that become one"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def prepare(self) -> None:
        # Any of the order's: a form sent twice names some that are emptied by now.
        known = {str(shipment.pk) for shipment in self.page.fulfillment.shipments.all()}
        offered = [(pk, label) for pk, label in shipment_choices(self.rows, "") if pk]
        field: Any = self.fields["shipments"]
        field.choices = [*offered, *((pk, pk) for pk in sorted(known - {pk for pk, _label in offered}))]
        field.widget.choices = offered
        field.initial = [pk for pk, _label in offered]

    @property
    def rows(self) -> list[ShipmentRow]:
        return self.page.shipments_of(PENDING)

    def refusals(self) -> list[Reason]:
        if len(self.rows) > 1:
            return []
        return [Reason("one_shipment", _("There are no two shipments that wait to be sent."))]

    def save(self, **common: Any) -> StatusChange:
        chosen = [int(pk) for pk in self.cleaned_data["shipments"]]
        return shipment_edits.merge_shipments(shipments=chosen, **common)


@form("cancel_shipment")
class CancelShipmentForm(StepForm):
    """A shipment is taken back, or nothing more of the order is sent."""

    danger = True

    shipment = forms.CharField(label=gettext_lazy("What is not sent?"), max_length=19, widget=forms.Select)
    keep = forms.ChoiceField(
        label=gettext_lazy("What happens to the goods?"),
        choices=[
            ("yes", gettext_lazy("They wait to be released again")),
            ("no", gettext_lazy("They are not sent at all, and go back into the stock")),
        ],
        widget=forms.RadioSelect,
        required=False,
    )
    reason = reason_field(gettext_lazy("Why?"), required=True)
    for_customer = reason_field(gettext_lazy("Message to the customer"))

    def prepare(self) -> None:
        rest = [(REST, _("All that has not left"))] if self.has_rest else []
        ones = [(pk, label) for pk, label in shipment_choices(self.page.shipments_of(PENDING), "") if pk]
        field, chosen = self.fields["shipment"], self.options.get("shipment", "")
        field.initial = chosen
        choices = [*ones, *rest]
        if len(choices) == 1 or any(chosen == pk for pk, _label in choices):
            field.widget = forms.HiddenInput()
            field.initial = chosen or choices[0][0]
        else:
            field.widget = forms.Select(choices=[("", _("Choose")), *choices])
        if REST in (chosen, self.data.get("shipment")):
            # Not deleted: a form sent twice is the same step, whatever the order is by then.
            self.fields["keep"].widget = forms.HiddenInput()
        elif not self.has_others:
            self.fields["keep"].widget, self.fields["keep"].initial = forms.HiddenInput(), "yes"
        text = _("Sent by mail to %(address)s and shown in the account. Empty: nothing is sent.")
        self.fields["for_customer"].help_text = text % {"address": mail_address(self.page)}
        self.fields["reason"].widget.attrs["rows"] = self.fields["for_customer"].widget.attrs["rows"] = 2

    @property
    def has_rest(self) -> bool:
        """Whether a part of the order has left and another has not."""
        left = any(row.shipment.status not in (PENDING, CANCELLED) for row in self.page.shipments)
        waits = self.page.fulfillment.has_backorder or bool(self.page.shipments_of(PENDING))
        return left and waits

    @property
    def has_others(self) -> bool:
        """Whether anything of the order is or will be sent without one of its shipments."""
        others = sum(row.shipment.status != CANCELLED for row in self.page.shipments) > 1
        return others or self.page.fulfillment.has_backorder

    def consequences(self) -> list[Any]:
        chosen = self.fields["shipment"].initial
        if chosen == REST:
            return [_("Nothing more of this order is sent: it is what has left by now."), *self._about_money()]
        row = next((row for row in self.page.shipments_of(PENDING) if str(row.shipment.pk) == chosen), None)
        if row is None:
            return []
        label = dict(shipment_choices([row], ""))[str(row.shipment.pk)]
        found = [label]
        if row.carriage is not None and row.carriage.status in row.carriage.STANDING:
            found.append(_("Its order at the carrier is cancelled there."))
        if not self.has_others:
            return [*found, _("Its goods wait to be released again. To send nothing at all, cancel the order.")]
        return [*found, *self._about_money()]

    def _about_money(self) -> list[Any]:
        if self.page.money.net <= 0:
            return []
        return [_("The money of what is not sent at all is to be paid back: a follow-up says how much.")]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("shipment") != REST and not cleaned.get("keep"):
            self.add_error("keep", _("Choose what happens to the goods."))
        return cleaned

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        texts = {"reason": typed["reason"], "for_customer": typed["for_customer"]}
        if typed["shipment"] == REST:
            return giving_up.cancel_rest(**texts, **common)
        if not typed["shipment"].isdecimal():
            raise InvalidInput({"shipment": [_("Choose a shipment.")]})
        return giving_up.cancel_shipment(
            shipment=int(typed["shipment"]), keep=typed.get("keep") == "yes", **texts, **common
        )


@form("order_carriage")
class OrderCarriageForm(StepForm):
    """The carrier is asked to carry a shipment."""

    submit_label = gettext_lazy("Order it")

    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=64, widget=forms.Select)

    def prepare(self) -> None:
        able = carriers_that_take_orders()
        self.fields["carrier"].widget.choices = able  # type: ignore[attr-defined]
        proposed = suggest(self.page.order)
        self.fields["carrier"].initial = proposed if proposed in dict(able) else able[0][0] if able else ""

    def consequences(self) -> list[Any]:
        return [_("The carrier gets the address and the contents. The tracking code comes from it by itself.")]

    def refusals(self) -> list[Reason]:
        row = row_of(self, PENDING)
        if row is None:
            return [_not_here()]
        if row.carriage is not None and row.carriage.status in row.carriage.STANDING:
            return [Reason("ordered_already", _("The carriage of this shipment is ordered already."))]
        if not carriers_that_take_orders():
            return [Reason("no_carrier", _("No carrier of this shop takes orders from here."))]
        return []

    def save(self, **common: Any) -> StatusChange:
        return carrier_orders.request_carriage(
            shipment=pk_of(self, "shipment"), carrier=self.cleaned_data["carrier"], **common
        )


def carriers_that_take_orders() -> list[tuple[str, str]]:
    """Alias and name of each carrier that takes orders from here."""
    known = ((alias, carriers.get(alias)) for alias in carriers)
    return [(alias, str(adapter.name)) for alias, adapter in known if Capability.CREATE_ORDER in adapter.capabilities]


@form("cancel_carriage")
class CancelCarriageForm(StepForm):
    """The order at the carrier is taken back."""

    danger = True
    submit_label = gettext_lazy("Cancel it there")
    reason = reason_field(gettext_lazy("Why?"), required=True)

    def consequences(self) -> list[Any]:
        return [_("The goods stay here. They can be ordered from a carrier again.")]

    def refusals(self) -> list[Reason]:
        wanted = self.options.get("carriage")
        found = [row.carriage for row in self.page.shipments if row.carriage is not None]
        if any(str(each.pk) == wanted and each.status in each.STANDING for each in found):
            return []
        return [Reason("not_ordered", _("There is no order at the carrier that stands."))]

    def save(self, **common: Any) -> StatusChange:
        return carrier_orders.cancel_carriage(
            carrier_order=pk_of(self, "carriage"), reason=self.cleaned_data["reason"], **common
        )
