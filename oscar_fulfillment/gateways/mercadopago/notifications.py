"""Mercado Pago's webhooks: is it from there, and which payment is it about.

The signature covers the query's ``data.id``, the header ``x-request-id`` and a moment, but not the body. So the body is
never more than a hint, and where both name a payment they must name the same one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected, WebhookVerificationFailed
from oscar_fulfillment.core.signatures import verify_hmac
from oscar_fulfillment.gateways.base import Hint

#: What a notification may name: payments have numbers, orders and chargebacks letters too.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
#: The topics that name a payment.
_PAYMENT_TOPICS = frozenset({"payment", "topic_payment_wh"})
#: Bytes; a real one has about 200.
_MAX_BODY = 100_000


def verify(headers: Mapping[str, str], query: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Return if ``x-signature`` fits. Raises :class:`WebhookVerificationFailed`.

    ``ts=...,v1=<hex>`` is the HMAC-SHA256 of ``id:...;request-id:...;ts:...;``, absent parts left out. No age is asked
    for: a delivery is repeated for hours with its first signature.
    """
    parts = (part.split("=", 1) for part in headers.get("x-signature", "").split(",") if "=" in part)
    fields = {word.strip().lower(): value.strip() for word, value in parts}
    moment, name = fields.get("ts", ""), query.get("data.id", "").strip()
    call = headers.get("x-request-id", "").strip()
    if not (moment.isascii() and moment.isdigit()) or (name and not _NAME.match(name)) or ";" in call:
        raise WebhookVerificationFailed("the signed words are missing or malformed")
    # Ids with letters are signed in lower case by the documentation, and as they are by the SDK.
    problem = None
    for spelling in (name, name.lower()):
        pairs = {"id": spelling, "request-id": call, "ts": moment}
        manifest = "".join(f"{word}:{value};" for word, value in pairs.items() if value)
        try:
            verify_hmac(manifest.encode("utf-8", "surrogatepass"), fields.get("v1"), secrets)
        except WebhookVerificationFailed as error:
            problem = error
        else:
            return
    assert problem is not None
    raise problem


def hint(body: bytes, query: Mapping[str, str]) -> Hint:
    """What a notification is about. :class:`AdapterRejected` for what cannot be read.

    Where it came to an address without our reference (one set up at "Your integrations"), fetching the payment that it
    names gives the reference.
    """
    if len(body) > _MAX_BODY:
        raise AdapterRejected("the notification is too long")
    try:
        said = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("the notification is not JSON") from error
    if not isinstance(said, dict):
        raise AdapterRejected("the notification is no object")
    data = said.get("data")
    inside = _word(data.get("id")) if isinstance(data, dict) else ""
    # ``id`` and ``topic`` are the older spelling (IPN), which also comes for QR codes.
    name = query.get("data.id", "").strip() or inside or query.get("id", "").strip()
    topic = _word(query.get("type")) or _word(query.get("topic")) or _word(said.get("type")) or _word(said.get("topic"))
    if inside and inside.lower() != name.lower():
        raise AdapterRejected("the notification names two payments")
    event_id, kind = _word(said.get("id")), _word(said.get("action")) or topic
    if topic not in _PAYMENT_TOPICS:
        return Hint(event_id=event_id, kind=kind)
    if not is_number(name):
        raise AdapterRejected("the notification names no payment")
    # The reference is in the address that we gave for this payment; it is not signed.
    return Hint(event_id=event_id, external_id=name, reference=_word(query.get("reference")), kind=kind)


def is_number(name: str) -> bool:
    """Whether an id is a payment's; preferences have letters and dashes."""
    return name.isascii() and name.isdigit() and len(name) <= 20


def _word(value: Any) -> str:
    """A word or number, short and printable; anything else counts as missing."""
    if isinstance(value, int) and not isinstance(value, bool):
        # Longer numbers are no ids, and Python refuses to write very long ones.
        return str(value) if abs(value) < 10**20 else ""
    return value[:64] if isinstance(value, str) and value[:64].isprintable() else ""
