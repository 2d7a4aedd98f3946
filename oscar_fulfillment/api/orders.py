"""Orders: fetch what waits, look one up, say that you have it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.connectors.base import ORDER
from oscar_fulfillment.connectors.order_document import order_document
from oscar_fulfillment.models import Export
from oscar_fulfillment.services import connector_exports, connector_ledger, connector_records
from oscar_fulfillment.services.api_keys import option
from oscar_fulfillment.services.connector_ledger import ExportBusy

from .calls import Call
from .problems import Problem

#: What is offered: what waits, what was fetched and not acknowledged, and what another way of sending gave up.
_OFFERED = (Export.WAITING, Export.SENT, Export.FAILED)
#: Ended before anybody fetched it.
_OVER = ("cancelled", "returned")


def list_orders(call: Call) -> dict[str, Any]:
    """A page of what waits for the key's system, the oldest first. What is on it counts as fetched."""
    limit = int(call.query.get("limit") or option("page"))
    rows = Export._default_manager.filter(connector=call.key.system, kind=ORDER, status__in=_OFFERED)
    rows = rows.filter(fulfillment__in=call.reach.orders().exclude(shipping_status__in=_OVER))
    if cursor := call.query.get("cursor", ""):
        rows = rows.filter(pk__gt=int(cursor.removeprefix("e")))
    found = list(rows.order_by("pk")[: limit + 1])
    page, is_more = found[:limit], len(found) > limit
    records = connector_records.records([export.fulfillment_id for export in page])
    documents = [order_document(record) for record in records]
    connector_ledger.hand_out([export.pk for export in page])
    return {"orders": documents, "next_cursor": f"e{page[-1].pk}" if is_more else None}


def _document(order_id: int) -> dict[str, Any]:
    return order_document(connector_records.record(connector_records.order_of(order_id)))


def get_order(call: Call) -> dict[str, Any]:
    """One order within the key's reach."""
    return _document(call.order().pk)


def acknowledge_order(call: Call) -> dict[str, Any]:
    """The key's system has this order."""
    fulfillment = call.order()
    if problem := _acknowledge(call, fulfillment.pk, call.body.get("external_id", "")):
        raise Problem(409, "conflict", problem)
    return {"number": fulfillment.number, "status": Export.ACKNOWLEDGED}


def acknowledge_orders(call: Call) -> dict[str, Any]:
    """The key's system has these orders; what is wrong with one does not hold up the others."""
    wanted = {each["number"] for each in call.body["orders"]}
    found = dict(call.reach.orders().filter(number__in=wanted).values_list("number", "pk"))
    answer = []
    for each in call.body["orders"]:
        number = each["number"]
        problem = _("There is no such order.")
        if number in found:
            problem = _acknowledge(call, found[number], each.get("external_id", ""))
        status = "refused" if problem else Export.ACKNOWLEDGED
        answer.append({"number": number, "status": status, "detail": problem or None})
    return {"orders": answer}


def _acknowledge(call: Call, order_id: int, external_id: str) -> str:
    """Why it was not, "" where it is."""
    export = connector_exports.order_export(call.key.system, order_id)
    if export is None:
        return _("This order was not handed to your system.")
    if export.status == Export.DISMISSED:
        return _("Somebody in the shop has said that this order need not go to your system.")
    if external_id and export.external_id and export.external_id != external_id.strip():
        return _("You have acknowledged this order under another id.")
    named = {export.pk: external_id.strip()} if external_id.strip() else {}
    try:
        connector_ledger.acknowledge(pks=[export.pk], external_ids=named)
    except ExportBusy as error:
        return str(error)
    return ""
