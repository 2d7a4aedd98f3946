"""Datatrans' wire: its address of the payment page, its refusals, references and signatures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, WebhookVerificationFailed
from oscar_fulfillment.core.signatures import verify_hmac

from .base import Hint, to_minor
from .datatrans_documents import ERRORS, ID, UNCERTAIN, word

#: The longest ``refno``, and what is safe in it for every acquirer.
REFNO = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def page_of(base_url: str) -> str:
    """The payment page of an API: api.datatrans.com has pay.datatrans.com; elsewhere both are one."""
    parts = urlsplit(base_url)
    if (parts.hostname or "").endswith("datatrans.com"):
        return parts._replace(netloc=parts.netloc.replace("api.", "pay.", 1)).geturl()
    return base_url


def positive(amount: Decimal, currency: str) -> int:
    """A sum in the smallest unit. :class:`AdapterRejected` for nothing and less, and for parts of the unit."""
    minor = to_minor(amount, currency)
    if minor <= 0:
        raise AdapterRejected(_("The sum must be more than nothing."))
    return minor


def refund_reference(key: str) -> str:
    """A reference of a refund from its key: the merchant finds it, and it is unique as the key is."""
    return key if REFNO.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:40]


def told(error: AdapterRejected) -> AdapterRejected | AdapterUnanswered:
    """A refusal in words for the merchant; "unanswered" where it may have been done, or is being done just now.

    A repeated request that comes before the first one is finished is answered with 409 and no known code.
    """
    try:
        document = json.loads(error.body)
    except (ValueError, RecursionError):
        document = {}
    said = document.get("error") if isinstance(document, dict) else None
    code, message = word(said, "code")[:60], word(said, "message")[:200]
    if code in UNCERTAIN or (error.status == 409 and code not in ERRORS):
        return AdapterUnanswered(f"Datatrans answered {error.status} {code}".strip())
    if error.status == 401:
        code = code or "UNAUTHORIZED"
    words = str(ERRORS.get(code) or _("Datatrans refused."))
    status = 404 if code == "TRANSACTION_NOT_FOUND" else error.status
    own = ": ".join(part for part in (code, message) if part)
    return AdapterRejected(f"{words} ({own})" if own else words, status=status, body=error.body)


def verify(headers: Mapping[str, str], body: bytes, keys: list[bytes]) -> None:
    """``Datatrans-Signature: t=<milliseconds>,s0=<hex>``: the HMAC-SHA256 of t and the body, under one of the keys.

    The moment is not checked: a notification is a hint, and a replayed one makes the shop look once more.
    """
    given = _signature(headers)
    if not given.get("t") or not given.get("s0"):
        raise WebhookVerificationFailed("the signature is missing")
    verify_hmac(given["t"].encode("utf-8", "surrogatepass") + body, given["s0"], keys)


def parse(headers: Mapping[str, str], body: bytes) -> Hint:
    """What a notification is about: its body is the transaction. Credits and card checks concern no payment.

    There is no id of the event; the signature, over moment and contents, is as good.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AdapterRejected("the notification is not JSON") from error
    external_id = word(document, "transactionId")
    if not ID.fullmatch(external_id):
        raise AdapterRejected("the notification names no transaction")
    signature, kind, reference = _signature(headers).get("s0", ""), word(document, "type"), word(document, "refno")
    found: dict[str, Any] = {
        "event_id": signature if _DIGEST.fullmatch(signature) else "",
        "kind": kind if kind in ("payment", "credit", "card_check") else "",
    }
    if kind in ("credit", "card_check"):
        return Hint(**found)
    return Hint(**found, external_id=external_id, reference=reference if REFNO.fullmatch(reference) else "")


def _signature(headers: Mapping[str, str]) -> dict[str, str]:
    parts = (part.partition("=") for part in headers.get("datatrans-signature", "").split(","))
    return {name.strip(): value.strip() for name, _equals, value in parts}
