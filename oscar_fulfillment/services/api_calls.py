"""Writes with an ``Idempotency-Key``: done once, and answered the same whenever they come again.

As the draft of the IETF's httpapi group has it: the same key with the same body gets the first answer, with another
body it is refused, and while the first is under way it is asked to come back. Only what was done is kept: what was
refused changed nothing and may be tried again under the same key.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.models import ApiCall, ApiKey

from .api_keys import option

#: Seconds after which a call that was never answered may be begun anew: its process died.
CLAIM = 120
#: Rows that a tidying deletes at once.
CHUNK = 1000


class CallUnderWay(FulfillmentError):
    """The first call with this key has not been answered yet."""


class CallDiffers(FulfillmentError):
    """This key came with something else before."""


@dataclass(frozen=True)
class Kept:
    """The first answer."""

    status: int
    document: Any


def fingerprint_of(method: str, path: str, body: bytes) -> str:
    """What makes two calls the same one."""
    return hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).hexdigest()


def begin(key: ApiKey, name: str, fingerprint: str) -> ApiCall | Kept:
    """Claim the name for this call, or the answer that it got before. :class:`CallUnderWay`, :class:`CallDiffers`."""
    now = timezone.now()
    ends = now + timedelta(seconds=CLAIM)
    row = ApiCall(
        key=key, name=name, fingerprint=fingerprint, claimed_until=ends,
        expires_at=now + timedelta(hours=option("keep_hours")),
    )  # fmt: skip
    mine = ApiCall._default_manager.filter(key=key, name=name)
    if not insert_new([row], returning=["id"]):
        found = mine.first()
        if found is None:
            raise CallUnderWay  # refused and taken back between the two looks
        if found.expires_at > now:
            if found.fingerprint != fingerprint:
                raise CallDiffers
            if found.status is not None:
                return Kept(found.status, json.loads(found.answer))
            if found.claimed_until > now:
                raise CallUnderWay
        # Forgotten, or begun by a process that died: whoever changes the row first has it.
        taken = mine.filter(claimed_until=found.claimed_until, expires_at=found.expires_at).update(
            fingerprint=fingerprint, status=None, answer="", claimed_until=ends, expires_at=row.expires_at
        )
        if not taken:
            raise CallUnderWay
    return mine.get()


def end(call: ApiCall, status: int, document: Any) -> None:
    """Keep the answer of what was done; let go of what was not."""
    mine = ApiCall._default_manager.filter(pk=call.pk, claimed_until=call.claimed_until, status=None)
    if 200 <= status < 300:
        mine.update(status=status, answer=json.dumps(document))
    else:
        mine.delete()


def tidy() -> int:
    """Delete what is forgotten; how many."""
    count = 0
    rows = ApiCall._default_manager.filter(expires_at__lt=timezone.now())
    while pks := list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        ApiCall._default_manager.filter(pk__in=pks).delete()
        count += len(pks)
    return count
