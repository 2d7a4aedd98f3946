"""What systems beside the shop are to be told of a step: rows of the outbox, written with it. No query.

The message only says that there is something to tell; what is sent is read when it is sent. The row of the export
ledger is made by the message's handler, so that a step stays the one statement it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.base import MOMENTS, ORDER, PAYMENT, STATE
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.models.connector import LANE

#: What of a step's history data goes along: sums and references, which the receiver cannot read from the order.
_FACTS = ("amount", "currency", "reference", "source")


def lane(alias: str) -> str:
    """The outbox destination of a connector: one that is down delays no other."""
    return f"{LANE}{alias}"


def add_messages(steps: Sequence[Step]) -> None:
    """Put what connectors are to be told into the steps' messages; called when their moves are final."""
    aliases = list(connectors)
    for step in steps if aliases else ():
        for alias in aliases:
            step.messages += _messages(step, alias)


def ask_for_state(alias: str, order_id: int, why: str) -> None:
    """Let a system be shown an order's status though no step asks for it. ``why`` makes the message the only one."""
    payload = {"order": order_id, "kind": STATE, "about": "", "sequence": 0}
    outbox.enqueue([OutboxMessage(lane(alias), STATE, f"{order_id}:{why}", payload, order_id=order_id)])


def _messages(step: Step, alias: str) -> list[OutboxMessage]:
    connector, subject = connectors.get(alias), step.subject
    if not connector.concerns(subject.flow, subject.currency):
        return []
    found: dict[tuple[str, str], OutboxMessage] = {}
    first = subject.version + 1
    method = subject.payment_method.code if subject.payment_method else ""
    asked = any(move.action == MOMENTS[connector.order_at] for move in step.moves)
    # What it told us of itself is no news to it: money, and a change of the order.
    told = set()
    if step.actor == Actor.provider(alias):
        told = {PAYMENT} if asked else {PAYMENT, ORDER}
    for position, move in enumerate(step.moves):
        for kind in connector.kinds_for(move.action, moves=not move.is_record):
            if kind in told or not connector.wants(kind, method):
                continue
            # An order and its status are one each; a payment is one of several.
            about = "" if kind in (ORDER, STATE) else str(first + position)
            payload = {"order": subject.pk, "kind": kind, "about": about, "sequence": first + position}
            if about:
                payload["facts"] = _facts(step)
            if kind == ORDER and not asked:
                # The order changed: that concerns only those who were to have it before.
                payload["again"] = True
            found[kind, about] = OutboxMessage(
                lane(alias), kind, f"{subject.pk}:{first + position}", payload, order_id=subject.pk
            )
    return list(found.values())


def _facts(step: Step) -> dict[str, str]:
    facts: dict[str, Any] = {name: step.data[name] for name in _FACTS if name in step.data}
    facts |= {name: value for name, value in step.context.get("announce", {}).items() if isinstance(value, Decimal)}
    return {name: str(value) for name, value in facts.items()} | ({"reason": step.reason} if step.reason else {})
