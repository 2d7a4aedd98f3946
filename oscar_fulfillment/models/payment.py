"""The ways to pay that a merchant offers, with the policy of each: what is done when, and for whom."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

MANUAL, GATEWAY = "manual", "gateway"
CAPTURE_NOW, CAPTURE_LATER = "now", "hold"
BY_HAND, AT_DISPATCH = "by_hand", "dispatch"
GIVE_BACK, TAKE = "void", "capture"
EVERYONE, GROUPS, CUSTOMERS = "everyone", "groups", "customers"


class PaymentMethod(models.Model):
    """A way to pay. ``manual`` ones are approved by a person; ``gateway`` ones by their provider's notification.

    All periods are in days from the placing of the order unless said otherwise; empty means "never".
    """

    code = models.SlugField(_("Code"), max_length=64, unique=True)
    name = models.CharField(_("Name"), max_length=128)
    kind = models.CharField(_("Kind"), max_length=16, default=MANUAL)
    provider = models.CharField(_("Provider"), max_length=64, blank=True)
    provider_method = models.CharField(_("Provider's method"), max_length=32, blank=True, default="")
    instructions = models.TextField(
        _("Instructions for the customer"), blank=True, help_text=_("Shown after the order and in its confirmation.")
    )
    #: {"pt": {"name": ..., "instructions": ...}}; what is missing is shown as above.
    translations = models.JSONField(_("Translations"), default=dict, blank=True)
    is_active = models.BooleanField(_("Offered in the shop"), default=True)
    position = models.PositiveSmallIntegerField(_("Position"), default=0)

    # The money
    capture = models.CharField(_("Charge"), max_length=8, default=CAPTURE_NOW)
    capture_at = models.CharField(_("Charge a hold"), max_length=16, default=BY_HAND)
    hold_end = models.CharField(_("When a hold is about to end"), max_length=8, default=GIVE_BACK)
    hold_days = models.PositiveSmallIntegerField(_("Days of hold"), null=True, blank=True)
    hold_warning_hours = models.PositiveSmallIntegerField(_("Warn before the end of a hold"), default=48)
    retry_hours = models.PositiveSmallIntegerField(_("Time to try again after a refusal"), default=0)

    # The clock
    reservation_days = models.PositiveSmallIntegerField(_("Days of reservation"), null=True, blank=True)
    reminder_days = models.PositiveSmallIntegerField(_("Reminder after"), null=True, blank=True)
    cancel_days = models.PositiveSmallIntegerField(_("Cancel after"), null=True, blank=True)
    due_days = models.PositiveSmallIntegerField(_("Due after"), null=True, blank=True)

    # The goods
    ships_before_payment = models.BooleanField(_("Goods leave before the money is in"), default=False)
    paid_on_delivery = models.BooleanField(_("Paid when handed over"), default=False)
    completes_when_paid = models.BooleanField(_("Completed only when the money is in"), default=True)
    awaits_payout = models.BooleanField(_("The money is in only once it was paid out"), default=False)
    sends_invoice = models.BooleanField(_("An invoice is mailed with the confirmation"), default=False)

    # For whom, and where
    audience = models.CharField(_("Who may use it"), max_length=16, default=EVERYONE)
    groups = models.ManyToManyField("auth.Group", verbose_name=_("Customer groups"), blank=True, related_name="+")
    customers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, verbose_name=_("Customers"), blank=True, related_name="+"
    )
    countries = models.JSONField(_("Countries"), default=list, blank=True)
    currencies = models.JSONField(_("Currencies"), default=list, blank=True)
    flows = models.JSONField(_("Flows"), default=list, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["position", "pk"]
        verbose_name = _("Payment method")
        verbose_name_plural = _("Payment methods")
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=[MANUAL, GATEWAY]), name="fulfillment_method_kind"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_run_by_provider(self) -> bool:
        """Whether a provider, not a person, says that the money is in."""
        return self.kind == GATEWAY

    @property
    def holds(self) -> bool:
        """Whether the sum is held first and taken later."""
        return self.kind == GATEWAY and self.capture == CAPTURE_LATER

    @property
    def has_clock(self) -> bool:
        """Whether something happens by itself while an order waits for its money."""
        days = (self.reservation_days, self.reminder_days, self.cancel_days, self.due_days)
        return any(days) or bool(self.retry_hours)

    @property
    def label(self) -> str:
        """The name in the present language."""
        return self.text("name")

    @property
    def local_instructions(self) -> str:
        """The instructions in the present language."""
        return self.text("instructions")

    def text(self, field: str, language: str | None = None) -> str:
        """``name`` or ``instructions`` in a language (default: the present one)."""
        code = (language or get_language() or "").lower()
        given = self.translations if isinstance(self.translations, dict) else {}
        for candidate in (code, code.partition("-")[0]):
            found = given.get(candidate)
            if isinstance(found, dict) and found.get(field):
                return str(found[field])
        return str(getattr(self, field))
