"""Files of the tax office, as they were handed in: notes, and what happened to notes."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment
from .invoice import Invoice


class NfeFile(models.Model):
    """One file, once (``sha256``). Its bytes are kept untouched: the law asks for the signed XML, not for a copy.

    ============= ==========================================================================================
    received      waits for its checks
    checked       has its verdict and waits for a person
    queued        a person has applied it, a worker does it
    applied       filed with its order; kept
    superseded    was applied, and cancelled at the tax office since; kept
    refused       cannot be used; forgotten after a day, as is what is known already from another file
    ============= ==========================================================================================
    """

    RECEIVED, CHECKED, QUEUED = "received", "checked", "queued"
    APPLIED, SUPERSEDED, REFUSED = "applied", "superseded", "refused"
    NOTE, CANCELLATION, CORRECTION, UNKNOWN = "note", "cancellation", "correction", "unknown"

    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(_("File"), max_length=200)
    # Empty where the file was too large to be kept.
    content = models.BinaryField()
    size = models.PositiveIntegerField(_("Size"), default=0)
    kind = models.CharField(_("Kind"), max_length=16, default=UNKNOWN)
    access_key = models.CharField(_("Access key"), max_length=44, blank=True, default="")
    # "1" production, "2" homologation, "" unknown.
    environment = models.CharField(_("Environment"), max_length=1, blank=True, default="")
    # What the pages show of it without opening it: number, series, total, buyer ...
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    status = models.CharField(_("State"), max_length=16, default=RECEIVED)
    verdict = models.CharField(_("Verdict"), max_length=16, blank=True, default="")
    # [{"code", "values"}, ...], see ``fiscal.nfe_findings``.
    findings = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    fulfillment = models.ForeignKey(
        OrderFulfillment, null=True, on_delete=models.SET_NULL, related_name="nfe_files", verbose_name=_("Order")
    )
    # A person has said so: it is not looked for again.
    is_chosen = models.BooleanField(default=False)
    invoice = models.ForeignKey(
        Invoice, null=True, on_delete=models.SET_NULL, related_name="nfe_files", verbose_name=_("Invoice")
    )
    # The upload, or the application, that it was last part of: what its pages are about.
    batch = models.CharField(max_length=32, default="")
    received_at = models.DateTimeField(_("Received"), default=timezone.now)
    received_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    received_by_label = models.CharField(max_length=150, blank=True, default="")
    # When a worker took it in hand; empty where none has.
    touched_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(_("Decided"), null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    decided_by_kind = models.CharField(max_length=16, blank=True, default="")
    decided_by_label = models.CharField(max_length=150, blank=True, default="")
    # Why it was applied though it differs.
    reason = models.TextField(_("Why"), blank=True, default="")
    # What stood in the way when it was applied, until it is.
    problem = models.CharField(_("Problem"), max_length=300, blank=True, default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Fiscal note")
        verbose_name_plural = _("Fiscal notes")
        default_permissions = ()
        indexes = [
            models.Index(fields=["status", "verdict", "-id"], name="ff_nfe_status"),
            models.Index(fields=["batch", "-id"], name="ff_nfe_batch"),
            models.Index(fields=["access_key"], name="ff_nfe_key", condition=~Q(access_key="")),
            # What a worker takes up, and what is forgotten.
            models.Index(fields=["id"], name="ff_nfe_work", condition=Q(status__in=["received", "queued"])),
            models.Index(fields=["received_at"], name="ff_nfe_refused", condition=Q(status="refused")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_kept(self) -> bool:
        """Whether it is evidence, which nobody throws away."""
        return self.status in (self.APPLIED, self.SUPERSEDED)
