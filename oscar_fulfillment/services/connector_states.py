"""Our status shown by systems beside the shop: one call at a time for an order, and never over what we did not hear.

Two workers that told one system of two moves of one order could arrive in the wrong order, so the ledger row of the
order is claimed meanwhile. A connector that looks first says what it found instead of replacing it (``Pushed.found``);
that is heard, weighed like any change, and then it is looked at again what is to be shown.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import STATE, Connector
from oscar_fulfillment.connectors.records import Change, Known, Task
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.models import Export, OrderFulfillment

from . import connector_changes, connector_records, connector_rules
from .connector_events import ask_for_state
from .connector_exports import CLAIM, note_state, order_export

#: So many times it is looked at what they did meanwhile, before the message waits for its next try.
ROUNDS = 4
_MAX_ERROR = 2000


def send_state(connector: Connector, order_id: int) -> None:
    """Let the other side show our status, where a rule says which, and it does not show it already."""
    for _round in range(ROUNDS):
        export = order_export(connector.alias, order_id)
        if export is None or export.status != Export.ACKNOWLEDGED:
            # It goes with the order when that goes, and what they refused has no status there.
            return
        found = _show(connector, export)
        if found is None:
            return
        connector_changes.take(connector.alias, found)
        _note_found(export, found)
    raise AdapterUnavailable("the other side moves faster than it can be told")


def catch_up(export: Export, found: Change | None) -> None:
    """The order has just been sent: hear what was found there, and show what has become of the order meanwhile."""
    if found is not None:
        connector_changes.take(export.connector, found)
        _note_found(export, found)
        export.refresh_from_db()
    if STATE not in connectors.get(export.connector).told or not export.outside_state:
        return
    if _wanted(export)[0] not in ("", export.outside_state):
        ask_for_state(export.connector, export.fulfillment_id, f"sent:{export.pk}:{export.attempts}")


def _wanted(export: Export) -> tuple[str, int]:
    """What they should show, "" where no rule says; and the version of the order that this is about."""
    fulfillment = OrderFulfillment._default_manager.get(pk=export.fulfillment_id)
    rules = connector_rules.rules_of(export.connector)
    return connector_rules.shown(export.connector, rules, fulfillment), fulfillment.version


def _show(connector: Connector, export: Export) -> Change | None:
    """One call, if there is something to show. What was found there instead, None when that is done."""
    rows = Export._default_manager.filter(pk=export.pk)
    now = timezone.now()
    until = now + timedelta(seconds=CLAIM)
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    if not rows.filter(free, status=Export.ACKNOWLEDGED).update(claimed_until=until):
        raise AdapterUnavailable("another worker is sending it")
    try:
        # Only now: what was read before the claim may be older than what its last holder has told.
        export.refresh_from_db()
        wanted, version = _wanted(export)
        if wanted in ("", export.outside_state):
            if wanted:
                rows.update(base_version=version)
            return None
        return _tell(connector, export, wanted, version)
    finally:
        rows.filter(claimed_until=until).update(claimed_until=None)


def _tell(connector: Connector, export: Export, wanted: str, version: int) -> Change | None:
    order = connector_records.record(connector_records.order_of(export.fulfillment_id))
    known = Known(export.external_id, export.external_number, export.outside_state, export.data)
    rows = Export._default_manager.filter(pk=export.pk)
    # Before the call: its echo may be here before its answer.
    rows.update(pushed_state=wanted)
    try:
        pushed = connector.push(Task(STATE, order, f"{order.number}:{wanted}:{version}", known, state=wanted))
    except AdapterUnanswered:
        raise
    except AdapterUnavailable:
        rows.update(pushed_state=export.pushed_state)
        raise
    except AdapterRejected as error:
        rows.update(error=(str(error) or "refused")[:_MAX_ERROR], pushed_state=export.pushed_state)
        raise
    if pushed.found is not None:
        rows.update(pushed_state=export.pushed_state)
        return pushed.found
    note_state(export, pushed.state or wanted, pushed.at, version)
    rows.update(error="")
    return None


def _note_found(export: Export, found: Change) -> None:
    """It was read this moment, so it is how it stands, also where the same change was heard before."""
    rows = Export._default_manager.filter(pk=export.pk)
    rows.update(outside_state=found.state[:100], outside_label=found.label[:100])
    if found.at is not None:
        rows.filter(outside_state_at=None).update(outside_state_at=found.at)
        rows.update(outside_state_at=Greatest(F("outside_state_at"), found.at))
