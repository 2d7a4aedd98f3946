"""The order's side of the one door: its machines, Oscar's status as a projection, vetoes and signals."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oscar.apps.order.signals import order_status_changed
from oscar.core.loading import get_model

from oscar_fulfillment import signals
from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.commit import after_commit
from oscar_fulfillment.core.rows import Change, Row
from oscar_fulfillment.core.transitions import Aggregate, Effect, Move, Step, apply, apply_many
from oscar_fulfillment.models import OrderFulfillment, StatusChange

from . import api_systems, connector_events, webhook_events

logger = logging.getLogger("oscar_fulfillment")

#: Machines of rows that record something beside the statuses.
RECORDS = frozenset({"note", "document", "message", "followup", "pickup"})
#: Columns of the fulfillment row beside the statuses that Oscar's status depends on.
POLICY = frozenset({"awaits_payout", "completes_unpaid"})


def _follow(steps: Sequence[Step]) -> None:
    """What every step is followed by: Oscar's status, the webhooks that tell of it, and the systems beside the shop."""
    _project_statuses(steps)
    webhook_events.add_messages(steps)
    connector_events.add_messages(steps)


def _project_statuses(steps: Sequence[Step]) -> None:
    """Oscar's ``Order.status`` follows ours, with its history row and its signal, for the other plugins."""
    Order = get_model("order", "Order")
    OrderStatusChange = get_model("order", "OrderStatusChange")
    statuses = _oscar_statuses(Order, steps)
    cascading: dict[str, list[Any]] = defaultdict(list)
    for step in steps:
        if not step.targets and not POLICY.intersection(step.fields):
            continue
        order, old = step.subject.order, statuses[step.subject.pk]
        new = _project(step.subject, step.new_state("payment"), step.new_state("shipping"), step.fields)
        if new == old:
            order.status = old
            continue
        step.updates.append(Change(order, {"status": new}))
        step.rows.append(Row(OrderStatusChange, {"order_id": order.pk, "old_status": old, "new_status": new}))
        after_commit(_tell_oscar, order, old, new)
        if new in Order.cascade:
            cascading[new].append(order)
    for status, orders in cascading.items():
        _cascade(Order, orders, status)


def _project(
    fulfillment: OrderFulfillment, payment: str, shipping: str, fields: Mapping[str, Any] | None = None
) -> str:
    """Oscar's status for these two; ``fields`` are columns the step is about to write."""
    money = fulfillment.money_is_in(payment, fields or {})
    return settings.ORDER_STATUS[fulfillment.flow_definition.project(payment, shipping, money_is_in=money)]


def _oscar_statuses(Order: Any, steps: Sequence[Step]) -> dict[int, str]:
    """What Oscar's status of each order is now.

    The lock is on our row only, and the order may be the caller's own object, read a while ago: where it is not what
    our statuses say, ask again.
    """
    found = {step.subject.pk: step.subject.order.status for step in steps}
    doubtful = [
        step.subject.pk
        for step in steps
        if found[step.subject.pk] != _project(step.subject, step.state("payment"), step.state("shipping"))
    ]
    if doubtful:
        found |= dict(Order._default_manager.filter(pk__in=doubtful).values_list("pk", "status"))
    return found


def _cascade(Order: Any, orders: Sequence[Any], status: str) -> None:
    """Oscar's OSCAR_ORDER_STATUS_CASCADE, set-based: lines whose pipeline admits the new status get it."""
    line_status = Order.cascade[status]
    Line = get_model("order", "Line")
    admitting = [name for name, following in Line.pipeline.items() if line_status in following]
    Line._default_manager.filter(order__in=orders, status__in=admitting).update(status=line_status)


def _tell_oscar(order: Any, old: str, new: str) -> None:
    for receiver, result in order_status_changed.send_robust(sender=order, order=order, old_status=old, new_status=new):
        _log_failure("order_status_changed", receiver, result)


def _log_failure(signal: str, receiver: Any, result: Any) -> None:
    if isinstance(result, Exception):
        logger.error("%s: receiver %r failed", signal, receiver, exc_info=result)


def _veto(step: Step) -> None:
    actions = tuple((move.machine, move.action) for move in step.moves)
    signals.validate_transition.send(sender=OrderFulfillment, step=step, order=step.subject.order, actions=actions)


def _announce(step: Step) -> None:
    common = {
        "order": step.subject.order,
        "fulfillment": step.subject,
        "actor": step.actor,
        **step.context.get("announce", {}),
    }
    for change in step.changes:
        if signal := signals.BY_ACTION.get(change.action):
            _send(signal, change.action, change=change, **common)
    if any(change.to_status for change in step.changes):
        _send(signals.status_changed, "status_changed", change=step.change, changes=step.changes, **common)


def _send(signal: Any, name: str, **kwargs: Any) -> None:
    for receiver, result in signal.send_robust(sender=OrderFulfillment, **kwargs):
        _log_failure(name, receiver, result)


ORDERS = Aggregate(
    model=OrderFulfillment,
    history=StatusChange,
    machines=lambda fulfillment: fulfillment.flow_definition.machines,
    select_related=("order", "payment_method"),
    harmless=RECORDS,
    follow=_follow,
    veto=_veto,
    announce=_announce,
)


def move(
    order: Any, *moves: Move, actor: Actor, effect: Effect | None = None, held: bool = False, **options: Any
) -> StatusChange:
    """Move one order through the door; returns its history row. See :func:`core.transitions.apply`.

    ``held``: the caller holds the lock of the fulfillment row in this transaction, and ``order.fulfillment`` is that
    row as it is now: it is not read again.
    """
    _prime()
    lock = options.pop("lock", False) or any(_locks(m) for m in moves)
    if held:
        lock, seen = False, order.fulfillment
        seen._state.fields_cache["order"] = order
    else:
        seen = _seen(order, options.get("expected_version"))
    step = apply(ORDERS, order.pk, *moves, actor=actor, effect=effect, lock=lock, subject=seen, **options)
    _refresh(order, step.subject)
    return step.change


def _prime() -> None:
    """Read who is to be told, where that is due: before the transaction."""
    webhook_events.subscribers.prime()
    api_systems.systems.prime()


def _seen(order: Any, expected_version: int | None) -> OrderFulfillment | None:
    """The row that the caller's order holds, if it is the very version that the step is asked for."""
    found = order._state.fields_cache.get("fulfillment")
    if found is None or found.version != expected_version or found.get_deferred_fields():
        return None
    found._state.fields_cache["order"] = order
    return found


def move_many(
    order_ids: Iterable[int], *moves: Move, actor: Actor, effect: Effect | None = None, **options: Any
) -> list[Step]:
    """Move a batch of orders; every step tells its own outcome. See :func:`core.transitions.apply_many`."""
    _prime()
    return apply_many(ORDERS, order_ids, *moves, actor=actor, effect=effect, **options)


def _locks(move_: Move) -> bool:
    """Lock first when the step touches stock or money in any flow (the flow is not known before the read)."""
    from oscar_fulfillment.flows import flows

    if move_.is_record:
        return False
    found = (flow.machines[move_.machine].transitions.get(move_.action) for flow in flows().values())
    return any(transition.locks for transition in found if transition)


def _refresh(order: Any, fulfillment: OrderFulfillment) -> None:
    """Show the caller's object what was written, so that a page rendered next is right."""
    order.status = fulfillment.order.status
    order._state.fields_cache["fulfillment"] = fulfillment
