"""What leaves the house together: a shipment and its lines. Its boxes are in ``models.parcel``."""

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
    created_at = models.DateTimeField(_("Released"))
    dispatched_at = models.DateTimeField(_("Dispatched"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("Delivered"), null=True, blank=True)
    # Cancelled for good: its goods are not sent later either, and count as dealt with.
    is_dropped = models.BooleanField(_("Not sent at all"), default=False, db_default=False)
    # Goods sent again for what came back in this return.
    replaces = models.ForeignKey(
        "oscar_fulfillment.Return", null=True, blank=True, on_delete=models.SET_NULL, related_name="replacements"
    )
    # Where the customer comes for the goods: the code that proves who may have them.
    pickup_code = models.CharField(_("Pick-up code"), max_length=12, blank=True, db_default="")
    ready_at = models.DateTimeField(_("Ready for pick-up"), null=True, blank=True)
    handed_to = models.CharField(_("Handed over to"), max_length=150, blank=True, db_default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["number"]
        verbose_name = _("Shipment")
        verbose_name_plural = _("Shipments")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["fulfillment", "number"], name="fulfillment_shipment_number"),
            models.CheckConstraint(condition=models.Q(status__in=STATUSES), name="fulfillment_shipment_status"),
            # A code says which of the goods that wait are meant.
            models.UniqueConstraint(
                fields=["pickup_code"],
                condition=models.Q(status=PENDING) & ~models.Q(pickup_code=""),
                name="ff_shipment_pickup",
            ),
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


class ShipmentLine(models.Model):
    """How many units of an order line are in a shipment."""

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="lines")
    line = models.ForeignKey("order.Line", on_delete=models.CASCADE, related_name="shipment_lines")
    quantity = models.PositiveIntegerField(_("Quantity"))
    # Units of these that came back.
    returned = models.PositiveIntegerField(_("Returned"), default=0, db_default=0)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["line_id"]
        verbose_name = _("Line of a shipment")
        verbose_name_plural = _("Lines of a shipment")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["shipment", "line"], name="fulfillment_shipment_line"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="fulfillment_shipment_quantity"),
            models.CheckConstraint(
                condition=models.Q(returned__lte=models.F("quantity")), name="fulfillment_shipment_returned"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"
