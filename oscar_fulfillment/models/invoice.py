"""Fiscal documents of an order."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment

NFE, OTHER, NONE = "nfe", "other", "none"


class Invoice(models.Model):
    """A fiscal document: an NF-e with its access key, another invoice number, or the decision to issue none."""

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="invoices")
    kind = models.CharField(_("Kind"), max_length=8)
    number = models.CharField(_("Number"), max_length=32, blank=True)
    series = models.CharField(_("Series"), max_length=8, blank=True)
    access_key = models.CharField(_("Access key"), max_length=44, blank=True)
    issuer_tax_id = models.CharField(_("Issuer"), max_length=14, blank=True)
    created_at = models.DateTimeField(_("Entered"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    cancelled_at = models.DateTimeField(_("Cancelled"), null=True, blank=True)
    cancel_reason = models.TextField(_("Why cancelled"), blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Invoice")
        verbose_name_plural = _("Invoices")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=[NFE, OTHER, NONE]), name="fulfillment_invoice_kind"),
            # A key belongs to one document; a cancelled one may be entered again at the right order.
            models.UniqueConstraint(
                fields=["access_key"],
                condition=~models.Q(access_key="") & models.Q(cancelled_at__isnull=True),
                name="fulfillment_invoice_key",
            ),
        ]
        indexes = [
            models.Index(fields=["access_key"], name="fulfillment_invoice_find"),
            # Carriers name the goods by the invoice.
            models.Index(fields=["number"], name="ff_invoice_number", condition=~models.Q(number="")),
            # The journal of the accounts.
            models.Index(fields=["created_at", "id"], name="ff_invoice_journal", condition=~models.Q(kind="none")),
            models.Index(
                fields=["cancelled_at", "id"],
                name="ff_invoice_cancelled",
                condition=models.Q(cancelled_at__isnull=False) & ~models.Q(kind="none"),
            ),
        ]

    def __str__(self) -> str:
        if self.kind == NONE:
            return str(_("No fiscal document"))
        return f"{self.number}/{self.series}" if self.series else self.number

    @property
    def is_none(self) -> bool:
        return self.kind == NONE
