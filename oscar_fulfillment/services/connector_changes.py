"""What systems beside the shop say, taken once: entered where it is a fact, weighed where it is their status.

A change is written down before anything is done about it (``OutsideChange``), so that the same one twice is one, and a
person can see what came of it. Their status moves ours by a rule; our own change coming back moves nothing; where both
sides moved, the rule says who wins.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.connectors.base import ORDER
from oscar_fulfillment.connectors.records import Change, Rule
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.leases import insert_new
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.models import Export, OrderFulfillment, OutsideChange, StatusChange, StatusRule
from oscar_fulfillment.selectors import given_up

from . import connector_rules, connector_stored, followups, outside_facts
from .connector_events import ask_for_state
from .connector_exports import order_export

logger = logging.getLogger("oscar_fulfillment.connectors")

#: So many moves of one order by one system within an hour are a loop: it is stopped, and a person told.
LOOP = 20
#: Machines of the history whose rows move the order.
_MOVING = ("payment", "shipping")


def take(alias: str, change: Change, *, insist: bool = False) -> OutsideChange:
    """Write a change down and do what follows from it. The same key again returns what came of it the first time.

    ``insist``: a person wants it now, whatever was heard or done since.
    """
    fulfillment = _order_of(alias, change)
    if change.foreign and fulfillment is None:
        return OutsideChange(connector=alias, key=change.key[:200], status=OutsideChange.NOTHING)
    row = _written(alias, change)
    with transaction.atomic():
        # Whoever is told the same meanwhile waits here, and finds what came of it. What fails halfway is undone, and
        # told again by whoever told it.
        row = lock_rows(OutsideChange._default_manager.filter(pk=row.pk))[0]
        if row.status != OutsideChange.WAITING:
            return row
        if fulfillment is None:
            return _finish(row, OutsideChange.UNMATCHED, problem=_("No order of the shop is meant."))
        row.fulfillment = fulfillment
        return _work(row, change, _export(alias, change, fulfillment), insist)


def _work(row: OutsideChange, change: Change, export: Export, insist: bool) -> OutsideChange:
    actor, fulfillment = Actor.provider(row.connector), row.fulfillment
    assert fulfillment is not None
    try:
        if not insist:
            _check_total(change, fulfillment)
        moved = _enter_facts(change, fulfillment, actor, row)
        if not change.state:
            return _finish(row, OutsideChange.APPLIED if moved else OutsideChange.NOTHING)
        return _weigh(row, change, export, actor, moved, insist)
    except (InvalidInput, TransitionNotAllowed) as error:
        row.refusal = error
        return refuse(row, str(error))


def note_failure(alias: str, change: Change, error: Exception) -> OutsideChange:
    """It broke something of ours: kept as refused, so that it holds up no other and can be tried again."""
    row = _written(alias, change)
    if row.status != OutsideChange.WAITING:
        return row
    row.fulfillment = _order_of(alias, change)
    return refuse(row, _("It could not be worked: %(error)s") % {"error": type(error).__name__})


def look_again(*, change: OutsideChange, again: Change | None = None) -> OutsideChange:
    """Do what was refused or unmatched once more, as it was told then; for the button."""
    told = again or connector_stored.read(change)
    OutsideChange._default_manager.filter(pk=change.pk, status__in=OutsideChange.TROUBLE).update(
        status=OutsideChange.WAITING, problem=""
    )
    followups.close_by_prefix(f"outside:{change.pk}:", "done", change.connector)
    return take(change.connector, told, insist=True)


def mark_settled(*, change: OutsideChange, actor: Actor) -> None:
    """A person has dealt with it; nothing else is done."""
    OutsideChange._default_manager.filter(pk=change.pk, status__in=OutsideChange.TROUBLE).update(
        status=OutsideChange.SETTLED
    )
    followups.close_by_prefix(f"outside:{change.pk}:", "nothing", actor.label)


def _written(alias: str, change: Change) -> OutsideChange:
    row = OutsideChange(
        connector=alias, key=change.key[:200], external_id=change.external_id[:100],
        reference=change.reference[:128], state=change.state[:100], label=change.label[:100],
        facts=connector_stored.facts_of(change), at=change.at, seen_at=timezone.now(),
    )  # fmt: skip
    insert_new([row], returning=["id"])
    return OutsideChange._default_manager.get(connector=alias, key=change.key[:200])


def _order_of(alias: str, change: Change) -> OrderFulfillment | None:
    rows = OrderFulfillment._default_manager.select_related("order", "payment_method")
    if change.external_id:
        export = Export._default_manager.filter(connector=alias, kind=ORDER, external_id=change.external_id).first()
        if export is not None:
            return rows.get(pk=export.fulfillment_id)
    found = rows.filter(number=change.reference).first() if change.reference else None
    if found is not None and change.foreign:
        known = Export._default_manager.filter(connector=alias, kind=ORDER, fulfillment=found.pk)
        if known.exclude(external_id__in=["", change.external_id]).exists():
            return None
    return found


def _export(alias: str, change: Change, fulfillment: OrderFulfillment) -> Export:
    export, now = order_export(alias, fulfillment.pk), timezone.now()
    if export is None or not export.external_id or export.status == Export.SENT:
        # It is (perhaps) about to be written: whoever writes such a row holds its order.
        lock_rows(OrderFulfillment._default_manager.filter(pk=fulfillment.pk).only("pk"))
        export, _new = Export._default_manager.get_or_create(
            fulfillment=fulfillment, connector=alias, kind=ORDER, about="",
            defaults={"created_at": now, "status": Export.ACKNOWLEDGED, "acknowledged_at": now},
        )  # fmt: skip
    if change.external_id and not export.external_id:
        taken = Export._default_manager.filter(connector=alias, kind=ORDER, external_id=change.external_id)
        if not taken.exists():
            export.external_id = change.external_id[:100]
            export.save(update_fields=["external_id"])
    if export.status == Export.SENT and export.external_id:
        # What they speak of has arrived.
        Export._default_manager.filter(pk=export.pk, status=Export.SENT).update(
            status=Export.ACKNOWLEDGED, acknowledged_at=now
        )
    return export


def _check_total(change: Change, fulfillment: OrderFulfillment) -> None:
    """What is said of an order that costs something else here is entered by nobody before a person has looked."""
    ours = fulfillment.order.total_incl_tax
    if change.total is not None and change.total not in (ours, given_up.needed(fulfillment)):
        text = _("Over there the order costs %(theirs)s, and here %(ours)s.")
        raise InvalidInput({"total": [text % {"theirs": change.total, "ours": ours}]})


def _enter_facts(change: Change, fulfillment: OrderFulfillment, actor: Actor, row: OutsideChange) -> bool:
    """Invoice, money, goods, in the order in which an order takes them."""
    order, key, moved = fulfillment.order, f"{row.connector}:{change.key}"[:150], False
    if change.paid is not None and change.paid > 0:
        if change.paid_currency not in ("", order.currency):
            text = _("It is paid in %(paid)s, and the order is in %(currency)s.")
            raise InvalidInput({"paid": [text % {"paid": change.paid_currency[:16], "currency": order.currency}]})
        moved |= outside_facts.enter_paid(
            order=order, paid=change.paid, reference=change.paid_reference or change.external_id, actor=actor,
            key=f"{key}:paid",
        )  # fmt: skip
    if change.invoice is not None:
        moved |= outside_facts.enter_invoice(order=order, facts=change.invoice, actor=actor, key=f"{key}:invoice")
    if change.tracking is not None:
        moved |= outside_facts.enter_tracking(order=order, facts=change.tracking, actor=actor, key=f"{key}:tracking")
    return moved


def _weigh(
    row: OutsideChange, change: Change, export: Export, actor: Actor, moved: bool, insist: bool
) -> OutsideChange:
    """Their status: whether it is news, who wins if ours is news too, and which step it takes."""
    now = timezone.now()
    # In the order in which everybody locks: the order first, then its exports.
    lock_rows(OrderFulfillment._default_manager.filter(pk=export.fulfillment_id))
    export = lock_rows(Export._default_manager.filter(pk=export.pk))[0]
    before, heard = export.outside_state, export.outside_state_at
    if not insist and change.at and heard and change.at < heard and change.state != before:
        return _finish(row, OutsideChange.OUTDATED)
    fulfillment = OrderFulfillment._default_manager.select_related("order", "payment_method").get(
        pk=export.fulfillment_id
    )
    rules = connector_rules.rules_of(row.connector)
    ours = connector_rules.shown(row.connector, rules, fulfillment)
    both = bool(ours) and ours not in (before, change.state) and bool(before) and _moved_since(export)
    is_echo = change.state in (export.pushed_state, before)
    values: dict[str, Any] = {
        "outside_state": change.state[:100], "outside_label": change.label[:100],
        "outside_state_at": max(change.at or now, heard or change.at or now),
    }  # fmt: skip
    if change.state == export.pushed_state:
        # It comes back once: a person who moves it there again later means it.
        values["pushed_state"] = ""
    if change.state == ours:
        # Both sides say the same: what they do from here on is compared with this.
        values["base_version"] = fulfillment.version
    Export._default_manager.filter(pk=export.pk).update(**values)
    if is_echo and not moved and not insist:
        return _finish(row, OutsideChange.ECHO)
    rule = connector_rules.heard(row.connector, rules, change.state)
    if both and not insist and not _they_win(rule, change, fulfillment):
        # Our status counts: let them show it again.
        ask_for_state(export.connector, export.fulfillment_id, f"kept:{row.pk}:{now.timestamp():.3f}")
        return _finish(row, OutsideChange.KEPT)
    if rule is None:
        return _finish(row, OutsideChange.APPLIED if moved else OutsideChange.NOTHING)
    return _take_step(row, change, rule, fulfillment, ours, actor, moved)


def _moved_since(export: Export) -> bool:
    rows = StatusChange._default_manager.filter(
        fulfillment=export.fulfillment_id, sequence__gt=export.base_version, machine__in=_MOVING
    )
    return rows.exists()


def _they_win(rule: Rule | None, change: Change, fulfillment: OrderFulfillment) -> bool:
    wins = rule.wins if rule is not None else StatusRule.LATER
    if wins != StatusRule.LATER:
        return wins == StatusRule.THEIRS
    moves = StatusChange._default_manager.filter(fulfillment=fulfillment.pk, machine__in=_MOVING)
    last = moves.order_by("-sequence").values_list("created_at", flat=True).first()
    moment: datetime = change.at or timezone.now()
    return last is None or moment >= last


def _take_step(
    row: OutsideChange,
    change: Change,
    rule: Rule,
    fulfillment: OrderFulfillment,
    ours: str,
    actor: Actor,
    moved: bool,
) -> OutsideChange:
    known = connector_rules.steps()
    row.step = rule.step
    if rule.step not in known:
        return refuse(row, _("The step %(name)r does not exist any more.") % {"name": rule.step})
    recent = OutsideChange._default_manager.filter(
        connector=row.connector, fulfillment=fulfillment, status=OutsideChange.APPLIED,
        seen_at__gt=timezone.now() - timedelta(hours=1),
    ).exclude(step="")  # fmt: skip
    if recent.count() >= LOOP:
        return refuse(row, _("The two systems move each other in a circle. Look at the status rules."))
    words = change.label or change.state
    reason = _("“%(state)s” in %(system)s") % {"state": words, "system": row.connector}
    try:
        known[rule.step].run(
            order=fulfillment.order, actor=actor, reason=reason, key=f"{row.connector}:{change.key}"[:150] + ":step"
        )
    except TransitionNotAllowed as error:
        codes = {reason.code for reason in error.reasons}
        # Where the order has the step behind it, it can only agree if it shows the same.
        is_past = "final_state" in codes or fulfillment.shipping_status in known[rule.step].past
        if codes & {"already_done", "all_released"} or (is_past and ours in ("", change.state)):
            return _finish(row, OutsideChange.APPLIED if moved else OutsideChange.NOTHING)
        return refuse(row, str(error))
    export = order_export(row.connector, fulfillment.pk)
    if export is not None:
        version = OrderFulfillment._default_manager.values_list("version", flat=True).get(pk=fulfillment.pk)
        Export._default_manager.filter(pk=export.pk).update(base_version=version)
    return _finish(row, OutsideChange.APPLIED)


def refuse(row: OutsideChange, problem: str) -> OutsideChange:
    """The order does not allow it: kept, shown, and a person told."""
    if row.fulfillment_id:
        followups.open_followup(
            kind=followups.OUTSIDE_REFUSED, key=f"outside:{row.pk}:{int(timezone.now().timestamp())}",
            fulfillment_id=row.fulfillment_id, note=problem[:500],
            data={"connector": row.connector, "state": row.label or row.state},
        )  # fmt: skip
    return _finish(row, OutsideChange.REFUSED, problem=problem)


def _finish(row: OutsideChange, status: str, *, problem: str = "") -> OutsideChange:
    row.status, row.problem = status, problem
    row.save(update_fields=["status", "problem", "fulfillment", "step"])
    return row
