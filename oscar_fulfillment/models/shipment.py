"""What leaves the house together: a shipment, its lines and its tracking code."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment
from .invoice import Invoice

PENDING, DISPATCHED, DELIVERED, RETURNED, CANCELLED = "pending", "dispatched", "delivered", "returned", "cancelled"
STATUSES = (PENDING, DISPATCHED, DELIVERED, RETURNED, CANCELLED)


class Shipment(models.Model):
    """Goods that go out together. Made pending by the release, with the quantities that were there."""

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="shipments")
    number = models.PositiveSmallIntegerField(_("Number"))
    status = models.CharField(_("Status"), max_length=16, default=PENDING)
    invoice = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.SET_NULL, related_name="shipments")
    carrier = models.CharField(_("Carrier"), max_length=64, blank=True)
    tracking_code = models.CharField(_("Tracking code"), max_length=64, blank=True, db_index=True)
    tracking_url = models.CharField(_("Tracking link"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("Released"))
    dispatched_at = models.DateTimeField(_("Dispatched"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("Delivered"), null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["number"]
        verbose_name = _("Shipment")
        verbose_name_plural = _("Shipments")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["fulfillment", "number"], name="fulfillment_shipment_number"),
            models.CheckConstraint(condition=models.Q(status__in=STATUSES), name="fulfillment_shipment_status"),
        ]
        # What waits of an order that was sent in part, see ``selectors.queues``.
        indexes = [
            models.Index(fields=["fulfillment"], name="ff_shipment_pending", condition=models.Q(status=PENDING)),
        ]

    def __str__(self) -> str:
        return f"#{self.fulfillment.number}-{self.number}"

    @property
    def status_label(self):
        return {
            PENDING: _("Being prepared"),
            DISPATCHED: _("Sent"),
            DELIVERED: _("Delivered"),
            RETURNED: _("Returned"),
            CANCELLED: _("Cancelled"),
        }[self.status]

    @property
    def carrier_name(self) -> str:
        from oscar_fulfillment.carriers import carriers

        return str(carriers.get(self.carrier).name) if self.carrier in carriers else self.carrier

    @property
    def carrier_for_customer(self) -> str:
        """The carrier's name; empty where the shop only says that it is another one."""
        from oscar_fulfillment.carriers import carriers

        known = carriers.get(self.carrier) if self.carrier in carriers else None
        return "" if known is not None and known.is_generic else self.carrier_name

    @property
    def announces_link(self) -> bool:
        """Whether the customer gets this carrier's tracking link prominently, without anybody asking for it."""
        from oscar_fulfillment.carriers import carriers

        return self.carrier in carriers and carriers.get(self.carrier).automatic_tracking_mail


class ShipmentLine(models.Model):
    """How many units of an order line are in a shipment."""

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey("order.Line", on_delete=models.CASCADE, related_name="shipment_lines")
    quantity = models.PositiveIntegerField(_("Quantity"))

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["line_id"]
        verbose_name = _("Line of a shipment")
        verbose_name_plural = _("Lines of a shipment")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["shipment", "line"], name="fulfillment_shipment_line"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="fulfillment_shipment_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"
