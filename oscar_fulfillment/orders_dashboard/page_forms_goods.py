"""Forms about the goods: release, fiscal document, delivery, return. What names boxes is in page_forms_parcels."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from oscar_fulfillment.fiscal.access_key import widget_attrs
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.models.invoice import NFE, NONE, OTHER
from oscar_fulfillment.selectors.order_page_rows import ShipmentRow
from oscar_fulfillment.services import invoicing, release, shipping

from .page_forms import StepForm, form, mail_address, mail_field, reason_field

#: Above any quantity an order line can hold; keeps absurd numbers away from the database.
MOST = 2_147_483_647


@form("release")
class ReleaseForm(StepForm):
    """What is there, line by line, and how much of it goes ahead."""

    template_name = "oscar_fulfillment/orders/forms/release.html"

    in_part = forms.CharField(required=False, widget=forms.HiddenInput)
    reason = reason_field(gettext_lazy("Note for the history"))

    @cached_property
    def answers(self) -> list[release.ReleaseLine]:
        return release.preview_release(self.page.order)

    def prepare(self) -> None:
        for answer in self.answers:
            self.fields[f"line_{answer.line.pk}"] = forms.IntegerField(
                label=_("Release of “%(title)s”") % {"title": answer.line.title},
                min_value=0,
                max_value=MOST,
                required=False,
                initial=max(answer.releasable, 0),
                widget=forms.NumberInput(attrs={"class": "ff-quantity", "inputmode": "numeric"}),
            )

    def rows(self) -> list[tuple[Any, Any]]:
        """(stock answer, bound field) of each line that is not released yet."""
        return [(a, self[f"line_{a.line.pk}"]) for a in self.answers if a.asked > 0]

    @property
    def missing(self) -> int:
        return sum(answer.missing for answer in self.answers)

    @property
    def there(self) -> int:
        return sum(max(answer.releasable, 0) for answer in self.answers)

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        chosen = {int(name[5:]): quantity for name, quantity in typed.items() if name.startswith("line_")}
        quantities = None
        # A form without the table (a program) means the whole order; an emptied field means none of this line.
        if not typed["in_part"] and any(self.add_prefix(f"line_{pk}") in self.data for pk in chosen):
            quantities = {pk: quantity or 0 for pk, quantity in chosen.items()}
        return release.release_order(
            quantities=quantities, in_part=bool(typed["in_part"]), reason=typed["reason"], **common
        )


@form("invoice")
class InvoiceForm(StepForm):
    """The fiscal document of what is released."""

    template_name = "oscar_fulfillment/orders/forms/invoice.html"
    marks_optional = False

    kind = forms.CharField(
        label=gettext_lazy("Fiscal document"),
        initial=NFE,
        widget=forms.RadioSelect(
            choices=[
                (NFE, gettext_lazy("NF-e")),
                (OTHER, gettext_lazy("Another document")),
                (NONE, gettext_lazy("No fiscal document")),
            ]
        ),
    )
    access_key = forms.CharField(
        label=gettext_lazy("Access key"),
        required=False,
        help_text=gettext_lazy("44 characters. Number and series are filled in from it."),
    )
    number = forms.CharField(label=gettext_lazy("Number"), required=False)
    series = forms.CharField(label=pgettext_lazy("of an invoice", "Series"), required=False)

    def prepare(self) -> None:
        name = str(self.auto_id)
        none = f"#{name % 'kind'}_2"
        attrs = widget_attrs(series=f"#{name % 'series'}", number=f"#{name % 'number'}", none_choice=none)
        attrs |= {"data-problems": f"#{name % 'access_key'}_problems", "autocomplete": "off", "spellcheck": "false"}
        self.fields["access_key"].widget.attrs.update(attrs, **{"class": "ff-key"})
        for plain in ("number", "series"):
            self.fields[plain].widget.attrs.update(autocomplete="off", inputmode="numeric")

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        fields = {name: typed[name] for name in ("kind", "number", "series", "access_key")}
        return invoicing.invoice_order(**fields, **common)


@form("cancel_invoice")
class CancelInvoiceForm(StepForm):
    """A document was wrong."""

    danger = True
    invoice = forms.IntegerField(
        label=gettext_lazy("Fiscal document"), required=False, min_value=1, max_value=MOST, widget=forms.HiddenInput
    )
    reason = reason_field(gettext_lazy("Why is it taken back?"), required=True)

    def prepare(self) -> None:
        found = self.page.to_take_back
        if len(found) > 1:
            choices = [("", _("All whose goods are still here")), *((str(i.pk), str(i)) for i in found)]
            self.fields["invoice"].widget = forms.Select(choices=choices)

    def consequences(self) -> list[Any]:
        return [_("The goods it covers can be invoiced again. Cancel the document at the tax office too.")]

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return invoicing.cancel_invoice(invoice=typed["invoice"], reason=typed["reason"], **common)


def shipment_choices(rows: list[ShipmentRow], everything: Any) -> list[tuple[str, str]]:
    """All of these shipments, or one of them."""
    ones = [
        (
            str(row.shipment.pk),
            _("Shipment %(number)d: %(goods)s") % {"number": row.shipment.number, "goods": _goods(row)},
        )
        for row in rows
    ]
    return [("", str(everything)), *ones]


def _goods(row: ShipmentRow) -> str:
    names = [f"{quantity} × {line.title}" for line, quantity in row.contents]
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


class ShipmentForm(StepForm):
    shipment = forms.IntegerField(
        label=gettext_lazy("Shipment"), required=False, min_value=1, max_value=MOST, widget=forms.Select
    )

    def offer(self, rows: list[ShipmentRow], everything: Any) -> None:
        """Ask which shipment when there are several; keep the field, for forms sent twice."""
        chosen = self.options.get("shipment", "")
        if len(rows) > 1:
            self.fields["shipment"].widget = forms.Select(choices=shipment_choices(rows, everything))
        else:
            self.fields["shipment"].widget = forms.HiddenInput()
            chosen = ""
        if chosen.isdecimal() and len(chosen) < 10:
            self.fields["shipment"].initial = int(chosen)


@form("deliver")
class DeliverForm(ShipmentForm):
    """The goods have arrived."""

    notify = mail_field(gettext_lazy("Tell the customer by mail?"))

    def prepare(self) -> None:
        self.offer(self.page.under_way, _("All that is under way"))
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return shipping.deliver_order(shipment=typed["shipment"], notify=typed["notify"] == "yes", **common)


@form("return")
class ReturnForm(StepForm):
    """Everything came back."""

    danger = True
    reason = reason_field(gettext_lazy("Why did it come back?"), required=True)
    restock = forms.ChoiceField(
        label=gettext_lazy("What happens to the goods?"),
        choices=[("yes", gettext_lazy("Back into the stock")), ("no", gettext_lazy("Not sold again"))],
        widget=forms.RadioSelect,
        initial="yes",
    )

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return shipping.return_order(reason=typed["reason"], restock=typed["restock"] == "yes", **common)
