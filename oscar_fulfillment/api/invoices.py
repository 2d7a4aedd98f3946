"""Fiscal documents and tracking that come back. They go the way of everything systems say: once, written down."""

from __future__ import annotations

import hashlib
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.connectors.records import Change, InvoiceFacts, TrackingFacts
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import Export, OrderFulfillment, OutsideChange
from oscar_fulfillment.models.invoice import NFE
from oscar_fulfillment.services import connector_changes, connector_exports, connector_ledger, invoicing, outside_facts
from oscar_fulfillment.services.webhook_bodies import moment

from . import invoice_mapping
from .calls import Call
from .problems import Problem, not_found


def post_invoice(call: Call) -> dict[str, Any]:
    """Enter the document; dispatch its goods where tracking comes with it."""
    fulfillment = call.order()
    facts = invoice_mapping.read_invoice(call.body)
    tracking = invoice_mapping.read_tracking(call.body)
    if tracking is not None:
        call.demand("tracking:write")
    if facts.access_key and not facts.xml:
        # Said by field, and before anything is written down.
        invoicing.read_invoice(
            kind=NFE, number=facts.number, series=facts.series, access_key=facts.access_key
        )  # fmt: skip
    row = _tell(call, fulfillment, "invoice", Change(key="", invoice=facts))
    if tracking is not None:
        _tell(call, fulfillment, "tracking", Change(key="", tracking=tracking))
    return _receipt(fulfillment, row)


def patch_invoice(call: Call) -> dict[str, Any]:
    """The goods of a document have left."""
    fulfillment, invoice = _document(call)
    tracking = invoice_mapping.read_tracking(call.body, invoice=invoice)
    if tracking is None:
        raise InvalidInput({"trackingNumber": [_("Say the tracking code, or when the goods were dispatched.")]})
    return _receipt(fulfillment, _tell(call, fulfillment, "tracking", Change(key="", tracking=tracking)))


def put_tracking(call: Call) -> dict[str, Any]:
    """What happened to the goods of a document on their way."""
    fulfillment, invoice = _document(call)
    facts = invoice_mapping.read_delivery(call.body, invoice=invoice, now=timezone.now())
    return _tracked(call, fulfillment, facts)


def post_tracking(call: Call) -> dict[str, Any]:
    """The goods of an order have left, something happened to them, or they arrived."""
    fulfillment = call.order()
    left = invoice_mapping.read_tracking(call.body)
    facts = invoice_mapping.read_delivery(call.body, invoice="", now=timezone.now())
    if left is None:
        return _tracked(call, fulfillment, facts)
    row = _tell(call, fulfillment, "tracking", Change(key="", tracking=left))
    if facts.delivered or facts.events:
        row = _tell(call, fulfillment, "tracking", Change(key="", tracking=facts))
    return _receipt(fulfillment, row)


def _tracked(call: Call, fulfillment: OrderFulfillment, facts: TrackingFacts) -> dict[str, Any]:
    if not (facts.delivered or facts.events):
        raise InvalidInput({"events": [_("Say what happened: an event, or that the goods arrived.")]})
    return _receipt(fulfillment, _tell(call, fulfillment, "tracking", Change(key="", tracking=facts)))


def _document(call: Call) -> tuple[OrderFulfillment, str]:
    fulfillment = call.order()
    name = call.path["invoice"]
    if len(name) > 64 or outside_facts.find_invoice(fulfillment.order, name) is None:
        raise not_found(_("This order has no such document."))
    return fulfillment, name


def _tell(call: Call, fulfillment: OrderFulfillment, what: str, change: Change) -> OutsideChange:
    """Have it taken; raises what it was refused with. The same content is the same word: one row, one answer."""
    told = Change(
        key=f"{what}:{fulfillment.pk}:{_digest(change.invoice or change.tracking)}",
        reference=fulfillment.number, invoice=change.invoice, tracking=change.tracking,
    )  # fmt: skip
    row = connector_changes.take(call.key.system, told)
    if row.status in OutsideChange.TROUBLE and row.refusal is None:
        # Refused when it was told before: the order may allow it now.
        row = connector_changes.look_again(change=row, again=told)
    if row.status in OutsideChange.TROUBLE:
        raise row.refusal or Problem(409, "conflict", row.problem)
    # Who says what became of an order has it, whether it said so before or not.
    export = connector_exports.order_export(call.key.system, fulfillment.pk)
    if export is not None and export.status in Export.OPEN:
        connector_ledger.acknowledge(pks=[export.pk])
    return row


def _digest(facts: InvoiceFacts | TrackingFacts | None) -> str:
    if isinstance(facts, InvoiceFacts):
        said: tuple[Any, ...] = (
            facts.number, facts.series, facts.access_key, facts.value, facts.xml, sorted(facts.units.items()),
            facts.cancelled,
        )  # fmt: skip
    else:
        said = (repr(facts),)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _receipt(fulfillment: OrderFulfillment, row: OutsideChange) -> dict[str, Any]:
    now = OrderFulfillment._default_manager.values("payment_status", "shipping_status").get(pk=fulfillment.pk)
    return {
        "orderId": fulfillment.number,
        "receipt": str(row.pk),
        "date": moment(row.seen_at),
        "result": "applied" if row.status == OutsideChange.APPLIED else "known",
        **now,
    }
