"""Forms that name the boxes of a shipment: dispatch, in part if need be; and which boxes there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.carriers import carriers, offered, suggest
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import Parcel, StatusChange
from oscar_fulfillment.models.shipment import DISPATCHED, PENDING
from oscar_fulfillment.selectors.order_page_rows import ShipmentRow
from oscar_fulfillment.services import parcels, shipping

from .page_forms import StepForm, form, mail_address, mail_field
from .page_forms_goods import MOST, ShipmentForm

#: The button that asks for the fields of one more parcel.
MORE = "more_parcels"
_BOX = re.compile(r"(?:carrier|tracking_code)_(\d{1,2})\Z")
_LINE = re.compile(r"line_(\d{1,18})\Z")


def carrier_choices(kept: Sequence[Parcel] = ()) -> list[tuple[str, Any]]:
    """The shop's carriers, and none; also those of these parcels, which may be out of use by now."""
    found: list[tuple[str, Any]] = [("", _("No carrier (own delivery, pick-up)")), *offered()]
    known = {alias for alias, _name in found}
    gone = {parcel.carrier: parcel.carrier_name for parcel in kept if parcel.carrier not in known}
    return [*found, *gone.items()]


def carrier_field(choices: Sequence[tuple[str, Any]] = ()) -> forms.CharField:
    """Whether it is one of the shop's is the service's question: a form sent twice outlives a carrier."""
    return forms.CharField(
        label=gettext_lazy("Carrier"), required=False, max_length=64, widget=forms.Select(choices=choices)
    )


def code_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Tracking code"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("The code alone, not the link."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "ff-key"}),
    )


class BoxFields(StepForm):
    """``carrier`` and ``tracking_code`` of the first box, ``carrier_2`` and ``tracking_code_2`` of the second ..."""

    def offer_boxes(self, initial: Sequence[Mapping[str, str]], choices: Sequence[tuple[str, Any]]) -> None:
        """Fields for these boxes and for those that were sent; at least one, one more where that was asked for."""
        sent = [int(found[1]) for name in self.data if (found := _BOX.match(name))]
        last = initial[-1]["carrier"] if initial else ""
        count = max(1, len(initial), *sent) + self.asks_for_more()
        self.box_count = min(count, parcels.MAX_PARCELS)
        for number in range(1, self.box_count + 1):
            given = initial[number - 1] if number <= len(initial) else {"carrier": last, "tracking_code": ""}
            for name, field in (("carrier", carrier_field(choices)), ("tracking_code", code_field())):
                field.initial = given[name]
                if number > 1:
                    field.help_text = ""
                self.fields[box_name(name, number)] = field
        if self.asks_for_more() and self.box_count > 1:
            # The next box mostly goes with the same carrier.
            self.data = self.data.copy()  # type: ignore[attr-defined]
            before = self.data.get(box_name("carrier", self.box_count - 1), "")
            self.data.setdefault(box_name("carrier", self.box_count), before)

    def asks_for_more(self) -> bool:
        return self.is_bound and MORE in self.data

    def boxes(self) -> list[tuple[int, BoundField, BoundField]]:
        """(number, carrier, code) of each box of the form."""
        return [
            (number, self[box_name("carrier", number)], self[box_name("tracking_code", number)])
            for number in range(1, self.box_count + 1)
        ]

    @property
    def other_fields(self) -> list[BoundField]:
        """What is asked beside the boxes and the quantities."""
        apart = ("carrier", "tracking_code", "line_")
        return [field for field in self.visible_fields() if not field.name.startswith(apart)]

    def typed_boxes(self) -> list[dict[str, str]]:
        """What was typed, by place. A further box whose code was left empty is none: its carrier was only proposed."""
        typed = self.cleaned_data
        found = []
        for number in range(1, self.box_count + 1):
            code = typed.get(box_name("tracking_code", number), "")
            carrier = typed.get(box_name("carrier", number), "") if code or number == 1 else ""
            found.append({"carrier": carrier, "tracking_code": code})
        return found


def box_name(name: str, number: int) -> str:
    """The name of a box's field, as :func:`services.parcels.read_parcels` names it in its complaints."""
    return name if number == 1 else f"{name}_{number}"


