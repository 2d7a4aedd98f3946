"""Held payments near their end: a warning, and the charge by itself where the method says so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.locks import lock_rows
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move, Step
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import PaymentMethod, PaymentOperation, ProviderPayment
from oscar_fulfillment.models.payment import GATEWAY, TAKE
from oscar_fulfillment.selectors.given_up import needed

from . import followups, ledger
from .door import move
from .operations import request_capture

logger = logging.getLogger("oscar_fulfillment.payments")

HOLD_ENDS = Move("terms", "hold_ends", is_record=True)
#: No method warns earlier than this; bounds the look at the index.
_EARLIEST = timedelta(days=60)
#: Warned of so early where no method says.
WARNING_HOURS = 48
#: A hold that is to be charged before its end is charged so long before it.
CHARGE_BEFORE = timedelta(hours=6)


def watch_holds(limit: int = 200) -> int:
    """Warn of holds that end soon, and charge those whose method wants it; how many were dealt with.

    Only those with something to do are read: many that were warned of already do not hide the others.
    """
    now = timezone.now()
    ending = ProviderPayment._default_manager.filter(
        state=PaymentState.AUTHORIZED, hold_expires_at__gt=now, hold_expires_at__lte=now + _EARLIEST
    ).select_related("fulfillment__order", "payment_method")
    done = 0
    for payment in ending.filter(_due(now)).order_by("hold_expires_at")[:limit]:
        method = payment.payment_method
        left = payment.hold_expires_at - now  # type: ignore[operator]
        try:
            if method is not None and method.hold_end == TAKE and left <= CHARGE_BEFORE:
                done += _charge(payment)
            else:
                _warn(payment)
                done += 1
        except FulfillmentError as error:
            logger.warning("the hold of payment %s: %s", payment.reference, error)
        except Exception:
            logger.exception("the hold of payment %s could not be looked after", payment.reference)
    return done


def _due(now: datetime) -> Q:
    """Not warned of and near its end, or to be charged and not asked for by anybody yet."""
    asked = PaymentOperation._default_manager.filter(payment=OuterRef("pk"))
    found = Q(payment_method=None, hold_warned_at=None, hold_expires_at__lte=now + timedelta(hours=WARNING_HOURS))
    for method in PaymentMethod._default_manager.filter(kind=GATEWAY):
        charges = Q(hold_expires_at__lte=now + CHARGE_BEFORE) if method.hold_end == TAKE else Q(pk__in=())
        warns = Q(hold_warned_at=None, hold_expires_at__lte=now + timedelta(hours=method.hold_warning_hours))
        found |= Q(payment_method=method) & ((charges & ~Exists(asked)) | (warns & ~charges))
    return found


def _charge(payment: ProviderPayment) -> int:
    """What the order costs, or all that is held: the rest of a hold that ends is lost."""
    order = payment.fulfillment.order
    request_capture(
        order=order, payment=payment.pk, actor=Actor.system("holds"),
        amount=min(needed(payment.fulfillment) - ledger.totals(order.pk).net, payment.held),
        reason=str(_("The hold was about to end.")), key=f"hold-end-{payment.pk}",
    )  # fmt: skip
    return 1


def _warn(payment: ProviderPayment) -> None:
    def effect(steps: Sequence[Step]) -> None:
        rows = lock_rows(ProviderPayment._default_manager.filter(pk=payment.pk, hold_warned_at=None))
        for step in steps:
            if not rows:
                step.refuse(Reason("already_done", _("This has been done already.")))
                continue
            ProviderPayment._default_manager.filter(pk=payment.pk).update(hold_warned_at=step.now)
            followups.open_followup(
                kind=followups.HOLD_ENDS, key=f"hold:{payment.pk}", fulfillment_id=payment.fulfillment_id,
                due_at=payment.hold_expires_at,
                data={"amount": payment.held, "currency": payment.currency, "provider": payment.provider},
            )  # fmt: skip

    data = {"held_until": payment.hold_expires_at.isoformat() if payment.hold_expires_at else ""}
    move(
        payment.fulfillment.order, HOLD_ENDS, actor=Actor.system("holds"), data=data, effect=effect,
        key=f"hold-warning-{payment.pk}", lock=True,
    )  # fmt: skip
