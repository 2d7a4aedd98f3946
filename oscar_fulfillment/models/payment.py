"""The ways to pay that a merchant offers."""

from django.db import models
from django.utils.translation import gettext_lazy as _

MANUAL, GATEWAY = "manual", "gateway"


class PaymentMethod(models.Model):
    """A way to pay. ``manual`` ones are approved by a person; ``gateway`` ones by their provider's notification."""

    code = models.SlugField(_("Code"), max_length=64, unique=True)
    name = models.CharField(_("Name"), max_length=128)
    kind = models.CharField(_("Kind"), max_length=16, default=MANUAL)
    provider = models.CharField(_("Provider"), max_length=64, blank=True)
    instructions = models.TextField(
        _("Instructions for the customer"), blank=True, help_text=_("Shown after the order and in its confirmation.")
    )
    is_active = models.BooleanField(_("Offered in the shop"), default=True)
    position = models.PositiveSmallIntegerField(_("Position"), default=0)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["position", "pk"]
        verbose_name = _("Payment method")
        verbose_name_plural = _("Payment methods")
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=[MANUAL, GATEWAY]), name="fulfillment_method_kind"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_run_by_provider(self) -> bool:
        """Whether a provider, not a person, says that the money is in."""
        return self.kind == GATEWAY
