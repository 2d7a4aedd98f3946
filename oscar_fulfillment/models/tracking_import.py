"""Files that tell of parcels, taken in row by row: what each row would do, and what became of it."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment
from .views import BulkJob


class TrackingImport(models.Model):
    """One file. ``reading`` until each row has its verdict, then ``ready``; ``failed`` when it could not be read.

    ``content`` is the file itself, and is forgotten when it has been read.
    """

    CODES, OCOREN = "codes", "ocoren"
    READING, READY, FAILED = "reading", "ready", "failed"

    kind = models.CharField(max_length=8)
    file_name = models.CharField(_("File"), max_length=200)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField(default=bytes)
    # The carrier of rows that name none; whether a code takes the place of another one; whether customers are mailed.
    carrier = models.CharField(_("Carrier"), max_length=64, blank=True)
    replaces = models.BooleanField(_("Replaces codes"), default=True)
    notify = models.BooleanField(_("Mails the customers"), default=True)
    layout = models.JSONField(default=dict)
    layout_of = models.CharField(max_length=32, blank=True, default="")
    status = models.CharField(_("Status"), max_length=8, default=READING)
    problem = models.CharField(_("Problem"), max_length=500, blank=True, default="")
    # In the language of the person, as are the rows' messages.
    language = models.CharField(max_length=10, blank=True, default="")
    line_count = models.PositiveIntegerField(default=0)
    read_count = models.PositiveIntegerField(_("Rows"), default=0)
    # Rows by verdict.
    counts = models.JSONField(default=dict)
    # The action on the orders, once it was asked for; a retry takes its place.
    job = models.ForeignKey(BulkJob, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    imported_at = models.DateTimeField(_("Imported"), default=timezone.now)
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    imported_by_label = models.CharField(max_length=150, blank=True, default="")
    touched_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Import of tracking codes")
        verbose_name_plural = _("Imports of tracking codes")
        default_permissions = ()
        indexes = [
            models.Index(fields=["touched_at"], name="ff_import_reading", condition=Q(status="reading")),
            models.Index(fields=["layout_of", "-id"], name="ff_import_layout", condition=~Q(layout_of="")),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_reading(self) -> bool:
        return self.status == self.READING

    @property
    def percent(self) -> int:
        """How far the file is read, by its lines."""
        return min(self.read_count * 100 // max(self.line_count, 1), 100) if self.is_reading else 100

    @property
    def is_ready(self) -> bool:
        return self.status == self.READY


class TrackingImportRow(models.Model):
    """One row of a file. ``number`` is the order's, or the invoice's as "number/series"; ``code`` a tracking code, or
    an occurrence code.

    ``verdict`` says what the row would do when it was read; ``outcome`` what it did: nothing yet, ``done``, ``failed``.
    """

    DONE, FAILED = "done", "failed"

    source = models.ForeignKey(TrackingImport, on_delete=models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField(_("Line"))
    number = models.CharField(_("Order"), max_length=128, blank=True)
    code = models.CharField(_("Code"), max_length=130, blank=True)
    carrier = models.CharField(_("Carrier"), max_length=80, blank=True)
    # What else the row says, and what the verdict found: shipment, day, event, ids.
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    verdict = models.CharField(_("Verdict"), max_length=16)
    message = models.CharField(_("Why"), max_length=500, blank=True)
    fulfillment = models.ForeignKey(OrderFulfillment, null=True, on_delete=models.SET_NULL, related_name="+")
    outcome = models.CharField(_("Result"), max_length=8, blank=True, default="")
    problem = models.CharField(_("What stood in the way"), max_length=500, blank=True, default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Row of an import")
        verbose_name_plural = _("Rows of imports")
        default_permissions = ()
        indexes = [
            models.Index(fields=["source", "verdict", "id"], name="ff_import_verdict"),
            models.Index(fields=["source", "fulfillment"], name="ff_import_order"),
            models.Index(fields=["source", "code"], name="ff_import_code"),
            models.Index(fields=["source", "outcome", "id"], name="ff_import_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.number} {self.code}"
