"""Proof that a notification comes from whom it says: constant-time, several secrets, refusing when none is configured.

Several secrets, because a secret is changed without losing a message only while the old and the new both count.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable

from .exceptions import ConfigurationError, WebhookVerificationFailed

Secret = str | bytes


def _bytes(value: Secret) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _usable(secrets: Iterable[Secret] | Secret) -> list[bytes]:
    if isinstance(secrets, (str, bytes)):
        secrets = [secrets]
    usable = [_bytes(secret) for secret in secrets if secret]
    if not usable:
        # An unset secret must never mean "everybody is welcome".
        raise WebhookVerificationFailed("no secret is configured for this source")
    return usable


def _any_equal(given: bytes, expected: Iterable[bytes]) -> bool:
    """Compare with every candidate, also after a match: the time tells nothing about which secret fits."""
    equal = False
    for candidate in expected:
        equal |= hmac.compare_digest(given, candidate)
    return equal


def sign_hmac(body: bytes, secret: Secret, *, algorithm: str = "sha256", encoding: str = "hex") -> str:
    """The HMAC of these bytes, as ``hex`` or ``base64`` text."""
    if algorithm not in hashlib.algorithms_available:
        raise ConfigurationError(f"unknown hash algorithm {algorithm!r}")
    digest = hmac.new(_bytes(secret), body, algorithm)
    if encoding == "hex":
        return digest.hexdigest()
    if encoding == "base64":
        return base64.b64encode(digest.digest()).decode()
    raise ConfigurationError(f"unknown encoding {encoding!r}")


def standard_headers(message_id: str, body: bytes, keys: Iterable[bytes], moment: float) -> dict[str, str]:
    """The three headers of Standard Webhooks 1.0: id, time of this try (Unix seconds), a signature by each key."""
    text = str(int(moment))
    content = f"{message_id}.{text}.".encode() + body
    signatures = [f"v1,{sign_hmac(content, key, encoding='base64')}" for key in keys]
    return {"webhook-id": message_id, "webhook-timestamp": text, "webhook-signature": " ".join(signatures)}


def verify_hmac(
    body: bytes,
    signature: str | None,
    secrets: Iterable[Secret] | Secret,
    *,
    algorithm: str = "sha256",
    encoding: str = "hex",
    prefix: str = "",
) -> None:
    """Return if ``signature`` (after ``prefix``, e.g. ``"sha256="``) fits the bytes under one of the secrets.

    Raises WebhookVerificationFailed otherwise, also when the signature is missing or no secret is configured.
    """
    usable = _usable(secrets)
    given = (signature or "").strip()
    if not given.startswith(prefix):
        raise WebhookVerificationFailed("the signature has another scheme")
    given = given.removeprefix(prefix)
    if encoding == "hex":
        given = given.lower()
    expected = [_bytes(sign_hmac(body, secret, algorithm=algorithm, encoding=encoding)) for secret in usable]
    if not given or not _any_equal(_bytes(given), expected):
        raise WebhookVerificationFailed("the signature does not fit")


def verify_token(given: str | None, secrets: Iterable[Secret] | Secret) -> None:
    """Return if ``given`` is one of the shared secrets; raises WebhookVerificationFailed otherwise.

    For vendors that send the secret itself. Both sides are hashed first, so that the length leaks nothing either.
    """
    usable = _usable(secrets)
    expected = [hashlib.sha256(secret).digest() for secret in usable]
    if not given or not _any_equal(hashlib.sha256(_bytes(given)).digest(), expected):
        raise WebhookVerificationFailed("the token does not fit")


def verify_age(timestamp: str | float | int | None, *, tolerance: float = 300.0, now: float | None = None) -> None:
    """Refuse a signed moment (Unix seconds) further than ``tolerance`` seconds from now: a replayed request."""
    try:
        age = (time.time() if now is None else now) - float(timestamp or "")
    except (TypeError, ValueError, OverflowError) as error:
        raise WebhookVerificationFailed("the signed moment is missing or no number") from error
    if not abs(age) <= tolerance:  # written so that NaN is refused
        raise WebhookVerificationFailed("the signed moment is too far away")
