"""Drafts of orders: kept while somebody prepares a change, so that nothing of it is lost."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from oscar_fulfillment.core.actors import USER, Actor
from oscar_fulfillment.models import OrderDraft, OrderFulfillment

from .edit_wanted import Wanted


def open_draft(order: Any, user: Any) -> OrderDraft | None:
    """This person's draft of this order."""
    return OrderDraft._default_manager.filter(fulfillment=order.pk, author=user, status=OrderDraft.OPEN).first()


def drafts_of(order: Any, user: Any) -> tuple[OrderDraft | None, OrderDraft | None]:
    """This person's open draft, and the newest edit that was not taken back; one query for both."""
    mine, applied = Q(author=user, status=OrderDraft.OPEN), Q(status=OrderDraft.APPLIED)
    rows = list(OrderDraft._default_manager.filter(mine | applied, fulfillment=order.pk).order_by("-applied_version"))
    return (
        next((row for row in rows if row.status == OrderDraft.OPEN), None),
        next((row for row in rows if row.status == OrderDraft.APPLIED), None),
    )


def others_drafts(order: Any, user: Any) -> list[OrderDraft]:
    """The open drafts of other people."""
    rows = OrderDraft._default_manager.filter(fulfillment=order.pk, status=OrderDraft.OPEN)
    return list(rows.exclude(author=user).order_by("-updated_at")[:5])


def save_draft(*, order: Any, actor: Actor, wanted: Wanted, base_version: int) -> OrderDraft:
    """Keep what this person has prepared so far; it changes nothing of the order, and has no history of its own.

    :class:`~oscar_fulfillment.core.exceptions.InvalidInput` for what no order may hold.
    """
    wanted.check()
    now = timezone.now()
    values = {"wanted": wanted.to_json(), "base_version": base_version, "updated_at": now}
    mine = OrderDraft._default_manager.filter(fulfillment=order.pk, author=actor.user, status=OrderDraft.OPEN)
    if not mine.update(**values):
        try:
            with transaction.atomic():
                OrderDraft._default_manager.create(
                    fulfillment_id=order.pk, author=actor.user, author_label=actor.label, created_at=now, **values
                )
        except IntegrityError:
            mine.update(**values)  # two requests of one person: the later one counts
    return mine.get()


def discard_draft(*, order: Any, actor: Actor) -> bool:
    """Throw this person's draft away; whether there was one."""
    mine = OrderDraft._default_manager.filter(fulfillment=order.pk, author=actor.user, status=OrderDraft.OPEN)
    return bool(mine.update(status=OrderDraft.DISCARDED, updated_at=timezone.now()))


def take_draft(fulfillment: OrderFulfillment, actor: Actor, wanted: Wanted, version: int) -> OrderDraft:
    """The draft that is being applied, in the step's transaction: this person's open one, else a new one."""
    now = timezone.now()
    draft = None
    if actor.kind == USER and actor.user is not None:
        draft = OrderDraft._default_manager.select_for_update().filter(
            fulfillment=fulfillment, author=actor.user, status=OrderDraft.OPEN
        ).first()  # fmt: skip
    if draft is None:
        draft = OrderDraft(fulfillment=fulfillment, author=actor.user, author_label=actor.label, created_at=now)
    draft.wanted, draft.status, draft.base_version = wanted.to_json(), OrderDraft.APPLIED, version
    draft.applied_at = draft.updated_at = now
    draft.applied_version = version + 1
    return draft


def last_applied(order_id: int) -> OrderDraft | None:
    """The newest edit that was not taken back."""
    rows = OrderDraft._default_manager.filter(fulfillment=order_id, status=OrderDraft.APPLIED)
    return rows.order_by("-applied_version").first()
