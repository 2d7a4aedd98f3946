"""A fiscal document and its tracking as callers write them, in our names or in those that VTEX made common. Pure.

https://developers.vtex.com/docs/api-reference/orders-api (order invoice notification): ``invoiceValue`` is a text of
cents, ``items`` name the SKU as ``id``, ``embeddedInvoice`` is the XML. Where a caller writes a thing in both ways it
has to be the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.connectors.records import Happened, InvoiceFacts, TrackingFacts
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.fiscal.access_key import ZEROS

from .shapes import read_moment

#: Our name -> VTEX's.
_PAIRS = {
    "number": "invoiceNumber", "access_key": "invoiceKey", "xml": "embeddedInvoice", "url": "invoiceUrl",
    "issued_at": "issuanceDate", "carrier": "courier", "tracking_code": "trackingNumber",
    "tracking_url": "trackingUrl", "dispatched_at": "dispatchedDate",
}  # fmt: skip


def read_invoice(given: Mapping[str, Any]) -> InvoiceFacts:
    """The document. :class:`InvalidInput` for what contradicts itself, says nothing, or is about goods coming back."""
    if str(given.get("type") or "Output") != "Output":
        raise InvalidInput({"type": [_("Only documents of sales (Output) are taken: returns have their own way.")]})
    number, access_key, xml = (_either(given, name) for name in ("number", "access_key", "xml"))
    series = str(given.get("series") or "").strip()
    if not (number or access_key or xml):
        raise InvalidInput({"number": [_("Say the number or the access key, or send the XML.")]})
    if number and not (access_key or xml) and not number.strip("0"):
        access_key = ZEROS  # "none", as merchants write it
    return InvoiceFacts(
        number=number, series=series, access_key=access_key, value=_value(given), xml=xml.encode(),
        units=_units(given), url=_either(given, "url"), issued_at=_either(given, "issued_at"),
    )  # fmt: skip


def read_tracking(given: Mapping[str, Any], *, invoice: str = "") -> TrackingFacts | None:
    """The tracking beside a document; None where nothing says that goods have left."""
    code, carrier, left = (_either(given, name) for name in ("tracking_code", "carrier", "dispatched_at"))
    if not code and not left:
        return None
    return TrackingFacts(code=code, carrier=carrier, invoice=invoice)


def read_delivery(given: Mapping[str, Any], *, invoice: str, now: datetime) -> TrackingFacts:
    """What VTEX calls the tracking of an invoice: events, and whether the goods arrived."""
    events = []
    for place, each in enumerate(given.get("events") or ()):
        at = read_moment(each["date"])
        if at is None or at > now:
            raise InvalidInput({f"events/{place}/date": [_("This is not a time that has passed.")]})
        where = ", ".join(part.strip() for part in (each.get("city") or "", each.get("state") or "") if part.strip())
        events.append(Happened(at, each["description"].strip(), where))
    at = read_moment(given.get("deliveredDate") or given.get("delivered_at") or "")
    delivered = bool(given.get("isDelivered") or given.get("delivered"))
    return TrackingFacts(
        delivered=delivered, invoice=invoice, events=tuple(events),
        delivered_at=at if delivered and at is not None and at <= now else None,
    )  # fmt: skip


def caller_names(given: Mapping[str, Any]) -> dict[str, str]:
    """What the caller calls our fields, where it uses the other names."""
    pairs = {**_PAIRS, "value": "invoiceValue"}
    return {ours: theirs for ours, theirs in pairs.items() if given.get(theirs) and not given.get(ours)}


def _either(given: Mapping[str, Any], name: str) -> str:
    theirs = _PAIRS[name]
    ours_text, their_text = (str(given.get(each) or "").strip() for each in (name, theirs))
    if ours_text and their_text and ours_text != their_text:
        raise InvalidInput(
            {name: [_("%(ours)s and %(theirs)s say different things.") % {"ours": name, "theirs": theirs}]}
        )
    return ours_text or their_text


def _value(given: Mapping[str, Any]) -> Decimal | None:
    ours, theirs = given.get("value"), given.get("invoiceValue")
    value = None if ours in (None, "") else Decimal(str(ours))
    cents = None if theirs in (None, "") else Decimal(int(str(theirs))) / 100
    if value is not None and cents is not None and value != cents:
        raise InvalidInput({"value": [_("value and invoiceValue say different things: the second is in cents.")]})
    return value if value is not None else cents


def _units(given: Mapping[str, Any]) -> dict[str, int]:
    """Pieces per SKU; empty for all that is released."""
    found: dict[str, int] = {}
    for place, item in enumerate(given.get("items") or ()):
        sku = str(item.get("sku") or item.get("id") or "").strip()
        if not sku:
            raise InvalidInput({f"items/{place}": [_("Name the article by sku (or id).")]})
        found[sku] = found.get(sku, 0) + int(item["quantity"])
    return found