@form("dispatch")
class DispatchForm(BoxFields, ShipmentForm):
    """The goods leave: all that is ready, a shipment, or a part of one."""

    template_name = "oscar_fulfillment/orders/forms/dispatch.html"

    notify = mail_field(gettext_lazy("Send the customer the mail?"))

    def prepare(self) -> None:
        self.offer(self.page.to_dispatch, _("All that is ready"))
        if self.row is not None:
            self.fields["shipment"].widget = forms.HiddenInput()
            self.fields["shipment"].initial = self.row.shipment.pk if len(self.page.to_dispatch) > 1 else None
        self._offer_quantities()
        alias = suggest(self.page.order)
        unnamed = [box for box in (self.row.parcels if self.row else ()) if not box.tracking_code]
        initial = [{"carrier": box.carrier or alias, "tracking_code": ""} for box in unnamed]
        self.offer_boxes(initial or [{"carrier": alias, "tracking_code": ""}], carrier_choices(unnamed))
        # A carrier that mails the tracking link by itself answers the question; otherwise a person does.
        if alias and carriers.get(alias).automatic_tracking_mail:
            self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = _("With the tracking link, to %(address)s.") % {
            "address": mail_address(self.page)
        }

    @cached_property
    def row(self) -> ShipmentRow | None:
        """The one shipment that this is about: chosen by the link, or the only one."""
        ready = self.page.to_dispatch
        chosen = [row for row in ready if str(row.shipment.pk) == self.options.get("shipment")]
        return chosen[0] if chosen else ready[0] if len(ready) == 1 else None

    @property
    def named(self) -> list[Parcel]:
        """Its boxes that have their code already; they leave as they are."""
        return [box for box in self.row.parcels if box.tracking_code] if self.row else []

    def _offer_quantities(self) -> None:
        """A field for each line of the shipment, and for each that was sent: a form sent twice outlives its goods."""
        contents = self.row.contents if self.row else []
        titles = {line.pk: (line.title, quantity) for line, quantity in contents}
        sent = [int(found[1]) for name in self.data if (found := _LINE.match(name))]
        for pk in dict.fromkeys([*titles, *sent]):
            title, quantity = titles.get(pk, ("", 0))
            self.fields[f"line_{pk}"] = forms.IntegerField(
                label=_("Units of “%(title)s” to send") % {"title": title},
                min_value=0,
                max_value=MOST,
                required=False,
                initial=quantity,
                widget=forms.NumberInput(attrs={"class": "ff-quantity", "inputmode": "numeric"}),
            )

    def quantity_rows(self) -> Iterator[tuple[Any, int, BoundField]]:
        """(order line, units that are ready, field), where a part can be chosen: more than one unit."""
        if self.row is not None and self.row.units > 1:
            for line, quantity in self.row.contents:
                yield line, quantity, self[f"line_{line.pk}"]

    def _quantities(self) -> dict[int, int] | None:
        """What was chosen; an emptied field means none of it. None where there was no choice."""
        typed = self.cleaned_data
        found = {int(name[5:]): typed[name] or 0 for name in typed if name.startswith("line_") and name in self.data}
        return found or None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        quantities = self._quantities()
        if not self.errors and quantities is not None and not any(quantities.values()):
            self.add_error(None, _("Choose at least one unit to send."))
        return cleaned

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return shipping.dispatch_order(
            boxes=self.typed_boxes(),
            shipment=typed["shipment"],
            quantities=self._quantities(),
            notify=typed["notify"] == "yes",
            **common,
        )


def row_of(form_: StepForm, *statuses: str) -> ShipmentRow | None:
    """The shipment that the link named, while it is in one of these statuses."""
    wanted = form_.options.get("shipment", "")
    rows = [row for status in statuses for row in form_.page.shipments_of(status)]
    return next((row for row in rows if str(row.shipment.pk) == wanted), None)


def pk_of(form_: StepForm, name: str) -> int:
    """What the URL named, as a number that every database can look for."""
    wanted = form_.options.get(name, "")
    return int(wanted) if wanted.isdecimal() and len(wanted) < 19 else 0


@form("change_parcels")
class ParcelsForm(BoxFields):
    """Which boxes a shipment has."""

    template_name = "oscar_fulfillment/orders/forms/parcels.html"
    submit_label = gettext_lazy("Save the parcels")

    notify = mail_field(gettext_lazy("Send the customer the links?"))

    def prepare(self) -> None:
        boxes = self.row.parcels if self.row else []
        initial = [{"carrier": box.carrier, "tracking_code": box.tracking_code} for box in boxes]
        blank = {"carrier": suggest(self.page.order), "tracking_code": ""}
        self.offer_boxes(initial or [blank], carrier_choices(boxes))
        self.fields["notify"].initial = "no"
        self.fields["notify"].help_text = mail_address(self.page)
        if self.row is None or self.row.shipment.status == PENDING:
            # Nothing has left: the links go out with the goods.
            self.fields["notify"].widget, self.fields["notify"].required = forms.HiddenInput(), False

    @cached_property
    def row(self) -> ShipmentRow | None:
        return row_of(self, PENDING, DISPATCHED)

    def consequences(self) -> list[Any]:
        return [_("A parcel that is left empty here goes, unless its carrier has told something of it already.")]

    def refusals(self) -> list[Reason]:
        return [] if self.row else [Reason("not_under_way", _("This shipment is not under way."))]

    def save(self, **common: Any) -> StatusChange:
        return parcels.change_parcels(
            shipment=pk_of(self, "shipment"),
            parcels=self.typed_boxes(),
            notify=self.cleaned_data["notify"] == "yes",
            **common,
        )


@form("change_tracking")
class TrackingForm(StepForm):
    """The tracking code of one box was wrong, or comes later."""

    submit_label = gettext_lazy("Save the tracking code")

    carrier = carrier_field()
    tracking_code = code_field()
    notify = mail_field(gettext_lazy("Send the customer the new link?"))

    def prepare(self) -> None:
        box = self.box
        self.fields["carrier"].widget.choices = carrier_choices([box] if box else [])  # type: ignore[attr-defined]
        self.fields["carrier"].initial = box.carrier if box else suggest(self.page.order)
        self.fields["tracking_code"].initial = box.tracking_code if box else ""

    @cached_property
    def box(self) -> Parcel | None:
        """The box that the link named, or the only one of the shipment that it named."""
        wanted = self.options.get("parcel")
        for row in self.page.under_way:
            if wanted is None and str(row.shipment.pk) == self.options.get("shipment"):
                return next(iter(row.parcels), None)
            for box in row.parcels:
                if str(box.pk) == wanted:
                    return box
        return None

    def refusals(self) -> list[Reason]:
        if self.box is not None or "parcel" not in self.options:
            return []
        return [Reason("not_under_way", _("This parcel is not under way."))]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        by_box = "parcel" in self.options
        return parcels.change_tracking(
            parcel=pk_of(self, "parcel") if by_box else None,
            shipment=None if by_box else pk_of(self, "shipment"),
            carrier=typed["carrier"],
            tracking_code=typed["tracking_code"],
            notify=typed["notify"] == "yes",
            **common,
        )
