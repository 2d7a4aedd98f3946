"""Until when an order is to be paid, and what a person has to look after."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment


class PaymentTerms(models.Model):
    """The clock of an unpaid order, from its method's policy. A column is emptied once its moment was dealt with.

    ``next_at`` is the nearest of them: what the task looks for. It is empty once the money is in or the order is off.
    """

    fulfillment = models.OneToOneField(
        OrderFulfillment, primary_key=True, on_delete=models.CASCADE, related_name="terms"
    )
    due_at = models.DateTimeField(_("Due"), null=True, blank=True)
    reserved_until = models.DateTimeField(_("Reserved until"), null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    call_at = models.DateTimeField(null=True, blank=True)
    cancel_at = models.DateTimeField(_("Cancelled by itself on"), null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveSmallIntegerField(_("Reminders sent"), default=0)
    extensions = models.PositiveSmallIntegerField(_("Extended"), default=0)

    class Meta:
        app_label = "oscar_fulfillment"
        verbose_name = _("Payment terms")
        verbose_name_plural = _("Payment terms")
        default_permissions = ()
        indexes = [models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="ff_terms_next")]

    def __str__(self) -> str:
        return str(self.fulfillment_id)

    def set_next(self) -> None:
        """Find the nearest moment anew."""
        self.next_at = min((at for at in (self.remind_at, self.call_at, self.cancel_at) if at), default=None)


class FollowUp(models.Model):
    """Something a person has to do: call, decide what becomes of late money, look at a hold that ends.

    ``key`` makes it once. ``data`` holds what the page shows (sums as text), never secrets.
    """

    fulfillment = models.ForeignKey(
        OrderFulfillment, null=True, blank=True, on_delete=models.CASCADE, related_name="follow_ups"
    )
    kind = models.CharField(_("What"), max_length=32)
    key = models.CharField(max_length=120, unique=True)
    due_at = models.DateTimeField(_("Due"))
    note = models.TextField(_("Note"), blank=True, default="")
    data = models.JSONField(default=dict, blank=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+",
        verbose_name=_("Assigned to"),
    )  # fmt: skip
    opened_at = models.DateTimeField(_("Since"))
    closed_at = models.DateTimeField(_("Closed"), null=True, blank=True)
    closed_by_label = models.CharField(max_length=150, blank=True, default="")
    outcome = models.CharField(_("Outcome"), max_length=32, blank=True, default="")
    outcome_note = models.TextField(_("What came of it"), blank=True, default="")

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["due_at", "pk"]
        verbose_name = _("Follow-up")
        verbose_name_plural = _("Follow-ups")
        default_permissions = ()
        permissions = [("manage_followups", _("Can work the follow-ups"))]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(closed_at__isnull=True), name="ff_followup_open"),
            models.Index(fields=["-closed_at"], condition=Q(closed_at__isnull=False), name="ff_followup_closed"),
        ]

    def __str__(self) -> str:
        return self.key


class CreditNote(models.Model):
    """Money of a customer that the shop keeps for the next order instead of paying it back."""

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.PROTECT, related_name="credit_notes")
    number = models.CharField(_("Number"), max_length=32, unique=True)
    key = models.CharField(max_length=64, unique=True)
    amount = models.DecimalField(_("Amount"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("Currency"), max_length=12)
    email = models.CharField(_("E-mail"), max_length=254, blank=True)
    reason = models.TextField(_("Why"), blank=True)
    created_at = models.DateTimeField(_("Made"))
    created_by_label = models.CharField(max_length=150)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Credit note")
        verbose_name_plural = _("Credit notes")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="ff_credit_positive")]
        indexes = [models.Index(fields=["created_at", "id"], name="ff_credit_journal")]

    def __str__(self) -> str:
        return self.number
