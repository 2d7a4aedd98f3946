"""Payments at providers: what was asked of them, and how they stand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fulfillment import OrderFulfillment
from .payment import PaymentMethod


def _money(label: Any = None) -> models.DecimalField:
    return models.DecimalField(label, max_digits=12, decimal_places=2, default=Decimal(0))


class ProviderPayment(models.Model):
    """One attempt to pay an order at a provider. Sums are the provider's totals as last seen, in ``currency``.

    ``reference`` is ours, known before the provider is called; ``external_id`` the provider's. ``state`` is one of
    ``gateways.base.PaymentState``.
    """

    fulfillment = models.ForeignKey(OrderFulfillment, on_delete=models.CASCADE, related_name="provider_payments")
    payment_method = models.ForeignKey(PaymentMethod, null=True, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(_("Provider"), max_length=64)
    method = models.CharField(_("Method"), max_length=32)
    reference = models.CharField(_("Our reference"), max_length=40, unique=True)
    external_id = models.CharField(_("Provider's number"), max_length=128, blank=True, default="")
    state = models.CharField(_("State"), max_length=24, default="pending")
    raw_status = models.CharField(max_length=64, blank=True, default="")
    reason = models.CharField(_("Provider's words"), max_length=255, blank=True, default="")
    is_hold = models.BooleanField(_("Held first"), default=False)
    currency = models.CharField(_("Currency"), max_length=12)
    amount = _money(_("Amount"))
    authorized = _money(_("Held"))
    captured = _money(_("Captured"))
    refunded = _money(_("Refunded"))
    redirect_url = models.TextField(blank=True, default="")
    instructions = models.JSONField(default=dict, blank=True)
    expires_at = models.DateTimeField(_("To be paid until"), null=True, blank=True)
    hold_expires_at = models.DateTimeField(_("Held until"), null=True, blank=True)
    source = models.ForeignKey("payment.Source", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(_("Begun"))
    # One click at a time asks the provider to begin; empty, or past: nobody does.
    starting_until = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(_("Last asked"), null=True, blank=True)
    # When the provider is asked by ourselves, because it should have answered; empty: it is settled.
    next_check_at = models.DateTimeField(null=True, blank=True)
    checks = models.PositiveSmallIntegerField(default=0)
    # The warning before the end of a hold was given, or the hold taken (at its end), once.
    hold_warned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Payment at a provider")
        verbose_name_plural = _("Payments at providers")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "external_id"], condition=~Q(external_id=""), name="ff_payment_once"
            ),
        ]
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="ff_payment_check"),
            models.Index(
                fields=["hold_expires_at"],
                condition=Q(state="authorized", hold_expires_at__isnull=False),
                name="ff_payment_hold_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id or self.reference

    @property
    def held(self) -> Decimal:
        """What can still be captured."""
        return self.authorized - self.captured if self.state == "authorized" else Decimal(0)

    @property
    def refundable(self) -> Decimal:
        """What can still be given back."""
        return max(self.captured - self.refunded, Decimal(0))


class PaymentOperation(models.Model):
    """Something a provider was asked to do. Written before it is asked; at most one effect by its ``key``.

    ``requested`` waits to be asked (or asked again), ``done`` is executed, ``refused`` and ``unknown`` need a person.
    A refund that was granted is an operation of its own: it is not executed before it is ``done``.
    """

    CAPTURE, VOID, REFUND = "capture", "void", "refund"
    REQUESTED, DONE, REFUSED, UNKNOWN = "requested", "done", "refused", "unknown"

    payment = models.ForeignKey(ProviderPayment, on_delete=models.CASCADE, related_name="operations")
    kind = models.CharField(_("What"), max_length=16)
    key = models.CharField(max_length=64, unique=True)
    amount = _money(_("Amount"))
    status = models.CharField(_("State"), max_length=16, default=REQUESTED)
    reason = models.TextField(_("Why"), blank=True, default="")
    error = models.CharField(_("What went wrong"), max_length=500, blank=True, default="")
    external_id = models.CharField(max_length=128, blank=True, default="")
    # What the provider had captured or refunded before: how a lost answer is recognised.
    before = _money()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_kind = models.CharField(max_length=16)
    actor_label = models.CharField(max_length=150)
    requested_at = models.DateTimeField(_("Asked"))
    settled_at = models.DateTimeField(_("Answered"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["pk"]
        verbose_name = _("Payment operation")
        verbose_name_plural = _("Payment operations")
        default_permissions = ()
        constraints = [
            # A payment is captured or given back once at a time; refunds may be several, one after the other.
            models.UniqueConstraint(fields=["payment"], condition=Q(status="requested"), name="ff_operation_one_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
