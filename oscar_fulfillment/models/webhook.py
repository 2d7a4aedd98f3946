"""Webhooks that tell other systems: where they go, what they tell, and every try to tell it.

The messages themselves are rows of the outbox, one destination ("webhook:7") for each endpoint, so that a dead one
delays no other.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .messages import OutboundMessage

#: Destinations of the outbox that are webhooks begin with this.
LANE = "webhook:"


class WebhookEndpoint(models.Model):
    """An address that is told of events, and how its messages are signed.

    ``keys`` holds no secret: each entry is a salt from which the secret is derived (see ``services.webhook_keys``), the
    newest first; older ones sign beside it ``until`` their end. ``version`` counts what people change.
    """

    #: Why one is switched off.
    BY_HAND, GONE, GAVE_UP = "by_hand", "gone", "gave_up"

    url = models.CharField(_("Address"), max_length=500, unique=True)
    description = models.CharField(_("What it is for"), max_length=100, blank=True)
    all_events = models.BooleanField(_("All events"), default=True)
    events = models.JSONField(_("Events"), default=list, blank=True)
    includes_customer = models.BooleanField(_("With the buyer's data"), default=False)
    keys = models.JSONField(default=list, editable=False)
    api_version = models.CharField(max_length=8, default="1", editable=False)
    is_active = models.BooleanField(_("In use"), default=True)
    disabled_reason = models.CharField(_("Why switched off"), max_length=16, blank=True, default="")
    disabled_at = models.DateTimeField(_("Switched off"), null=True, blank=True)
    # Since the last success: when the first try failed, and how many messages were given up.
    failing_since = models.DateTimeField(null=True, blank=True)
    deaths = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(_("Made"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by_label = models.CharField(max_length=150, blank=True)
    changed_at = models.DateTimeField(_("Changed"))
    changed_by_label = models.CharField(max_length=150, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Webhook")
        verbose_name_plural = _("Webhooks")
        default_permissions = ()

    def __str__(self) -> str:
        return self.description or self.host

    @property
    def host(self) -> str:
        """Where it goes, without what may be secret in the address."""
        return urlsplit(self.url).netloc

    @property
    def lane(self) -> str:
        """Its destination in the outbox."""
        return f"{LANE}{self.pk}"


class WebhookAttempt(models.Model):
    """One try to deliver a message: what came back, and how long that took.

    ``error`` is a code (see ``core.public_http`` and ``core.public_address``), ``detail`` what the system said.
    """

    message = models.ForeignKey(OutboundMessage, on_delete=models.CASCADE, related_name="webhook_attempts")
    at = models.DateTimeField(_("When"))
    milliseconds = models.PositiveIntegerField(_("Took (ms)"))
    status = models.PositiveSmallIntegerField(_("Answer"), null=True, blank=True)
    response = models.TextField(_("What it said"), blank=True)
    error = models.CharField(_("What went wrong"), max_length=24, blank=True)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Try to deliver a webhook")
        verbose_name_plural = _("Tries to deliver webhooks")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.message_id}: {self.status or self.error}"

    @property
    def is_ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300
