"""What providers say they have paid out."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Payout(models.Model):
    """A file in which a provider says which payments it has paid out."""

    provider = models.CharField(_("Provider"), max_length=64)
    reference = models.CharField(_("Number"), max_length=128, blank=True)
    file_name = models.CharField(_("File"), max_length=200)
    sha256 = models.CharField(max_length=64, unique=True)
    currency = models.CharField(_("Currency"), max_length=12, blank=True)
    paid_on = models.DateField(_("Paid out"), null=True)
    gross = models.DecimalField(_("Payments"), max_digits=14, decimal_places=2, default=0)
    fee = models.DecimalField(_("Fees"), max_digits=14, decimal_places=2, default=0)
    net = models.DecimalField(_("Paid out"), max_digits=14, decimal_places=2, default=0)
    line_count = models.PositiveIntegerField(_("Lines"), default=0)
    known_count = models.PositiveIntegerField(_("Known already"), default=0)
    left_out = models.JSONField(default=dict)
    layout = models.JSONField(default=dict)
    layout_of = models.CharField(max_length=32, blank=True, default="")
    imported_at = models.DateTimeField(_("Imported"))
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    imported_by_label = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Payout")
        verbose_name_plural = _("Payouts")
        default_permissions = ()
        indexes = [models.Index(fields=["layout_of", "-id"], name="ff_payout_layout", condition=~Q(layout_of=""))]

    def __str__(self) -> str:
        return self.reference or self.file_name


class PayoutLine(models.Model):
    """One payment in a payout. ``settled_at``: its order was told that the money is in, or needed no telling."""

    payout = models.ForeignKey(Payout, on_delete=models.CASCADE, related_name="lines")
    fingerprint = models.CharField(max_length=40, unique=True)
    external_id = models.CharField(_("Provider’s number"), max_length=128, blank=True)
    reference = models.CharField(_("Reference"), max_length=128, blank=True)
    kind = models.CharField(_("What"), max_length=16)
    gross = models.DecimalField(_("Sum"), max_digits=12, decimal_places=2)
    fee = models.DecimalField(_("Fee"), max_digits=12, decimal_places=2)
    net = models.DecimalField(_("Paid out"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("Currency"), max_length=12)
    paid_on = models.DateField(_("Day"), null=True)
    payment = models.ForeignKey(
        "oscar_fulfillment.ProviderPayment", null=True, on_delete=models.SET_NULL, related_name="payout_lines"
    )
    problem = models.CharField(max_length=300, blank=True, default="")
    settled_at = models.DateTimeField(_("Confirmed"), null=True)
    settled_by_label = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Line of a payout")
        verbose_name_plural = _("Lines of payouts")
        default_permissions = ()
        indexes = [
            models.Index(fields=["payout", "id"], name="ff_payout_open", condition=Q(settled_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.external_id or self.reference
