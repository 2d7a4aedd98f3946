"""Who changed which payment method, when, and what it was before."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.models import AppendOnlyQuerySet

from .payment import PaymentMethod


class PaymentMethodChange(models.Model):
    """One change of a payment method, written with it and never again. ``data`` is {column: [before, after]}.

    ``code`` stays when the method is deleted; ``actor_label`` when the user is.
    """

    method = models.ForeignKey(PaymentMethod, null=True, on_delete=models.SET_NULL, related_name="changes")
    code = models.CharField(_("Code"), max_length=64, db_index=True)
    action = models.CharField(_("Action"), max_length=24)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    actor_kind = models.CharField(_("Kind of actor"), max_length=16)
    actor_label = models.CharField(_("Actor"), max_length=150, blank=True)
    data = models.JSONField(_("Details"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(_("When"))

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Change of a payment method")
        verbose_name_plural = _("Changes of payment methods")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.code}: {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("history rows are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("history rows are never deleted")
