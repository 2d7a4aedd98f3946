"""AbaNinja's webhooks (``invoice-paid``, ``payment-received``): what they are about. They are hints: it is read again.

How their body looks is not documented where we could read it; whatever names an invoice or a payment is looked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected

from .abaninja_mapping import uuid_of
from .records import Notice

#: Begins what is the id of a payment, not of an invoice.
PAYMENT_HINT = "payment:"
#: Ids that are followed in one message, and how deep it is looked into.
_MOST, _DEEPEST = 20, 6
_INVOICE, _PAYMENT = ("documentuuid", "invoiceuuid"), ("paymentuuid",)


def notice_of(body: bytes) -> Notice:
    """The same bytes are the same message. AdapterRejected for what is no JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("this is no notification of AbaNinja") from error
    if not isinstance(found, Mapping):
        raise AdapterRejected("this is no notification of AbaNinja")
    named = list(dict.fromkeys(_named(found, "payment" in _event(found), 0)))
    invoices = [name for name in named if not name.startswith(PAYMENT_HINT)]
    return Notice(hashlib.sha256(body).hexdigest(), read_again=tuple((invoices or named)[:_MOST]))


def _event(found: Mapping[str, Any]) -> str:
    names = (found.get(name) for name in ("eventType", "event", "type", "event_type"))
    return next((name for name in names if isinstance(name, str)), "")


def _named(found: Any, is_payment: bool, depth: int) -> Iterator[str]:
    """Ids of invoices; ids without a name are of what the event is about."""
    if depth > _DEEPEST:
        return
    if isinstance(found, list):
        for entry in found[:_MOST]:
            yield from _named(entry, is_payment, depth + 1)
    if not isinstance(found, Mapping):
        return
    for name, value in list(found.items())[:100]:
        key = str(name).replace("_", "").lower()
        if uuid := uuid_of(value):
            if key in _INVOICE or (key == "uuid" and not is_payment):
                yield uuid
            elif key in _PAYMENT or key == "uuid":
                yield f"{PAYMENT_HINT}{uuid}"
        elif isinstance(value, (Mapping, list)):
            about_payment = is_payment or key == "payment"
            yield from _named(value, about_payment and key not in ("invoice", "document"), depth + 1)
