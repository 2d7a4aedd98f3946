"""The clock of unpaid orders: reminders, the call on the last day of a reservation, the cancellation.

Set from the method's policy when the order is placed. Nothing is cancelled before the provider was asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, TransitionNotAllowed
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.models import FollowUp, OrderFulfillment, PaymentMethod, PaymentTerms, StatusChange

from . import followups, messages, money
from .door import move

logger = logging.getLogger("oscar_fulfillment.payments")

REMIND = Move("terms", "remind", is_record=True)
EXTEND = Move("terms", "extend_reservation", is_record=True)
LAST_DAY = Move("terms", "reservation_ends", is_record=True)
CANNOT_CANCEL = Move("terms", "cannot_cancel", is_record=True)

#: The longest a reservation is extended at once, in days.
MAX_EXTENSION = 365
#: So long may a cancellation be late, because a provider cannot be asked, before a person is told.
STUCK = timedelta(days=1)


def terms_for(method: PaymentMethod | None, placed_at: datetime) -> dict[str, Any]:
    """The moments of a method's policy for an order placed then; empty when the policy has none."""
    if method is None:
        return {}

    def after(days: int | None) -> datetime | None:
        return placed_at + timedelta(days=days) if days else None

    due, remind = after(method.due_days), after(method.reminder_days)
    # Customers are told a day, so the whole day is theirs.
    reserved, cancel = end_of_day(after(method.reservation_days)), end_of_day(after(method.cancel_days))
    if due is not None and remind is None and method.ships_before_payment:
        remind = due + timedelta(days=1)
    if reserved is not None and cancel is None:
        cancel = reserved
    found = {
        "due_at": due, "reserved_until": reserved, "remind_at": remind, "cancel_at": cancel,
        "call_at": reserved - timedelta(days=1) if reserved else None,
    }  # fmt: skip
    return {name: at for name, at in found.items() if at}


def end_of_day(moment: datetime | None) -> datetime | None:
    """The last second of the local day of a moment."""
    if moment is None or timezone.is_naive(moment):
        return moment and moment.replace(hour=23, minute=59, second=59, microsecond=0)
    return timezone.localtime(moment).replace(hour=23, minute=59, second=59, microsecond=0)


def build_terms(fulfillment: OrderFulfillment) -> PaymentTerms | None:
    """The terms of a new order, unsaved; None when its method has no clock, or there is nothing to pay."""
    if fulfillment.payment_status != "awaiting_payment":
        return None
    found = terms_for(fulfillment.payment_method, fulfillment.placed_at)
    if not found:
        return None
    terms = PaymentTerms(fulfillment=fulfillment, **found)
    terms.set_next()
    return terms


def set_terms(fulfillment: OrderFulfillment, **moments: datetime | None) -> None:
    """Change moments of an order's clock, in the caller's transaction, which holds the fulfillment row."""
    terms = PaymentTerms._default_manager.filter(pk=fulfillment.pk).first() or PaymentTerms(fulfillment=fulfillment)
    for name, at in moments.items():
        setattr(terms, name, at)
    terms.set_next()
    terms.save()


def start_anew(fulfillment: OrderFulfillment, now: datetime) -> None:
    """The clock of a restored order, in the caller's transaction: as of one that was placed now."""
    if moments := terms_for(fulfillment.payment_method, now):
        set_terms(fulfillment, **moments)
        PaymentTerms._default_manager.filter(pk=fulfillment.pk).update(reminders=0)


def cancels_at(fulfillment: OrderFulfillment) -> datetime | None:
    """When an unpaid order is cancelled by itself, as agreed up to now."""
    return PaymentTerms._default_manager.filter(pk=fulfillment.pk).values_list("cancel_at", flat=True).first()


def extend_reservation(
    *, order: Any, actor: Actor, until: datetime, reason: str, expected_version: int | None = None, key: str = ""
) -> StatusChange:
    """Keep the goods for the customer until a date that was agreed; a reason is required."""
    reason = clean_text("reason", reason, required=True)
    now = timezone.now()
    if not now < until <= now + timedelta(days=MAX_EXTENSION):
        raise InvalidInput({"until": [_("Choose a day in the future, at most a year from now.")]})

    def effect(steps: Sequence[Step]) -> None:
        for step in steps:
            terms = PaymentTerms._default_manager.filter(pk=step.subject.pk).first()
            if terms is None or not terms.reserved_until:
                step.refuse(Reason("no_reservation", _("This order has no reservation that ends.")))
            elif step.subject.payment_status != "awaiting_payment":
                step.refuse(Reason("not_waiting", _("This order does not wait for its money.")))
            elif until <= terms.reserved_until:
                raise InvalidInput({"until": [_("The goods are reserved for longer than that already.")]})
            else:
                step.data["before"] = terms.reserved_until.isoformat()
                terms.extensions += 1
                terms.reserved_until = until
                terms.cancel_at = max(until, terms.cancel_at or until)
                terms.call_at = max(until - timedelta(days=1), step.now)
                terms.set_next()
                terms.save()
                followups.close_for_orders(
                    [step.subject.pk], (followups.RESERVATION_ENDS,), "extended", step.actor.label
                )

    return move(
        order, EXTEND, actor=actor, reason=reason, data={"until": until.isoformat()}, effect=effect,
        expected_version=expected_version, key=key, lock=True,
    )  # fmt: skip


