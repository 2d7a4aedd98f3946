"""Orders for 1C: a page of what waits in the export ledger, and its acknowledgement.

    query -> the page is remembered with the session and handed out -> success -> exactly these are acknowledged

Until then the same page is given again, to this session and, after a broken exchange, to any other. An order that
changed between the two stays waiting and is offered anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db import transaction
from django.utils import timezone

from oscar_fulfillment.connectors.base import ORDER
from oscar_fulfillment.connectors.commerceml import CommerceML
from oscar_fulfillment.connectors.commerceml_codes import OLD, STATE_CANCELLED
from oscar_fulfillment.connectors.commerceml_writer import Outgoing, write
from oscar_fulfillment.connectors.records import Rule
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.models import ExchangeSession, Export, OrderFulfillment

from . import connector_ledger, connector_records, connector_rules

#: Orders that are in memory at once.
BATCH = 50


def query(connector: CommerceML, session: ExchangeSession) -> Iterator[bytes]:
    """The XML of the page of this session, the oldest first; remembered when this returns, written as it is read."""
    rules = connector_rules.rules_of(connector.alias)
    with transaction.atomic():
        # One question of a session at a time: two would remember different pages.
        held = lock_rows(ExchangeSession._default_manager.filter(pk=session.pk))[0]
        rows = _page(connector, [entry[0] for entry in held.handed])
        # In the order of all who lock them: two exchanges at once cannot block each other.
        lock_rows(Export._default_manager.filter(pk__in=[row.pk for row in rows]).only("pk"))
        states = {row.pk: connector_rules.state_out(rules, row.fulfillment) for row in rows}
        held.handed = [[row.pk, row.sequence, row.fulfillment.version, states[row.pk]] for row in rows]
        held.save(update_fields=["handed"])
        connector_ledger.hand_out([row.pk for row in rows])
    session.handed = held.handed
    version = held.version or connector.schema("")
    orders = _outgoing(connector, rules, [row.fulfillment_id for row in rows])
    return write(orders, version=version or OLD, encoding=connector.encoding, now=timezone.localtime())


def _page(connector: CommerceML, pks: Sequence[int]) -> list[Export]:
    rows = Export._default_manager.filter(connector=connector.alias, kind=ORDER).select_related("fulfillment")
    if pks:
        # What 1C did not acknowledge is the same page again, even if more has come since.
        return list(rows.filter(pk__in=pks).exclude(status=Export.DISMISSED).order_by("pk"))
    return list(rows.filter(status__in=[Export.WAITING, Export.SENT]).order_by("pk")[: connector.page_size])


def _outgoing(connector: CommerceML, rules: Sequence[Rule], ids: Sequence[int]) -> Iterator[Outgoing]:
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        rows = OrderFulfillment._default_manager.in_bulk(batch)
        for order in connector_records.records(batch):
            state = connector_rules.state_out(rules, rows[order.id])
            yield Outgoing(
                order, timezone.localtime(order.placed_at), state, connector.label_of(state),
                cancelled=order.shipping_status == "cancelled" or state == STATE_CANCELLED,
                paid=order.payment_status == "paid",
            )  # fmt: skip


def success(session: ExchangeSession) -> int:
    """1C has the page that was handed out: acknowledge it, once. How many orders were not acknowledged before."""
    with transaction.atomic():
        held = lock_rows(ExchangeSession._default_manager.filter(pk=session.pk))[0]
        told = {pk: (sequence, version, state) for pk, sequence, version, state in held.handed}
        connector_ledger.lock_orders(told)
        rows = lock_rows(Export._default_manager.filter(pk__in=told, status__in=[Export.SENT, Export.WAITING]))
        # One that a later step asked for again has changed since it was read: it waits for the next question.
        same = [row.pk for row in rows if row.sequence == told[row.pk][0]]
        number = connector_ledger.acknowledge(pks=same)
        now = timezone.now()
        shown: dict[tuple[str, int], list[int]] = defaultdict(list)
        for pk in same:
            shown[told[pk][2], told[pk][1]].append(pk)
        for (state, version), pks in shown.items():
            values = {"outside_state": state, "outside_label": "", "pushed_state": state, "outside_state_at": now}
            Export._default_manager.filter(pk__in=pks).update(
                base_version=version, **(values if state else {})
            )  # fmt: skip
        held.handed = []
        held.save(update_fields=["handed"])
    session.handed = []
    return number
