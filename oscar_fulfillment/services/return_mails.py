"""What the mails about returns say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oscar_fulfillment.core.exceptions import AdapterRejected
from oscar_fulfillment.models import Return
from oscar_fulfillment.selectors.return_money import credit_note_of

from . import messages, return_slips


def return_of(payload: Mapping[str, Any]) -> Return:
    """The return that a mail is about; :class:`AdapterRejected` where it is gone."""
    pk = payload.get("return")
    found = Return._default_manager.select_related("fulfillment__order").filter(pk=pk).first() if pk else None
    if found is None:
        raise AdapterRejected("the return is gone")
    return found


def about(kind: str, order: Any, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What a mail of this kind adds to its context."""
    ret = return_of(payload)
    return {
        "ret": ret,
        "return_lines": list(ret.lines.select_related("line")),
        "has_slip": kind == messages.RETURN_APPROVED and return_slips.has_slip(order),
        "credit_note": credit_note_of(ret) if kind == messages.RETURN_SETTLED else "",
    }
