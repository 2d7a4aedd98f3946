"""Whether a message was signed with a secret, as Standard Webhooks 1.0 has it; from the specification alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

#: Seconds that a message may be old.
TOLERANCE = 300


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """By this secret ("whsec_..."), and lately."""
    name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(expected, each) for each in headers.get("webhook-signature", "").split())
