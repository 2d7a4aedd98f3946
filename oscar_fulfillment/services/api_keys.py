"""Keys of the REST API: made and shown once, checked in constant time, paid for by the call, rotated without a gap.

The table holds digests. A key has 256 random bits, so that a plain digest cannot be turned back, and changing
``SECRET_KEY`` does no harm to it.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.conf import DEFAULTS, settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.locks import lock_name, lock_rows
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.flows import flows
from oscar_fulfillment.models import ApiKey

from .api_systems import systems
from .followups import actor_fields

#: scope -> what it lets a key do.
SCOPES: dict[str, Any] = {
    "orders:read": gettext_lazy("Fetch released orders and look orders up"),
    "orders:ack": gettext_lazy("Acknowledge what was fetched"),
    "invoices:write": gettext_lazy("Post fiscal documents"),
    "tracking:write": gettext_lazy("Post tracking codes and deliveries"),
    "stock:write": gettext_lazy("Read and set stock"),
}
#: The most keys of a shop.
MOST = 100
_PREFIX = "ofk"
_SHAPE = re.compile(r"ofk_([a-z0-9]{8,16})_([A-Za-z0-9_-]{20,100})", re.ASCII)
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)


class KeyChanged(FulfillmentError):
    """Somebody else has changed the key since the caller looked at it."""

    def __init__(self) -> None:
        super().__init__(_("Somebody has changed this key in the meantime."))


@dataclass(frozen=True)
class Allowance:
    """What a key may still do. ``wait``: seconds until the next call is allowed, 0 where this one was."""

    limit: int
    remaining: int
    reset: int
    wait: int = 0


def option(name: str) -> Any:
    """One value of the setting API."""
    given = settings.API
    return given[name] if name in given else DEFAULTS["API"][name]


def digest_of(token: str) -> str:
    """What the table holds of a key."""
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token(prefix: str) -> str:
    return f"{_PREFIX}_{prefix}_{secrets.token_urlsafe(32)}"


def find_key(token: str, now: datetime) -> ApiKey | None:
    """The key that this is, if it works now. One look by its prefix, then a comparison that takes always as long."""
    match = _SHAPE.fullmatch(token[:200])
    row = ApiKey._default_manager.filter(prefix=match[1]).first() if match else None
    given = digest_of(token[:200])
    current = row.digest if row else "0" * 64
    old = row.old_digest if row and row.old_until and now < row.old_until else "0" * 64
    # Both, whatever the first says: the time tells nothing.
    fits = hmac.compare_digest(given, current) | hmac.compare_digest(given, old or "0" * 64)
    return row if row is not None and fits and row.works_at(now) else None


def pay(key: ApiKey, *, moment: float | None = None) -> Allowance:
    """Take one call from the key's allowance, if there is one left; also notes when it was used.

    A token bucket kept as one number: the moment until which the calls so far are paid for. One UPDATE decides, so that
    it holds over any number of processes and needs no cache.
    """
    at = time.time() if moment is None else moment
    step = 60.0 / option("rate")
    ahead = step * option("burst")
    rows = ApiKey._default_manager.filter(pk=key.pk, bucket__lte=at + ahead - step)
    taken = rows.update(bucket=Greatest(F("bucket"), Value(at)) + step, last_used_at=timezone.now())
    if taken:
        used = max(key.bucket, at) + step - at
        return Allowance(option("burst"), max(int((ahead - used) / step + 1e-6), 0), max(math.ceil(used), 0))
    bucket = ApiKey._default_manager.values_list("bucket", flat=True).filter(pk=key.pk).first() or at
    wait = max(math.ceil(bucket - (at + ahead - step)), 1)
    return Allowance(option("burst"), 0, wait, wait)


def make_key(*, actor: Actor, values: Mapping[str, Any]) -> tuple[ApiKey, str]:
    """A new key and, for this once, the key itself. ``values``: name, system, scopes, flows, partner, expires_at.

    :class:`InvalidInput` by field.
    """
    now = timezone.now()
    given = _checked(values)
    # Letters and digits without those that are mistaken for others.
    prefix = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _place in range(12))
    token = _new_token(prefix)
    with transaction.atomic():
        lock_name("oscar_fulfillment.api_keys", using=router.db_for_write(ApiKey))
        if ApiKey._default_manager.count() >= MOST:
            raise InvalidInput({"__all__": [_("There can be %(most)d keys.") % {"most": MOST}]})
        row = ApiKey(
            **given, prefix=prefix, digest=digest_of(token), created_at=now, created_by_label=actor.label,
            created_by=actor_fields(actor)["actor"],
        )  # fmt: skip
        _write(row, actor, now)
    systems.forget()
    return row, token


def change_key(*, key: ApiKey, actor: Actor, values: Mapping[str, Any], seen: int | None = None) -> ApiKey:
    """Change what a key may do; its system stays. :class:`KeyChanged`, :class:`InvalidInput`."""
    given = _checked({**values, "system": key.system})
    with transaction.atomic():
        row = _locked(key, seen)
        for name, value in given.items():
            setattr(row, name, value)
        row.version += 1
        _write(row, actor, timezone.now())
    systems.forget()
    return row


def rotate(*, key: ApiKey, actor: Actor, at_once: bool = False, seen: int | None = None) -> tuple[ApiKey, str]:
    """A new key in place of the old one, which works beside it for some hours unless it ends ``at_once``."""
    now = timezone.now()
    token = _new_token(key.prefix)
    with transaction.atomic():
        row = _locked(key, seen)
        row.old_digest = "" if at_once else row.digest
        row.old_until = None if at_once else now + timedelta(hours=option("key_hours"))
        row.digest = digest_of(token)
        row.version += 1
        _write(row, actor, now)
    return row, token


def set_active(*, key: ApiKey, active: bool, actor: Actor, seen: int | None = None) -> ApiKey:
    """Switch a key on or off. What its system did not fetch stays in the ledger."""
    with transaction.atomic():
        row = _locked(key, seen)
        if row.is_active != active:
            row.is_active = active
            row.version += 1
            _write(row, actor, timezone.now())
    systems.forget()
    return row


def _locked(key: ApiKey, seen: int | None) -> ApiKey:
    rows = lock_rows(ApiKey._default_manager.filter(pk=key.pk))
    if not rows:
        raise ApiKey.DoesNotExist
    row: ApiKey = rows[0]
    if seen is not None and row.version != seen:
        raise KeyChanged
    return row


def _write(row: ApiKey, actor: Actor, now: datetime) -> None:
    row.changed_at, row.changed_by_label = now, actor.label
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise InvalidInput({"name": [_("Another key has this name.")]}) from None


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    errors: dict[str, list[Any]] = {}
    name = clean_text("name", values.get("name"), limit=100)
    if not name:
        errors["name"] = [_("Say whose key it is.")]
    system = str(values.get("system", "")).strip().lower()
    if not _SYSTEM.fullmatch(system):
        errors["system"] = [_("Small letters, digits, “-” and “_”, for example “erp”.")]
    scopes = [scope for scope in SCOPES if scope in set(values.get("scopes", ()))]
    if not scopes:
        errors["scopes"] = [_("Choose what the key may do.")]
    wanted = set(values.get("flows", ()))
    if wanted - set(flows()):
        errors["flows"] = [_("There is no such flow.")]
    expires_at = values.get("expires_at")
    if expires_at is not None and expires_at <= timezone.now():
        errors["expires_at"] = [_("Choose a moment that is still to come.")]
    if errors:
        raise InvalidInput(errors)
    return {
        "name": name, "system": system, "scopes": scopes, "flows": sorted(wanted), "partner": values.get("partner"),
        "expires_at": expires_at,
    }  # fmt: skip
