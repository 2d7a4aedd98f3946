"""What the shop keeps about its carriers: their setup, the orders placed with them, codes nobody knows."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .shipment import Shipment


class CarrierSetup(models.Model):
    """What the dashboard says about a carrier.

    For an alias of the setting CARRIERS it switches what may be switched (None: as the settings say); any other alias
    is a carrier of its own, described here alone (see ``carriers.manual``).
    """

    alias = models.SlugField(_("Short name"), max_length=32, unique=True)
    is_own = models.BooleanField(default=False)
    is_active = models.BooleanField(_("In use"), default=True)
    name = models.CharField(_("Name"), max_length=80, blank=True)
    url_template = models.CharField(_("Address of the tracking page"), max_length=300, blank=True)
    pattern = models.CharField(_("What its codes look like"), max_length=200, blank=True)
    example = models.CharField(_("An example of a code"), max_length=64, blank=True)
    #: One a line: words of the shop's shipping methods that mean this carrier.
    shipping_methods = models.TextField(_("Shipping methods"), blank=True)
    automatic_tracking_mail = models.BooleanField(_("Mails the tracking link by itself"), null=True, blank=True)
    creates_orders = models.BooleanField(_("Ordered by itself at release"), null=True, blank=True)
    dispatches_on_pickup = models.BooleanField(_("Sent when the carrier has it"), null=True, blank=True)
    is_polled = models.BooleanField(_("Asked for its parcels"), default=True)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by_label = models.CharField(max_length=150, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["alias"]
        verbose_name = _("Carrier")
        verbose_name_plural = _("Carriers")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name or self.alias


class CarrierOrder(models.Model):
    """The carriage of a shipment as ordered from its carrier. One that stands per shipment, by constraint.

    ``requested`` was written with the step that asked for it and may be on its way; ``unknown``: the answer was lost
    and the carrier could not be asked.
    """

    REQUESTED, ACCEPTED, CREATED, REFUSED, CANCELLING, CANCELLED = (
        "requested", "accepted", "created", "refused", "cancelling", "cancelled",
    )  # fmt: skip
    #: States in which it stands or may yet.
    STANDING = (REQUESTED, ACCEPTED, CREATED, CANCELLING)

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="carrier_orders")
    carrier = models.CharField(_("Carrier"), max_length=64)
    reference = models.CharField(max_length=64, unique=True)
    status = models.CharField(_("Status"), max_length=16, default=REQUESTED)
    external_id = models.CharField(max_length=100, blank=True)
    tracking_code = models.CharField(_("Tracking code"), max_length=64, blank=True)
    problem = models.CharField(_("Problem"), max_length=500, blank=True)
    requested_at = models.DateTimeField(_("Ordered"))
    requested_by_label = models.CharField(max_length=150, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_check_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Order at a carrier")
        verbose_name_plural = _("Orders at carriers")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["shipment"],
                condition=Q(status__in=["requested", "accepted", "created", "cancelling"]),
                name="ff_carrier_order_one",
            ),
        ]
        indexes = [
            models.Index(fields=["carrier", "external_id"], name="ff_carrier_order_id"),
            models.Index(
                fields=["next_check_at"], name="ff_carrier_order_due", condition=Q(next_check_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def status_label(self) -> Any:
        return {
            self.REQUESTED: _("Being ordered"),
            self.ACCEPTED: _("Taken, the number comes later"),
            self.CREATED: pgettext_lazy("order at a carrier", "Ordered"),
            self.REFUSED: _("Refused by the carrier"),
            self.CANCELLING: _("Being cancelled"),
            self.CANCELLED: pgettext_lazy("order at a carrier", "Cancelled"),
        }[self.status]


class UnmappedCode(models.Model):
    """A code of a carrier that our tables do not know: kept, counted, shown; nothing is guessed from it."""

    carrier = models.CharField(_("Carrier"), max_length=64)
    code = models.CharField(_("Code"), max_length=64)
    text = models.CharField(_("Text"), max_length=500, blank=True)
    count = models.PositiveIntegerField(_("How often"), default=0)
    first_seen_at = models.DateTimeField(_("First seen"))
    last_seen_at = models.DateTimeField(_("Last seen"))

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-last_seen_at"]
        verbose_name = _("Unknown code of a carrier")
        verbose_name_plural = _("Unknown codes of carriers")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["carrier", "code"], name="ff_unmapped_once")]

    def __str__(self) -> str:
        return f"{self.carrier} {self.code}"
