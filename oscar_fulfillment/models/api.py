"""Keys with which other systems call the REST API, and the answers of their writes, so that a repetition gets the same.

A key is ``ofk_<prefix>_<secret>``. The table holds the prefix, by which the row is found, and a digest of the whole;
the key itself is shown once.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ApiKey(models.Model):
    """A key of a system. ``system`` is its name in the export ledger; several keys may be of one system.

    ``flows`` and ``partner`` narrow which orders and stock the key reaches (empty: all). ``old_digest`` is the key
    before the last rotation, good until ``old_until``. ``bucket`` is the moment (Unix seconds) until which the calls
    so far are paid for, see ``services.api_keys``.
    """

    name = models.CharField(_("Name"), max_length=100, unique=True)
    system = models.SlugField(_("System"), max_length=32, db_index=True)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    old_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    old_until = models.DateTimeField(null=True, blank=True, editable=False)
    scopes = models.JSONField(_("What it may do"), default=list)
    flows = models.JSONField(_("Flows"), default=list, blank=True)
    partner = models.ForeignKey(
        "partner.Partner", null=True, blank=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("Partner")
    )
    is_active = models.BooleanField(_("In use"), default=True)
    expires_at = models.DateTimeField(_("Ends"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("Last used"), null=True, blank=True)
    bucket = models.FloatField(default=0, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
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
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    def works_at(self, now: datetime) -> bool:
        """Whether it opens anything at this moment."""
        return self.is_active and (self.expires_at is None or now < self.expires_at)


class ApiCall(models.Model):
    """A write with an ``Idempotency-Key``: under way while ``status`` is null, then its answer until ``expires_at``."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="calls")
    name = models.CharField(max_length=255)
    # Of method, path and body: the same name for something else is refused.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True, default="")
    # Whoever began it has it to itself until then.
    claimed_until = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("Call of the API")
        verbose_name_plural = _("Calls of the API")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["key", "name"], name="ff_api_call_once"),
            models.CheckConstraint(condition=~Q(name=""), name="ff_api_call_named"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="ff_api_call_expires")]

    def __str__(self) -> str:
        return f"{self.key_id}/{self.name}"
