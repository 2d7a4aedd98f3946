"""The export ledger: what each system beside the shop is to have, has, and did not take.

    step -> outbox message -> send(): a ledger row, the call (at most once in effect), the answer settled

When an answer was lost, the next try looks for our number first, or repeats it under the same key, whichever the system
allows; where neither is possible a person decides. Systems that come for what waits find it in the same ledger.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import ORDER, STATE, Capability, Connector
from oscar_fulfillment.connectors.records import Known, Pushed, Task
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnanswered, AdapterUnavailable, FulfillmentError
from oscar_fulfillment.core.locks import lock_name, lock_rows
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.models import Export, OrderFulfillment

from . import connector_records, connector_rules, followups
from .connector_events import LANE, lane

logger = logging.getLogger("oscar_fulfillment.connectors")

#: Seconds for which one worker has an export to itself: longer than its calls can take.
CLAIM = 120
_MAX_ERROR = 2000
_LONGEST = {"external_id": 100, "external_number": 64, "link": 500}


class ExportBusy(FulfillmentError):
    """What was asked of an export does not fit its status; the message says why."""


def send(message: Any) -> None:
    """The outbox's handler of the connectors' lanes."""
    alias, payload = message.destination.removeprefix(LANE), message.payload
    if alias not in connectors:
        raise AdapterUnavailable(f"the connector {alias!r} is not configured")
    connector = connectors.get(alias)
    if payload["kind"] == STATE:
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
    if not connector.wants(fulfillment.pk):
        return None
    with transaction.atomic():
        lock_rows(OrderFulfillment._default_manager.filter(pk=fulfillment.pk))
        if Capability.FETCHED in connector.capabilities:
            # Who fetches goes by id: with one insert at a time no smaller one appears behind a larger one.
            lock_name(f"oscar_fulfillment.exports.{alias}")
        export, is_new = Export._default_manager.get_or_create(
            fulfillment=fulfillment, connector=alias, kind=payload["kind"], about=payload["about"],
            defaults={"created_at": now, "sequence": payload["sequence"], "facts": payload.get("facts", {})},
        )  # fmt: skip
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
    try:
        connector = connectors.get(export.connector)
        task = _task(connector, export)
        Export._default_manager.filter(pk=pk).update(status=Export.SENDING)
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
        _give_back(export, Export.FAILED, error)
        raise
    except BaseException as error:
        _give_back(export, Export.SENDING, error)
        raise
    return settle(export, pushed)


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
        state = connector_rules.state_out(connector_rules.rules_of(connector.alias), export.fulfillment)
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
    if pushed.state:
        values |= {
            "outside_state": pushed.state, "pushed_state": pushed.state, "outside_state_at": now,
            "base_version": export.fulfillment.version,
        }  # fmt: skip
    try:
        with transaction.atomic():
            Export._default_manager.filter(pk=export.pk).update(**values)
    except IntegrityError as error:
        rejected = AdapterRejected(_("Over there it is the same as another order: %(id)s") % {"id": pushed.external_id})
        _give_back(export, Export.FAILED, rejected)
        raise rejected from error
    followups.close_by_prefix(f"export:{export.pk}:", "done", export.connector)
    export.refresh_from_db()
    return export


def send_state(connector: Connector, order_id: int) -> None:
    """Let the other side show our status, where a rule says which, and it does not show it already."""
    export = order_export(connector.alias, order_id)
    if export is None or export.status != Export.ACKNOWLEDGED:
        # It goes with the order when that goes, and what they refused has no status there.
        return
    fulfillment = OrderFulfillment._default_manager.get(pk=order_id)
    wanted = connector_rules.state_out(connector_rules.rules_of(connector.alias), fulfillment)
    if not wanted or wanted == export.outside_state:
        return
    order = connector_records.record(connector_records.order_of(order_id))
    known = Known(export.external_id, export.external_number, export.outside_state, export.data)
    # Before the call: its echo may be here before its answer.
    Export._default_manager.filter(pk=export.pk).update(pushed_state=wanted)
    try:
        key = f"{order.number}:{wanted}:{fulfillment.version}"
        pushed = connector.push(Task(STATE, order, key, known, state=wanted))
    except AdapterRejected as error:
        Export._default_manager.filter(pk=export.pk).update(
            error=(str(error) or "refused")[:_MAX_ERROR], pushed_state=export.pushed_state
        )
        raise
    Export._default_manager.filter(pk=export.pk).update(
        outside_state=pushed.state or wanted, outside_label="", outside_state_at=timezone.now(), error="",
        base_version=fulfillment.version,
    )  # fmt: skip


def send_again(*, export: Export, actor: Actor) -> None:
    """Send what was refused, given up, or is not acknowledged. :class:`ExportBusy` for what is there already."""
    with transaction.atomic():
        rows = lock_rows(Export._default_manager.filter(pk=export.pk))
        if not rows or rows[0].status not in (Export.FAILED, Export.SENT, Export.DISMISSED, Export.WAITING):
            raise ExportBusy(_("This is on its way, or has arrived already."))
        found = rows[0]
        found.status, found.round, found.error = Export.WAITING, found.round + 1, ""
        found.save(update_fields=["status", "round", "error"])
        payload = {"order": found.fulfillment_id, "kind": found.kind, "export": found.pk, "by": actor.label}
        key = f"{found.fulfillment_id}:again:{found.pk}:{found.round}"
        outbox.enqueue([OutboxMessage(lane(found.connector), found.kind, key, payload, order_id=found.fulfillment_id)])


def dismiss(*, export: Export, actor: Actor) -> None:
    """Say that it need not go there. :class:`ExportBusy` for what is there already or on its way."""
    changed = Export._default_manager.filter(
        pk=export.pk, status__in=[Export.WAITING, Export.FAILED, Export.SENT]
    ).update(status=Export.DISMISSED, error="")
    if not changed:
        raise ExportBusy(_("This is on its way, or has arrived already."))
    followups.close_by_prefix(f"export:{export.pk}:", "nothing", actor.label)


def hand_out(pks: list[int]) -> int:
    """Note that these were fetched; what is acknowledged stays so. How many were waiting."""
    rows = Export._default_manager.filter(pk__in=pks, status__in=[Export.WAITING, Export.FAILED])
    return rows.update(status=Export.SENT, sent_at=timezone.now(), attempts=F("attempts") + 1, error="")


def acknowledge(*, pks: list[int], external_ids: dict[int, str] | None = None) -> int:
    """The other side says that it has these. How many were not acknowledged before. The same again is harmless.

    ``external_ids``: what it calls them. :class:`ExportBusy` where another order has that id.
    """
    now = timezone.now()
    rows = Export._default_manager.filter(pk__in=pks).exclude(status__in=[Export.ACKNOWLEDGED, Export.DISMISSED])
    try:
        with transaction.atomic():
            for pk, external_id in (external_ids or {}).items():
                Export._default_manager.filter(pk=pk).exclude(status=Export.DISMISSED).update(
                    external_id=external_id[:100]
                )
            return rows.update(status=Export.ACKNOWLEDGED, acknowledged_at=now, sent_at=now, error="")
    except IntegrityError as error:
        raise ExportBusy(_("Another order has this id already.")) from error


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
        note=(message.error or export.error)[:500], data={"connector": alias, "export": export.pk},
    )  # fmt: skip
