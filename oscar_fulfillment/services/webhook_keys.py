"""The keys that sign webhooks, as Standard Webhooks 1.0 has it, and their rotation.

Nothing secret is stored: a key is derived from the project's ``SECRET_KEY`` and a random salt, which alone is in the
table (and in its dumps). A digest of the key tells by which of ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS`` it was made,
so that the project's key can be changed without anybody noticing, as long as the old one is among the fallbacks.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.signatures import standard_headers

PREFIX = "whsec_"
#: Keys that sign at once, at most: each rotation within the overlap adds one.
MOST = 5

Key = dict[str, Any]


class KeyLost(FulfillmentError):
    """The key was made by a SECRET_KEY that the project does not have any more."""

    def __init__(self) -> None:
        super().__init__(_("The key cannot be made again: SECRET_KEY was changed. Make a new key."))


def new_key(now: datetime) -> Key:
    """A fresh key, as it is stored."""
    salt = secrets.token_urlsafe(24)
    return {
        "salt": salt,
        "check": _check(_derive(salt, django_settings.SECRET_KEY)),
        "made_at": now.isoformat(),
        "until": None,
    }


def _derive(salt: str, secret_key: str | bytes) -> bytes:
    return salted_hmac("oscar_fulfillment.webhook", salt, secret=secret_key, algorithm="sha256").digest()


def _check(raw: bytes) -> str:
    return hashlib.sha256(b"check:" + raw).hexdigest()[:16]


def raw_key(key: Key) -> bytes:
    """The 32 bytes that sign. :class:`KeyLost` when nobody can make them again."""
    for secret_key in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        raw = _derive(key["salt"], secret_key)
        if hmac.compare_digest(_check(raw), key["check"]):
            return raw
    raise KeyLost


def secret(key: Key) -> str:
    """The key as the other side needs it: shown once, when it is made."""
    return PREFIX + base64.b64encode(raw_key(key)).decode()


def valid(keys: Sequence[Key], now: datetime) -> list[Key]:
    """The keys that sign now, the newest first."""
    return [key for key in keys if key["until"] is None or datetime.fromisoformat(key["until"]) > now]


def rotated(keys: Sequence[Key], now: datetime, hours: float) -> list[Key]:
    """A fresh key in front of those that still sign; these end in so many hours, or sooner where it was said before."""
    ends = now + timedelta(hours=hours)
    kept = []
    for key in valid(keys, now) if hours > 0 else []:
        until = min(ends, datetime.fromisoformat(key["until"])) if key["until"] else ends
        kept.append({**key, "until": until.isoformat()})
    return [new_key(now), *kept][:MOST]


def signed_headers(keys: Sequence[Key], message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks. :class:`KeyLost` when no key can be made; else by those that can."""
    raw = []
    for key in valid(keys, now):
        with contextlib.suppress(KeyLost):
            raw.append(raw_key(key))
    if not raw:
        raise KeyLost
    return standard_headers(message_id, body, raw, now.timestamp())
