"""A box on its way: its tracking code, what is in it, and what its carrier says of it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .shipment import CANCELLED, DELIVERED, DISPATCHED, PENDING, RETURNED, STATUSES, Shipment


class Parcel(models.Model):
    """One box of a shipment. A shipment without carrier and code (own van, pick-up) needs none.

    ``status`` is ours and only moves with its shipment or by what its carrier proves; ``tracking_*`` repeat the event
    that counts (see ``services.tracking``), so that lists need no look at the events.
    """

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="parcels")
    number = models.PositiveSmallIntegerField(_("Number"))
    status = models.CharField(_("Status"), max_length=16, default=PENDING)
    carrier = models.CharField(_("Carrier"), max_length=64, blank=True)
    tracking_code = models.CharField(_("Tracking code"), max_length=64, blank=True)
    tracking_url = models.CharField(_("Tracking link"), max_length=500, blank=True)
    weight = models.PositiveIntegerField(_("Weight (g)"), null=True, blank=True)
    length = models.PositiveSmallIntegerField(_("Length (cm)"), null=True, blank=True)
    width = models.PositiveSmallIntegerField(_("Width (cm)"), null=True, blank=True)
    height = models.PositiveSmallIntegerField(_("Height (cm)"), null=True, blank=True)
    packed_at = models.DateTimeField(_("Packed"), null=True, blank=True)
    packed_by_label = models.CharField(max_length=150, blank=True)
    dispatched_at = models.DateTimeField(_("Dispatched"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("Delivered"), null=True, blank=True)
    # What the carrier says: a value of ``carriers.events.TrackingState``, and the event that says it.
    tracking_state = models.CharField(max_length=24, blank=True)
    tracking_text = models.CharField(max_length=500, blank=True)
    tracking_place = models.CharField(max_length=200, blank=True)
    tracking_at = models.DateTimeField(null=True, blank=True)
    incident = models.CharField(max_length=24, blank=True)
    # When the carrier is asked next (None: never), how often it was, and why it had no answer.
    next_check_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    checks = models.PositiveSmallIntegerField(default=0)
    tracking_problem = models.CharField(max_length=200, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["shipment", "number"]
        verbose_name = _("Parcel")
        verbose_name_plural = _("Parcels")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["shipment", "number"], name="ff_parcel_number"),
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="ff_parcel_status"),
        ]
        indexes = [
            # For "equals" and for "begins with" (see OrderFulfillment).
            models.Index(fields=["tracking_code"], name="ff_parcel_code", opclasses=["varchar_pattern_ops"]),
            models.Index(
                fields=["carrier", "next_check_at"], name="ff_parcel_due", condition=Q(next_check_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shipment_id}/{self.number}"

    @property
    def status_label(self) -> Any:
        return {
            PENDING: _("Being prepared"),
            DISPATCHED: _("Sent"),
            DELIVERED: _("Delivered"),
            RETURNED: _("Returned"),
            CANCELLED: _("Cancelled"),
        }[self.status]

    @property
    def tracking_label(self) -> Any:
        """What the carrier says, in a word of ours; "" while it says nothing."""
        return TRACKING_LABELS.get(self.tracking_state, "")

    @property
    def adapter(self) -> Any:
        """The carrier's adapter, None where the shop has none of this name (any more)."""
        from oscar_fulfillment.carriers import carriers

        return carriers.get(self.carrier) if self.carrier in carriers else None

    @property
    def carrier_name(self) -> str:
        adapter = self.adapter
        return str(adapter.name) if adapter is not None else self.carrier

    @property
    def carrier_for_customer(self) -> str:
        """The carrier's name; empty where the shop only says that it is another one."""
        adapter = self.adapter
        return "" if adapter is not None and adapter.is_generic else self.carrier_name

    @property
    def announces_link(self) -> bool:
        """Whether the customer gets this carrier's tracking link prominently, without anybody asking for it."""
        adapter = self.adapter
        return adapter is not None and adapter.automatic_tracking_mail


#: The words for ``carriers.events.TrackingState``.
TRACKING_LABELS: dict[str, Any] = {
    "pending": _("Announced to the carrier"),
    "picked_up": _("Handed to the carrier"),
    "in_transit": _("On its way"),
    "out_for_delivery": _("Out for delivery"),
    "ready_for_pickup": _("Ready to be collected"),
    "delivery_failed": _("Delivery attempt failed"),
    "on_hold": _("Held"),
    "delivered": pgettext_lazy("parcel", "Delivered"),
    "delivered_in_part": _("Delivered in part"),
    "returning": _("On its way back"),
    "returned": _("Back at the sender"),
    "cancelled": pgettext_lazy("parcel", "Cancelled"),
    "lost": _("Lost"),
    "info": _("Information"),
    "unknown": _("Unknown code"),
}


class ParcelLine(models.Model):
    """How many units of an order line are in a box, where somebody counted them in."""

    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey("order.Line", on_delete=models.CASCADE, related_name="parcel_lines")
    quantity = models.PositiveIntegerField(_("Quantity"))

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["line_id"]
        verbose_name = _("Line of a parcel")
        verbose_name_plural = _("Lines of a parcel")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["parcel", "line"], name="ff_parcel_line"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="ff_parcel_line_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"


class TrackingEvent(models.Model):
    """What a carrier told of a parcel. Stored once, however often it is told; never changed but to be taken back."""

    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="events")
    fingerprint = models.CharField(max_length=40)
    code = models.CharField(_("Code"), max_length=64)
    state = models.CharField(max_length=24)
    incident = models.CharField(max_length=24, blank=True)
    text = models.CharField(_("Text"), max_length=500, blank=True)
    place = models.CharField(_("Place"), max_length=200, blank=True)
    note = models.CharField(_("Courier's note"), max_length=500, blank=True)
    is_return = models.BooleanField(default=False)
    retracts = models.BooleanField(default=False)
    occurred_at = models.DateTimeField(_("When"))
    received_at = models.DateTimeField(_("Told"))

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-occurred_at", "-pk"]
        verbose_name = _("Tracking event")
        verbose_name_plural = _("Tracking events")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["parcel", "fingerprint"], name="ff_event_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.occurred_at:%Y-%m-%d %H:%M}"

    @property
    def state_label(self) -> Any:
        return TRACKING_LABELS.get(self.state, self.state)
