"""What was ordered from suppliers for orders that wait, so that what is on its way is not ordered twice."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


def _person(label: Any) -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=label
    )


class SupplierOrder(models.Model):
    """Goods ordered from one supplier (a partner of Oscar's). Open until all of them came, or the rest was given up.

    ``key`` makes a form that is sent twice one order. ``partner_name`` and ``sent_to`` still read when the partner is
    gone.
    """

    partner = models.ForeignKey(
        "partner.Partner", null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("Supplier")
    )
    partner_name = models.CharField(_("Supplier"), max_length=128)
    reference = models.CharField(_("Your reference"), max_length=64, blank=True)
    note = models.TextField(_("Note to the supplier"), blank=True)
    # Where the mail went; empty: none was sent.
    sent_to = models.CharField(_("Mailed to"), max_length=254, blank=True)
    expected_on = models.DateField(_("Expected on"), null=True, blank=True)
    ordered_at = models.DateTimeField(_("Ordered"))
    ordered_by = _person(_("By"))
    ordered_by_label = models.CharField(max_length=150, blank=True)
    closed_at = models.DateTimeField(_("Closed"), null=True, blank=True)
    closed_by_label = models.CharField(max_length=150, blank=True)
    # Closed although not everything came.
    is_cancelled = models.BooleanField(_("Cancelled"), default=False)
    key = models.CharField(max_length=64, unique=True, editable=False)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Order from a supplier")
        verbose_name_plural = _("Orders from suppliers")
        default_permissions = ()
        indexes = [models.Index(fields=["-id"], name="ff_supply_open", condition=Q(closed_at__isnull=True))]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What the shop, the mail and the file call it."""
        return f"S{self.pk:05d}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class SupplierOrderLine(models.Model):
    """How many units of a product were ordered, and how many of them are here."""

    supplier_order = models.ForeignKey(SupplierOrder, on_delete=models.CASCADE, related_name="lines")
    stockrecord = models.ForeignKey("partner.StockRecord", null=True, on_delete=models.SET_NULL, related_name="+")
    sku = models.CharField(_("SKU"), max_length=128)
    title = models.CharField(_("Product"), max_length=255)
    quantity = models.PositiveIntegerField(_("Ordered"))
    received = models.PositiveIntegerField(_("Received"), default=0)
    # When units of it came last: orders that are older than that are offered to be released.
    received_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Line of an order from a supplier")
        verbose_name_plural = _("Lines of orders from suppliers")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["supplier_order", "stockrecord"], name="ff_supply_line_once"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, received__lte=F("quantity")), name="ff_supply_line_quantity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def open_quantity(self) -> int:
        """Units that did not come yet."""
        return self.quantity - self.received


class GoodsReceipt(models.Model):
    """Goods of a supplier's order that came at one time. ``key`` makes a form that is sent twice one receipt."""

    supplier_order = models.ForeignKey(SupplierOrder, on_delete=models.CASCADE, related_name="receipts")
    # Units per line, by its id.
    quantities = models.JSONField(default=dict)
    # Whether they were counted into the shop's stock, or something else keeps that.
    added_to_stock = models.BooleanField(_("Counted into the stock"), default=True)
    received_at = models.DateTimeField(_("Received"))
    received_by = _person(_("By"))
    received_by_label = models.CharField(max_length=150, blank=True)
    key = models.CharField(max_length=64, unique=True, editable=False)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Receipt of goods")
        verbose_name_plural = _("Receipts of goods")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.supplier_order_id}: {self.units}"

    @property
    def units(self) -> int:
        return sum(self.quantities.values())
