"""Time passes for one order: its moments move into the past, then the tasks that watch them run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.core.loading import get_model

from oscar_fulfillment.models import CarrierOrder, Parcel, PaymentTerms, ProviderPayment
from oscar_fulfillment.tasks import watch_parcels, watch_payments

_TERMS = ("due_at", "reserved_until", "remind_at", "call_at", "cancel_at")
_PAYMENT = ("expires_at", "hold_expires_at", "next_check_at")


class ClockForm(forms.Form):
    """Which order, and how long."""

    number = forms.CharField(label=gettext_lazy("Order number"), max_length=128)
    days = forms.IntegerField(label=gettext_lazy("Days"), min_value=0, max_value=400, initial=1)
    hours = forms.IntegerField(label=gettext_lazy("Hours"), min_value=0, max_value=23, initial=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"

    def clean_number(self) -> Any:
        number = self.cleaned_data["number"].lstrip("#")
        order = get_model("order", "Order")._default_manager.filter(number=number, fulfillment__isnull=False).first()
        if order is None:
            raise forms.ValidationError(_("There is no such order."))
        return order

    @property
    def delta(self) -> timedelta:
        return timedelta(days=self.cleaned_data["days"], hours=self.cleaned_data["hours"])


def let_time_pass(order: Any, delta: timedelta) -> None:
    """What the worker does every minute, as if ``delta`` were over. The providers' own clocks stay as they are: their
    pages have buttons for what ends there."""
    for terms in PaymentTerms._default_manager.filter(pk=order.pk):
        _shift(terms, _TERMS, delta)
        terms.set_next()
        terms.save()
    for payment in ProviderPayment._default_manager.filter(fulfillment=order.pk):
        _shift(payment, _PAYMENT, delta)
        payment.save(update_fields=_PAYMENT)
    for parcel in Parcel._default_manager.filter(shipment__fulfillment=order.pk):
        _shift(parcel, ("next_check_at",), delta)
        parcel.save(update_fields=["next_check_at"])
    for carriage in CarrierOrder._default_manager.filter(shipment__fulfillment=order.pk):
        _shift(carriage, ("next_check_at",), delta)
        carriage.save(update_fields=["next_check_at"])
    watch_payments()
    watch_parcels()


def _shift(row: Any, columns: tuple[str, ...], delta: timedelta) -> None:
    for name in columns:
        if (at := getattr(row, name)) is not None:
            setattr(row, name, at - delta)
