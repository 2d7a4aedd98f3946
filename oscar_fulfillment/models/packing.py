"""Goods on the packing table: who packs a shipment now, into which box, and what was scanned."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .parcel import Parcel
from .shipment import Shipment


class Packing(models.Model):
    """A shipment being packed: by one person, by constraint. The row is gone once everything is in its boxes.

    What is in which box is in the parcels' own lines. Nobody packs it while ``packer`` is None: it was put aside.
    """

    shipment = models.OneToOneField(Shipment, on_delete=models.CASCADE, related_name="packing")
    box = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="+")
    packer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    packer_label = models.CharField(max_length=150, blank=True)
    begun_at = models.DateTimeField(_("Begun"))

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Packing")
        verbose_name_plural = _("Packings")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.shipment_id}: {self.packer_label}"


class PackingScan(models.Model):
    """A scan that was counted. ``key`` is the desk's own name of it: a request sent again counts once, by constraint.

    ``quantity`` is negative for what was taken out. The rows live as long as the packing.
    """

    # No index of its own: the unique constraint begins with it.
    packing = models.ForeignKey(Packing, on_delete=models.CASCADE, related_name="scans", db_index=False)
    key = models.CharField(max_length=64)
    # Few rows that live for minutes: what guards the boxes' own lines need not be checked and indexed here again.
    box = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    line = models.ForeignKey(
        "order.Line", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    quantity = models.IntegerField(_("Quantity"))
    is_undone = models.BooleanField(_("Taken back"), default=False)
    scanned_at = models.DateTimeField(_("Scanned"))

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Scan")
        verbose_name_plural = _("Scans")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["packing", "key"], name="ff_packing_scan_once")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"