def run_due(limit: int = 200, budget: float | None = None) -> int:
    """Deal with every moment that has come; how many orders. Each is once, whoever runs it how often.

    ``budget``: seconds after which no other order is begun, as providers are asked on the way.
    """
    deadline = time.monotonic() + (settings.DRAIN_BUDGET if budget is None else budget)
    due = PaymentTerms._default_manager.filter(next_at__lte=timezone.now())
    done = 0
    for terms in due.select_related("fulfillment__order", "fulfillment__payment_method").order_by("next_at")[:limit]:
        if time.monotonic() >= deadline:
            break
        try:
            _run(terms)
            done += 1
        except FulfillmentError as error:
            logger.warning("the terms of order %s could not be kept: %s", terms.pk, error)
            _later(terms, str(error))
        except Exception as error:
            logger.exception("the terms of order %s could not be kept", terms.pk)
            _later(terms, type(error).__name__)
    return done


def _later(terms: PaymentTerms, why: str) -> None:
    """Try this one again in a while, and let the others have their turn. What does not end is for a person."""
    if terms.cancel_at and terms.cancel_at < timezone.now() - STUCK:
        followups.open_followup(
            kind=followups.PAYMENT_LOST, key=f"stuck:{terms.pk}:{terms.cancel_at.isoformat()}",
            fulfillment_id=terms.pk, data={"why": why},
        )  # fmt: skip
    PaymentTerms._default_manager.filter(pk=terms.pk, next_at=terms.next_at).update(
        next_at=timezone.now() + timedelta(minutes=15)
    )


def _run(terms: PaymentTerms) -> None:
    now, fulfillment = timezone.now(), terms.fulfillment
    if fulfillment.payment_status != "awaiting_payment" or fulfillment.shipping_status == "returned":
        money.end_terms(terms.pk)
    elif terms.cancel_at and terms.cancel_at <= now:
        _cancel(terms)
    elif terms.call_at and terms.call_at <= now:
        _moment(terms, "call_at", LAST_DAY, _ask_to_call)
    elif terms.remind_at and terms.remind_at <= now:
        _moment(terms, "remind_at", REMIND, _remind)


def _cancel(terms: PaymentTerms) -> None:
    from .unpaid import cancel_unpaid

    def give_up(step: Step, locked: PaymentTerms) -> None:
        step.data["why"] = why
        followups.open_followup(
            kind=followups.PAYMENT_LOST, key=f"unpaid:{terms.pk}:{at.isoformat()}", fulfillment_id=terms.pk,
            data={"why": why},
        )  # fmt: skip

    at = cast(datetime, terms.cancel_at)
    try:
        cancel_unpaid(order=terms.fulfillment.order, due=at)
    except TransitionNotAllowed as error:
        # Asking again every quarter of an hour changes nothing: a person decides.
        why = str(error)
        _moment(terms, "cancel_at", CANNOT_CANCEL, give_up)


def _moment(terms: PaymentTerms, column: str, record: Move, act: Any) -> None:
    """Do what a moment asks for in one step, which also empties the column: a second run finds nothing."""
    at = getattr(terms, column)

    def effect(steps: Sequence[Step]) -> None:
        rows = lock_rows(PaymentTerms._default_manager.filter(pk=terms.pk, **{column: at}))
        for step in steps:
            if not rows or step.subject.payment_status != "awaiting_payment":
                step.refuse(Reason("already_done", _("This has been done already.")))
                continue
            setattr(rows[0], column, None)
            act(step, rows[0])
            rows[0].set_next()
            rows[0].save()

    move(
        terms.fulfillment.order, record, actor=Actor.system("terms"), effect=effect,
        key=f"{column}-{at.isoformat()}", lock=True,
    )  # fmt: skip


def _remind(step: Step, terms: PaymentTerms) -> None:
    """One reminder; an overdue invoice gets some more, and then a person is asked to call."""
    terms.reminders += 1
    messages.mail(step, messages.PAYMENT_REMINDER, number=terms.reminders)
    step.data["number"] = terms.reminders
    if terms.due_at is None:
        return
    if terms.due_at > step.now:
        # Reminded before the day; after it, it is dunned like any other.
        terms.remind_at = terms.due_at + timedelta(days=1) if step.subject.ships_before_payment else None
        return
    if terms.reminders < settings.DUNNING_REMINDERS:
        terms.remind_at = step.now + timedelta(days=settings.DUNNING_DAYS)
    else:
        followups.open_followup(
            kind=followups.OVERDUE, key=f"overdue:{step.subject.pk}:{terms.reminders}",
            fulfillment_id=step.subject.pk, data={"due": terms.due_at.date()},
        )  # fmt: skip


def _ask_to_call(step: Step, terms: PaymentTerms) -> None:
    if FollowUp._default_manager.filter(
        fulfillment=step.subject, kind=followups.RESERVATION_ENDS, closed_at=None
    ).exists():
        return
    followups.open_followup(
        kind=followups.RESERVATION_ENDS,
        # Not the day: a restored order may have the same last day again.
        key=f"reservation:{step.subject.pk}:{step.subject.version}",
        fulfillment_id=step.subject.pk,
        due_at=terms.reserved_until,
        data={"until": terms.reserved_until.isoformat() if terms.reserved_until else ""},
    )
