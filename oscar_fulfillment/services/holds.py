"""Holds: reasons why an order must wait, each with its own end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import Hold, StatusChange

from .door import logger, move

HOLD_REASONS = {
    "customer_asked": gettext_lazy("The customer asked to wait"),
    "address": gettext_lazy("The address must be checked"),
    "fraud": gettext_lazy("Risk of fraud"),
    "goods": gettext_lazy("Goods are missing"),
    "payment": gettext_lazy("A question about the payment"),
    "other": gettext_lazy("Another reason"),
}

PLACE = Move("hold", "place_hold", is_record=True)
RELEASE = Move("hold", "release_hold", is_record=True)
EXPIRE = Move("hold", "expire_hold", is_record=True)


def place_hold(
    *,
    order: Any,
    actor: Actor,
    code: str,
    note: str = "",
    expires_at: datetime | None = None,
    expected_version: int | None = None,
    key: str = "",
) -> StatusChange:
    """Make the order wait. ``code`` is one of HOLD_REASONS; with ``expires_at`` (in the future) it ends by itself."""
    note = clean_text("note", note)
    if code not in HOLD_REASONS:
        raise InvalidInput({"code": [_("Choose a reason for the hold.")]})
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput({"expires_at": [_("The end of the hold must be in the future.")]})

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            if step.subject.shipping_status in ("dispatched", "delivered", "returned", "cancelled"):
                step.refuse(Reason("too_late", _("The order has left already, or will not go out.")))
                continue
            if Hold._default_manager.filter(fulfillment=step.subject, code=code, released_at=None).exists():
                step.refuse(Reason("held_already", _("The order is on hold for this reason already.")))
                continue
            Hold._default_manager.create(
                fulfillment=step.subject,
                code=code,
                note=note,
                placed_at=step.now,
                placed_by=step.actor.user if step.actor.kind == USER else None,
                placed_by_label=step.actor.label,
                expires_at=expires_at,
            )
            step.fields["hold_count"] = step.subject.hold_count + 1

    data = {"code": code, **({"expires_at": expires_at.isoformat()} if expires_at else {})}
    return move(
        order, PLACE, actor=actor, reason=note, data=data, effect=effect, expected_version=expected_version, key=key,
        lock=True,
    )  # fmt: skip


def release_hold(
    *,
    order: Any,
    actor: Actor,
    hold: int,
    note: str = "",
    expected_version: int | None = None,
    key: str = "",
    expired: bool = False,
) -> StatusChange:
    """End one hold (its id). The order goes on once no hold is open."""
    note = clean_text("note", note)

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            found = Hold._default_manager.filter(pk=hold, fulfillment=step.subject, released_at=None)
            held = found.first()
            if held is None:
                step.refuse(Reason("not_held", _("This hold was released already.")))
                continue
            found.update(released_at=step.now, released_by_label=step.actor.label, release_note=note)
            step.data["code"] = held.code
            step.fields["hold_count"] = max(step.subject.hold_count - 1, 0)

    return move(
        order,
        EXPIRE if expired else RELEASE,
        actor=actor,
        reason=note,
        effect=effect,
        expected_version=expected_version,
        key=key,
        lock=True,
    )


def expire_holds(now: datetime | None = None) -> int:
    """End the holds whose time is over; the number of them. Run by a schedule, safe to run twice."""
    due = Hold._default_manager.filter(released_at=None, expires_at__lte=now or timezone.now())
    done = 0
    for hold in due.select_related("fulfillment__order").order_by("expires_at")[:500]:
        try:
            release_hold(
                order=hold.fulfillment.order, actor=Actor.system("holds"), hold=hold.pk, key=f"hold-{hold.pk}-ends",
                expired=True,
            )  # fmt: skip
            done += 1
        except Exception as error:
            # One order that refuses must not keep the others waiting; it is tried again at the next run.
            logger.warning("hold %s of order %s did not end: %s", hold.pk, hold.fulfillment.number, error)
    return done
