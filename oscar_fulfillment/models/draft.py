"""Changes of an order that are being prepared, and those that were made: what was before, what is after."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment


class OrderDraft(models.Model):
    """What one person wants to change in one order. It stands beside the order until it is applied or thrown away.

    ``wanted`` is a :class:`~oscar_fulfillment.services.edit_wanted.Wanted` as JSON: differences, not a copy of the
    order, so that it still means the same when the order has changed meanwhile. ``before`` is the order's rows as they
    were (see ``services.edit_snapshot``), for taking the change back; ``after`` proves that nobody else changed them.
    """

    OPEN, APPLIED, REVERTED, DISCARDED = "open", "applied", "reverted", "discarded"

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="drafts")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    author_label = models.CharField(max_length=150, blank=True)
    status = models.CharField(_("State"), max_length=16, default=OPEN)
    wanted = models.JSONField(default=dict, blank=True)
    #: The order's version that the author has seen.
    base_version = models.PositiveIntegerField(default=0)
    #: The history row that applied it.
    applied_version = models.PositiveIntegerField(null=True, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    total_before = models.DecimalField(_("Total before"), max_digits=12, decimal_places=2, null=True, blank=True)
    total_after = models.DecimalField(_("Total after"), max_digits=12, decimal_places=2, null=True, blank=True)
    created_at = models.DateTimeField(_("Begun"))
    updated_at = models.DateTimeField(_("Last changed"))
    applied_at = models.DateTimeField(_("Applied"), null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Draft of an order")
        verbose_name_plural = _("Drafts of orders")
        default_permissions = ()
        constraints = [
            # Two people have a draft each; one person has one.
            models.UniqueConstraint(
                fields=["fulfillment", "author"], condition=Q(status="open"), name="ff_draft_one_open"
            ),
        ]
        indexes = [models.Index(fields=["fulfillment", "status"], name="ff_draft_status")]

    def __str__(self) -> str:
        return f"{self.fulfillment_id}: {self.status}"
