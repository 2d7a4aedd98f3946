"""The export ledger: what each system beside the shop is to have, has, and did not take.

    step -> outbox message -> send(): a ledger row, the call (at most once in effect), the answer settled

When an answer was lost, the next try looks for our number first, or repeats it under the same key, whichever the system
allows; where neither is possible a person decides. Systems that come for what waits find it in the same ledger.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import ORDER, STATE, Capability, Connector
from oscar_fulfillment.connectors.records import Known, Pushed, Task
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.core.locks import lock_name, lock_rows
from oscar_fulfillment.models import Export, OrderFulfillment
from oscar_fulfillment.models.connector import LANE

from . import connector_records, connector_rules, followups

logger = logging.getLogger("oscar_fulfillment.connectors")

#: Seconds for which one worker has an export to itself: longer than its calls can take.
CLAIM = 120
_MAX_ERROR = 2000
_LONGEST = {"external_id": 100, "external_number": 64, "link": 500}


def send(message: Any) -> None:
    """The outbox's handler of the connectors' lanes."""
    alias, payload = message.destination.removeprefix(LANE), message.payload
    if alias not in connectors:
        raise AdapterUnavailable(f"the connector {alias!r} is not configured")
    connector = connectors.get(alias)
    if payload["kind"] == STATE:
        from .connector_states import send_state

        send_state(connector, payload["order"])
        return
    export = _asked_for(alias, payload)
    if export is not None and Capability.FETCHED not in connector.capabilities:
        run(export.pk)


def _asked_for(alias: str, payload: dict[str, Any]) -> Export | None:
    """The ledger row of a message; None where nothing is to be done about it (any more)."""
    now = timezone.now()
    if "export" in payload:
        return Export._default_manager.filter(pk=payload["export"]).first()
    fulfillment = OrderFulfillment._default_manager.filter(pk=payload["order"]).first()
    if fulfillment is None:
        raise AdapterRejected("the order is gone")
    connector = connectors.get(alias)
    if not connector.takes_order(fulfillment.pk):
        return None
    claimed = Export._default_manager.filter(
        fulfillment=fulfillment, connector=alias, kind=payload["kind"], about=payload["about"], claimed_until__gt=now
    )
    if claimed.exists():
        # What is being sent was read before this step: it goes once more afterwards.
        raise AdapterUnavailable("another worker is sending it")
    with transaction.atomic():
        lock_rows(OrderFulfillment._default_manager.filter(pk=fulfillment.pk))
        if Capability.FETCHED in connector.capabilities:
            # Who fetches goes by id: with one insert at a time no smaller one appears behind a larger one.
            lock_name(f"oscar_fulfillment.exports.{alias}")
        if payload.get("again") and order_export(alias, fulfillment.pk) is None:
            return None
        export, is_new = Export._default_manager.get_or_create(
            fulfillment=fulfillment, connector=alias, kind=payload["kind"], about=payload["about"],
            defaults={"created_at": now, "sequence": payload["sequence"], "facts": payload.get("facts", {})},
        )  # fmt: skip
        if export.status == Export.FAILED:
            # Whoever sends a message again, or takes a further step, wants it tried again.
            Export._default_manager.filter(pk=export.pk).update(status=Export.WAITING, error="")
            export.status = Export.WAITING
        if is_new or export.sequence >= payload["sequence"]:
            return export if export.status in (Export.WAITING, Export.SENDING) else None
        # A later step asks anew: the rest of an order was released, or it was taken up again.
        revisable = {Capability.REVISE, Capability.FETCHED} & connector.capabilities
        Export._default_manager.filter(pk=export.pk).update(sequence=payload["sequence"])
        if export.status in (Export.WAITING, Export.SENDING):
            return export
        if not revisable or export.status == Export.DISMISSED:
            return None
        Export._default_manager.filter(pk=export.pk).update(status=Export.WAITING, acknowledged_at=None)
    export.refresh_from_db()
    return export


def run(pk: int) -> Export | None:
    """Call the system for one export and settle its answer. Raises what the outbox understands."""
    export = _claim(pk)
    if export is None:
        return None
    was_lost = export.status == Export.SENDING
    expected = None
    try:
        connector = connectors.get(export.connector)
        task = _task(connector, export)
        # Before the call: the echo of what it sets may be here before its answer.
        begun = {"pushed_state": task.state[:100]} if export.kind == ORDER else {}
        Export._default_manager.filter(pk=pk).update(status=Export.SENDING, **begun)
        expected = _expect(connector, export)
        pushed = _look_for(connector, task) if was_lost else None
        if pushed is None:
            pushed = connector.push(task)
    except AdapterUnanswered as error:
        _give_back(export, Export.SENDING, error)
        raise
    except AdapterUnavailable as error:
        # What was lost before stays lost: this try did not even get to look.
        _give_back(export, Export.SENDING if was_lost else Export.WAITING, error)
        raise
    except AdapterRejected as error:
        if expected is not None:
            Export._default_manager.filter(pk=expected.pk).update(pushed_state=expected.pushed_state)
        _give_back(export, Export.FAILED, error)
        raise
    except BaseException as error:
        _give_back(export, Export.SENDING, error)
        raise
    export = settle(export, pushed)
    if export.kind == ORDER:
        from .connector_states import catch_up

        catch_up(export, pushed.found)
    return export


def _expect(connector: Connector, export: Export) -> Export | None:
    """Note the status that a message leads to, before the call: its echo may be here before its answer."""
    state = connector.leads_to.get(export.kind)
    row = order_export(export.connector, export.fulfillment_id) if state else None
    if state and row is not None:
        Export._default_manager.filter(pk=row.pk).update(pushed_state=state)
    return row


def _look_for(connector: Connector, task: Task) -> Pushed | None:
    if Capability.FIND in connector.capabilities:
        return connector.find(task)
    if Capability.IDEMPOTENT not in connector.capabilities:
        raise AdapterRejected(_("The answer was lost. Look over there whether it arrived, before it is sent again."))
    return None


def _claim(pk: int) -> Export | None:
    now = timezone.now()
    rows = Export._default_manager.filter(pk=pk, status__in=[Export.WAITING, Export.SENDING])
    taken = rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=now)).update(
        claimed_until=now + timedelta(seconds=CLAIM), attempts=F("attempts") + 1
    )
    found = rows.select_related("fulfillment").first()
    if found is not None and not taken:
        raise AdapterUnavailable("another worker is sending it")
    return found


def _give_back(export: Export, status: str, error: BaseException) -> None:
    text = (str(error) or type(error).__name__)[:_MAX_ERROR]
    mine = Export._default_manager.filter(pk=export.pk, claimed_until=export.claimed_until)
    mine.update(claimed_until=None, status=status, error=text)


def _task(connector: Connector, export: Export) -> Task:
    order = connector_records.record(connector_records.order_of(export.fulfillment_id))
    known = Known()
    if export.kind != ORDER:
        known = _known_order(connector, export)
    own = Known(export.external_id, export.external_number, export.outside_state, export.data)
    key = f"{export.fulfillment.number}:{export.kind}:{export.about or 0}"
    state = ""
    if export.kind == ORDER:
        state = connector_rules.shown(connector.alias, connector_rules.rules_of(connector.alias), export.fulfillment)
    return Task(export.kind, order, key, own if export.kind == ORDER else known, own, state, export.facts)


def _known_order(connector: Connector, export: Export) -> Known:
    """The order over there, sent first where it is not. What belongs to an order that they refused is refused too."""
    row = order_export(connector.alias, export.fulfillment_id)
    if row is None or row.status in (Export.WAITING, Export.SENDING):
        if row is None:
            row, _new = Export._default_manager.get_or_create(
                fulfillment_id=export.fulfillment_id, connector=connector.alias, kind=ORDER, about="",
                defaults={"created_at": timezone.now(), "sequence": export.sequence},
            )  # fmt: skip
        run(row.pk)
        row.refresh_from_db()
    if row.status in (Export.FAILED, Export.DISMISSED):
        raise AdapterRejected(_("The order itself is not over there."))
    return Known(row.external_id, row.external_number, row.outside_state, row.data)


def order_export(alias: str, order_id: int) -> Export | None:
    """The ledger row of an order at a system."""
    return Export._default_manager.filter(connector=alias, fulfillment=order_id, kind=ORDER, about="").first()


def settle(export: Export, pushed: Pushed) -> Export:
    """Write down what the other side answered."""
    now = timezone.now()
    values: dict[str, Any] = {
        "status": Export.ACKNOWLEDGED if pushed.acknowledged else Export.SENT,
        "claimed_until": None, "error": "", "sent_at": now, "data": {**export.data, **pushed.data},
    }  # fmt: skip
    if pushed.acknowledged:
        values["acknowledged_at"] = now
    for name, value in (
        ("external_id", pushed.external_id), ("external_number", pushed.number), ("link", pushed.link),
    ):  # fmt: skip
        if value:
            values[name] = value[: _LONGEST[name]]
    try:
        with transaction.atomic():
            # As in ``connector_ledger.lock_orders``: the row is written more than once.
            lock_rows(OrderFulfillment._default_manager.filter(pk=export.fulfillment_id).only("pk"))
            Export._default_manager.filter(pk=export.pk).update(**values)
            if export.kind == ORDER:
                note_state(export, pushed.state, pushed.at, export.fulfillment.version)
    except IntegrityError as error:
        rejected = AdapterRejected(_("Over there it is the same as another order: %(id)s") % {"id": pushed.external_id})
        _give_back(export, Export.FAILED, rejected)
        raise rejected from error
    followups.close_by_prefix(f"export:{export.pk}:", "done", export.connector)
    export.refresh_from_db()
    return export


def note_state(export: Export, state: str, at: datetime | None, version: int) -> None:
    """What we left over there, "" for nothing. ``export`` is the row as it was before the call.

    What was heard meanwhile stays, unless by their clock our word came after it. Times are only ever theirs: ours may
    go differently, and what they did would seem older than what we did.
    """
    rows = Export._default_manager.filter(pk=export.pk)
    rows.update(pushed_state="")
    if not state:
        return
    replaced = Q(outside_state=export.outside_state, outside_state_at=export.outside_state_at)
    if at is not None:
        replaced |= Q(outside_state_at__lte=at)
    rows.filter(replaced).update(
        outside_state=state[:100],
        outside_label="",
        outside_state_at=at or export.outside_state_at,
        base_version=version,
    )


def message_died(message: Any) -> None:
    """Hook of the outbox: a person is told by a follow-up, and the ledger says what went wrong."""
    if not message.destination.startswith(LANE):
        return
    alias, payload = message.destination.removeprefix(LANE), message.payload
    kind = ORDER if payload["kind"] == STATE else payload["kind"]
    rows = Export._default_manager.filter(connector=alias, fulfillment=payload["order"], kind=kind)
    export = rows.filter(about=payload.get("about", "")).first() if "export" not in payload else rows.filter(
        pk=payload["export"]
    ).first()  # fmt: skip
    if export is None:
        return
    if payload["kind"] != STATE and export.status in (Export.WAITING, Export.SENDING):
        Export._default_manager.filter(pk=export.pk).update(
            status=Export.FAILED, claimed_until=None, error=(export.error or message.error)[:_MAX_ERROR]
        )
    followups.open_followup(
        kind=followups.EXPORT_FAILED, key=f"export:{export.pk}:{export.round}", fulfillment_id=export.fulfillment_id,
        note=(export.error or message.error)[:500], data={"connector": alias, "export": export.pk},
    )  # fmt: skip
