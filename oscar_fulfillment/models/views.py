"""What people keep of the order list: their views of it, and what they did to many orders at once."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment


class SavedView(models.Model):
    """Filters of the order list under a name. A shared one is offered to everybody who sees the list."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("Owner")
    )
    name = models.CharField(_("Name"), max_length=60)
    query = models.CharField(_("Filters"), max_length=2000, blank=True)
    is_shared = models.BooleanField(_("Shared"), default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["name", "pk"]
        verbose_name = _("Saved view")
        verbose_name_plural = _("Saved views")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="fulfillment_view_name")]
        indexes = [models.Index(fields=["name"], name="fulfillment_view_shared", condition=Q(is_shared=True))]

    def __str__(self) -> str:
        return self.name


class BulkJob(models.Model):
    """One action on many orders, with what became of each. ``key`` makes a form that is sent twice one job."""

    WAITING, RUNNING, DONE = "waiting", "running", "done"

    action = models.CharField(_("Action"), max_length=64)
    params = models.JSONField(_("Details"), default=dict, encoder=DjangoJSONEncoder)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    status = models.CharField(_("Status"), max_length=16, default=WAITING)
    total = models.PositiveIntegerField(_("Orders"), default=0)
    done_count = models.PositiveIntegerField(_("Done"), default=0)
    refused_count = models.PositiveIntegerField(_("Refused"), default=0)
    key = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("Asked for"), default=timezone.now)
    # When a worker last said that it works on it.
    touched_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("Finished"), null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Bulk action")
        verbose_name_plural = _("Bulk actions")
        default_permissions = ()
        indexes = [
            models.Index(fields=["touched_at"], name="fulfillment_bulk_open", condition=~Q(status="done")),
            models.Index(fields=["actor", "-created_at"], name="fulfillment_bulk_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} #{self.pk}"

    @property
    def is_done(self) -> bool:
        return self.status == self.DONE

    @property
    def settled_count(self) -> int:
        """Orders that were done or refused so far."""
        return self.done_count + self.refused_count

    @property
    def percent(self) -> int:
        return 100 if not self.total else self.settled_count * 100 // self.total


class BulkJobItem(models.Model):
    """One order of a bulk job: pending, done, or refused with the reasons as the order page would give them."""

    PENDING, DONE, REFUSED = "pending", "done", "refused"

    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, related_name="items")
    fulfillment = models.ForeignKey(OrderFulfillment, null=True, on_delete=models.SET_NULL, related_name="+")
    number = models.CharField(_("Order number"), max_length=128)
    status = models.CharField(_("Result"), max_length=16, default=PENDING)
    # [{"code", "message", "remedy", "url"}, ...] in the language of the person who asked.
    reasons = models.JSONField(default=list, encoder=DjangoJSONEncoder)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Order of a bulk action")
        verbose_name_plural = _("Orders of bulk actions")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["job", "fulfillment"], name="fulfillment_bulk_once")]
        indexes = [models.Index(fields=["job", "status"], name="fulfillment_bulk_status")]

    def __str__(self) -> str:
        return f"#{self.number}: {self.status}"
