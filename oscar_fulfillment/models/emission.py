"""NF-e of our own: the numbers of each series, the notes, what happened to them. Only services write here."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .fulfillment import OrderFulfillment
from .invoice import Invoice
from .shipment import Shipment


class NfeSeries(models.Model):
    """The numbers of one issuer's series. Given out under the lock of this row, one by one: there is no gap by us."""

    issuer = models.CharField(_("Issuer"), max_length=14)
    environment = models.CharField(_("Environment"), max_length=16)
    series = models.PositiveSmallIntegerField(_("Series"))
    next_number = models.PositiveIntegerField(_("Next number"), default=1)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("Series of NF-e")
        verbose_name_plural = _("Series of NF-e")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["issuer", "environment", "series"], name="ff_nfe_series_once")]

    def __str__(self) -> str:
        return f"{self.issuer}/{self.series}"


class NfeEmission(models.Model):
    """A note of ours. Its number is taken when it is asked for, and stays its own whatever comes of it.

    =============== ====================================================================================
    draft           has its number; to be built and signed by a worker
    signed          the signed note is stored here; nobody has seen it yet
    sent            it is on its way, or its answer was lost: ask by its key before it is sent again
    processing      the tax office has taken it (``receipt``) and works on it
    contingency     signed for the service that stands in; to be sent there and nowhere else
    authorised      valid; ``proc_xml`` is the file that the law asks for
    rejected        refused, by the tax office or by our own checks: mend it, and it goes out under its number
    denied          forbidden for good; the number is used up
    cancelled       was authorised, and cancelled there since
    voided          given up; its number was voided there
    =============== ====================================================================================
    """

    DRAFT, SIGNED, SENT, PROCESSING, CONTINGENCY = "draft", "signed", "sent", "processing", "contingency"
    AUTHORISED, REJECTED, DENIED, CANCELLED, VOIDED = "authorised", "rejected", "denied", "cancelled", "voided"
    #: A worker has something to do.
    OPEN = (DRAFT, SIGNED, SENT, PROCESSING, CONTINGENCY)
    #: Its goods have this note, or will: no other may be issued for them.
    STANDING = (*OPEN, REJECTED, AUTHORISED)

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.PROTECT, related_name="emissions")
    alias = models.CharField(_("Issuer"), max_length=64)
    issuer = models.CharField(_("Issuer's CNPJ"), max_length=14)
    environment = models.CharField(_("Environment"), max_length=16)
    series = models.PositiveSmallIntegerField(_("Series"))
    number = models.PositiveIntegerField(_("Number"))
    #: The eight random digits of the key, the same through every mending.
    code = models.CharField(max_length=8)
    emission_type = models.PositiveSmallIntegerField(default=1)
    access_key = models.CharField(_("Access key"), max_length=44, blank=True, default="")
    #: Keys that this note had before it was mended; the tax office never authorised them.
    earlier_keys = models.JSONField(default=list)
    status = models.CharField(_("Status"), max_length=16, default=DRAFT)
    # What is sold, and to whom, as it was reckoned when it was asked for: see ``services.emission_content``.
    content = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    total = models.DecimalField(_("Total"), max_digits=12, decimal_places=2)
    issued_at = models.DateTimeField(_("Issued"), null=True)
    # Stored before it is sent, and never written anew.
    xml = models.BinaryField(default=bytes)
    proc_xml = models.BinaryField(default=bytes)
    receipt = models.CharField(max_length=20, blank=True, default="")
    protocol = models.CharField(_("Protocol"), max_length=20, blank=True, default="")
    # The tax office's code and words; empty code: our own checks said so.
    answer_code = models.CharField(_("Code"), max_length=4, blank=True, default="")
    answer_text = models.CharField(_("Answer"), max_length=1000, blank=True, default="")
    # Why it has not come on: no connection, certificate run out ...; empty when all is well.
    problem = models.CharField(_("Problem"), max_length=500, blank=True, default="")
    contingency_at = models.DateTimeField(_("In contingency since"), null=True)
    contingency_reason = models.CharField(max_length=256, blank=True, default="")
    invoice = models.ForeignKey(Invoice, null=True, on_delete=models.SET_NULL, related_name="emissions")
    requested_at = models.DateTimeField(_("Asked for"))
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_by_label = models.CharField(max_length=150, blank=True)
    sent_at = models.DateTimeField(_("Sent"), null=True)
    authorised_at = models.DateTimeField(_("Authorised"), null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("NF-e")
        verbose_name_plural = _("NF-e")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "environment", "series", "number"], name="ff_nfe_emission_number"
            ),
            models.UniqueConstraint(fields=["access_key"], condition=~Q(access_key=""), name="ff_nfe_emission_key"),
            # What goes out was signed and stored before.
            models.CheckConstraint(
                condition=Q(status__in=["draft", "rejected", "voided"]) | ~Q(access_key=""),
                name="ff_nfe_emission_signed",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="ff_nfe_emission_status"),
            models.Index(
                fields=["next_check_at"], name="ff_nfe_emission_due", condition=Q(next_check_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}/{self.series}"

    @property
    def is_test(self) -> bool:
        """Without fiscal value: issued in the tax office's environment for tests."""
        return self.environment == "homologation"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def status_label(self) -> Any:
        return self.LABELS.get(self.status, (self.status, ""))[0]

    @property
    def tone(self) -> str:
        return str(self.LABELS.get(self.status, ("", "secondary"))[1])

    LABELS = {
        DRAFT: (pgettext_lazy("NF-e", "Being made"), "secondary"),
        SIGNED: (pgettext_lazy("NF-e", "Signed"), "info"),
        SENT: (pgettext_lazy("NF-e", "On its way"), "info"),
        PROCESSING: (pgettext_lazy("NF-e", "At the tax office"), "info"),
        CONTINGENCY: (pgettext_lazy("NF-e", "In contingency"), "warning"),
        AUTHORISED: (pgettext_lazy("NF-e", "Authorised"), "success"),
        REJECTED: (pgettext_lazy("NF-e", "Rejected"), "danger"),
        DENIED: (pgettext_lazy("NF-e", "Denied"), "danger"),
        CANCELLED: (pgettext_lazy("NF-e", "Cancelled"), "dark"),
        VOIDED: (pgettext_lazy("NF-e", "Number voided"), "secondary"),
    }


class NfeCoverage(models.Model):
    """Which shipments a note is for. A shipment has one that stands, by constraint."""

    emission = models.ForeignKey(NfeEmission, on_delete=models.CASCADE, related_name="coverage")
    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="coverage")
    is_standing = models.BooleanField(default=True)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("Shipment of an NF-e")
        verbose_name_plural = _("Shipments of an NF-e")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["emission", "shipment"], name="ff_nfe_coverage_once"),
            models.UniqueConstraint(
                fields=["shipment"], condition=Q(is_standing=True), name="ff_nfe_coverage_standing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.emission_id}: {self.shipment_id}"


class _Asked(models.Model):
    """Something that the tax office is asked for beside notes: signed and stored before it is sent."""

    REQUESTED, TAKEN, REFUSED = "requested", "taken", "refused"

    status = models.CharField(_("Status"), max_length=16, default=REQUESTED)
    text = models.TextField(_("Text"))
    xml = models.BinaryField(default=bytes)
    proc_xml = models.BinaryField(default=bytes)
    protocol = models.CharField(_("Protocol"), max_length=20, blank=True, default="")
    answer_code = models.CharField(_("Code"), max_length=4, blank=True, default="")
    answer_text = models.CharField(_("Answer"), max_length=1000, blank=True, default="")
    requested_at = models.DateTimeField(_("Asked for"))
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_by_label = models.CharField(max_length=150, blank=True)
    settled_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def status_label(self) -> Any:
        return {
            self.REQUESTED: pgettext_lazy("asked of the tax office", "On its way"),
            self.TAKEN: pgettext_lazy("asked of the tax office", "Registered"),
            self.REFUSED: pgettext_lazy("asked of the tax office", "Refused"),
        }.get(self.status, self.status)

    @property
    def tone(self) -> str:
        return {self.REQUESTED: "info", self.TAKEN: "success"}.get(self.status, "danger")


class NfeEvent(_Asked):
    """A cancellation or a correction of a note. ``sequence`` counts those of one kind."""

    CANCELLATION, CORRECTION = "110111", "110110"

    emission = models.ForeignKey(NfeEmission, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(_("Kind"), max_length=6)
    sequence = models.PositiveSmallIntegerField(default=1)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Event of an NF-e")
        verbose_name_plural = _("Events of NF-e")
        default_permissions = ()
        constraints = [
            # A refused one leaves its place to the next.
            models.UniqueConstraint(
                fields=["emission", "kind", "sequence"], condition=~Q(status="refused"), name="ff_nfe_event_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.emission_id}/{self.sequence}"

    @property
    def kind_label(self) -> Any:
        return _("Cancellation") if self.kind == self.CANCELLATION else _("Correction letter")


class NfeVoiding(_Asked):
    """Numbers that will not be used, from ``first`` to ``last``."""

    alias = models.CharField(_("Issuer"), max_length=64)
    series = models.ForeignKey(NfeSeries, on_delete=models.PROTECT, related_name="voidings")
    first = models.PositiveIntegerField(_("From"))
    last = models.PositiveIntegerField(_("To"))

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Voided numbers")
        verbose_name_plural = _("Voided numbers")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(first__lte=models.F("last")), name="ff_nfe_voiding_range"),
            models.UniqueConstraint(
                fields=["series", "first"], condition=~Q(status="refused"), name="ff_nfe_voiding_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"
