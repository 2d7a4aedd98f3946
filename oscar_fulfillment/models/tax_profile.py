"""How goods are taxed, as the merchant's accountant says, with every change kept."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.core.models import AppendOnlyQuerySet


class TaxProfile(models.Model):
    """The taxes of a class of products; the one without a class is for all others.

    ``rules`` are those of ``fiscal.emission.rules.TaxRules`` as JSON: what the law asks for changes faster than tables.
    """

    name = models.CharField(_("Name"), max_length=80)
    product_class = models.OneToOneField(
        "catalogue.ProductClass", null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        verbose_name=_("Product class"),
    )  # fmt: skip
    # Whether it is the one for all others: a database tells rows without a class apart, so it is said once more.
    is_default = models.BooleanField(default=False, editable=False)
    rules = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    changed_at = models.DateTimeField(_("Changed"))
    changed_by_label = models.CharField(max_length=150, blank=True)

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["name", "pk"]
        verbose_name = _("Tax profile")
        verbose_name_plural = _("Tax profiles")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="ff_tax_profile_default"),
            models.CheckConstraint(
                condition=Q(is_default=True, product_class__isnull=True)
                | Q(is_default=False, product_class__isnull=False),
                name="ff_tax_profile_whose",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TaxProfileChange(models.Model):
    """One change of a profile, written with it and never again: its rules before and after.

    ``name`` stays when the profile is deleted, ``actor_label`` when the user is.
    """

    profile = models.ForeignKey(TaxProfile, null=True, on_delete=models.SET_NULL, related_name="changes")
    name = models.CharField(_("Name"), max_length=80)
    action = models.CharField(_("Action"), max_length=16)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("By")
    )
    actor_kind = models.CharField(_("Kind of actor"), max_length=16)
    actor_label = models.CharField(_("Actor"), max_length=150, blank=True)
    # {field: [before, after]}
    data = models.JSONField(_("Details"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    reason = models.TextField(_("Reason"), blank=True)
    created_at = models.DateTimeField(_("When"))

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        app_label = "oscar_fulfillment"
        ordering = ["-pk"]
        verbose_name = _("Change of a tax profile")
        verbose_name_plural = _("Changes of tax profiles")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("history rows are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("history rows are never deleted")
