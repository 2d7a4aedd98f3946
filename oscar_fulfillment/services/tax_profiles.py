"""Changing tax profiles. Each change is checked as a whole and leaves a row: who, when, before and after, and why."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.fiscal.emission.rules import TaxRules
from oscar_fulfillment.models import TaxProfile, TaxProfileChange

from .followups import actor_fields

CREATE, CHANGE, DELETE = "create", "change", "delete"


class ProfileChanged(FulfillmentError):
    """Somebody else has changed the profile since the caller looked at it."""

    def __init__(self) -> None:
        super().__init__(_("Somebody has changed this profile in the meantime."))


def save_tax_profile(
    *,
    actor: Actor,
    name: str,
    product_class: int | None,
    rules: TaxRules,
    reason: str = "",
    profile: TaxProfile | None = None,
    seen: int | None = None,
) -> TaxProfile:
    """Make a profile (``profile`` None) or change one. ``product_class`` is its pk; None: for all other articles.

    Gaps may stay: notes of its articles say what is missing. ``seen`` is the pk of the newest change that the caller
    saw (0: none): :class:`ProfileChanged` when there is a newer one.
    """
    name, reason = clean_text("name", name, required=True, limit=80), clean_text("reason", reason, limit=500)
    with transaction.atomic():
        found = _locked(profile) if profile is not None else TaxProfile()
        if seen is not None and profile is not None and last_change(found) != seen:
            raise ProfileChanged
        before = snapshot(found) if found.pk else {}
        found.name, found.product_class_id, found.rules = name, product_class, rules.to_json()
        found.is_default = product_class is None
        after = snapshot(found)
        changed = {field: [before.get(field), value] for field, value in after.items() if before.get(field) != value}
        if found.pk and not changed:
            return found
        action = CHANGE if found.pk else CREATE
        found.changed_at, found.changed_by_label = timezone.now(), actor.label[:150]
        try:
            with transaction.atomic():
                found.save()
        except IntegrityError:
            raise InvalidInput({"product_class": [_("Another profile is for these articles already.")]}) from None
        _record(found, action, actor, changed, reason)
    return found


def snapshot(profile: TaxProfile) -> dict[str, Any]:
    """A profile as its history keeps it."""
    product_class = str(profile.product_class) if profile.product_class_id else ""
    return {"name": profile.name, "product_class": product_class, **profile.rules}


def last_change(profile: TaxProfile) -> int:
    """The pk of the newest change; 0 where there is none."""
    return profile.changes.order_by("-pk").values_list("pk", flat=True).first() or 0


def delete_tax_profile(*, actor: Actor, profile: TaxProfile, reason: str) -> None:
    """Delete a profile; a reason is required. Its history stays, and so does what its notes say."""
    reason = clean_text("reason", reason, required=True, limit=500)
    with transaction.atomic():
        found = _locked(profile)
        _record(found, DELETE, actor, {name: [value, None] for name, value in snapshot(found).items()}, reason)
        found.delete()


def _locked(profile: TaxProfile) -> TaxProfile:
    found = lock_rows(TaxProfile._default_manager.filter(pk=profile.pk))
    if not found:
        raise TaxProfile.DoesNotExist
    return found[0]


def _record(profile: TaxProfile, action: str, actor: Actor, data: dict[str, Any], reason: str) -> None:
    TaxProfileChange._default_manager.create(
        profile=profile, name=profile.name, action=action, data=data, reason=reason, created_at=timezone.now(),
        **actor_fields(actor),
    )  # fmt: skip
