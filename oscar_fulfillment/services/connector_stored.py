"""A change as it is kept in the table, and back: so that what was refused can be looked at again as it was told."""

from __future__ import annotations

import base64
from datetime import datetime
from decimal import Decimal
from typing import Any

from oscar_fulfillment.connectors.records import Change, Happened, InvoiceFacts, TrackingFacts
from oscar_fulfillment.models import OutsideChange

#: The largest XML that is kept beside a change; a larger one has to be told again.
_MOST = 300_000


def facts_of(change: Change) -> dict[str, Any]:
    """What a change says beside its status, as JSON."""
    found: dict[str, Any] = {}
    if change.paid is not None:
        found["paid"] = {
            "amount": str(change.paid), "reference": change.paid_reference, "currency": change.paid_currency,
        }  # fmt: skip
    if (invoice := change.invoice) is not None:
        found["invoice"] = {
            "number": invoice.number, "series": invoice.series, "access_key": invoice.access_key,
            "value": None if invoice.value is None else str(invoice.value), "units": dict(invoice.units),
            "cancelled": invoice.cancelled, "url": invoice.url, "issued_at": invoice.issued_at,
        }  # fmt: skip
        if 0 < len(invoice.xml) <= _MOST:
            found["invoice"]["xml"] = base64.b64encode(invoice.xml).decode()
    if (tracking := change.tracking) is not None:
        found["tracking"] = {
            "code": tracking.code, "carrier": tracking.carrier, "delivered": tracking.delivered,
            "invoice": tracking.invoice,
            "delivered_at": tracking.delivered_at.isoformat() if tracking.delivered_at else "",
            "events": [{"at": e.at.isoformat(), "text": e.text, "place": e.place} for e in tracking.events],
        }  # fmt: skip
    if change.total is not None:
        found["total"] = str(change.total)
    return found


def read(row: OutsideChange) -> Change:
    """The change of a row, as it was told."""
    facts = row.facts
    paid, invoice, tracking = facts.get("paid"), facts.get("invoice"), facts.get("tracking")
    return Change(
        key=row.key,
        at=row.at,
        external_id=row.external_id,
        reference=row.reference,
        state=row.state,
        label=row.label,
        paid=Decimal(paid["amount"]) if paid else None,
        paid_reference=paid["reference"] if paid else "",
        paid_currency=paid.get("currency", "") if paid else "",
        invoice=_invoice(invoice) if invoice else None,
        tracking=_tracking(tracking) if tracking else None,
        total=Decimal(facts["total"]) if "total" in facts else None,
    )


def _tracking(stored: dict[str, Any]) -> TrackingFacts:
    events = tuple(
        Happened(datetime.fromisoformat(each["at"]), each["text"], each["place"]) for each in stored.get("events", ())
    )
    at = stored.get("delivered_at")
    return TrackingFacts(
        stored["code"], stored["carrier"], stored["delivered"], invoice=stored.get("invoice", ""), events=events,
        delivered_at=datetime.fromisoformat(at) if at else None,
    )  # fmt: skip


def _invoice(stored: dict[str, Any]) -> InvoiceFacts:
    value, xml = stored["value"], stored.get("xml", "")
    return InvoiceFacts(
        number=stored["number"], series=stored["series"], access_key=stored["access_key"],
        value=None if value is None else Decimal(value), xml=base64.b64decode(xml), units=stored["units"],
        cancelled=stored["cancelled"], url=stored.get("url", ""), issued_at=stored.get("issued_at", ""),
    )  # fmt: skip
