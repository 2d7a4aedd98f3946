"""Notes of different orders entered in one transaction: what one note costs in statements, fifty cost together."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction

from oscar_fulfillment.core.actors import USER
from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput
from oscar_fulfillment.core.locks import lock_names
from oscar_fulfillment.core.text import clean_text
from oscar_fulfillment.core.transitions import Told
from oscar_fulfillment.models import Invoice
from oscar_fulfillment.models.invoice import NFE
from oscar_fulfillment.permissions import user_may

from . import invoicing
from .door import move_many
from .nfe_judging import Judged, cancelled_keys, order_of
from .nfe_results import AppliedMeanwhile, actor_of, evidence_of, key_of, write_results

logger = logging.getLogger("oscar_fulfillment.nfe")


def apply_together(judged: Sequence[Judged]) -> list[Judged]:
    """Enter those of these files that have nothing to do with each other at once; the others, to be applied one by one.

    Files that the door refuses are among the others, and all of them where anything goes wrong: nothing is done then,
    and one by one each comes to its own result. DatabaseError but IntegrityError is the caller's.
    """
    done: set[int] = set()
    for group in _groups(judged):
        try:
            with transaction.atomic():
                entered = _enter(group)
        except (FulfillmentError, IntegrityError, AppliedMeanwhile):
            continue
        except DatabaseError:
            raise
        except Exception:
            # Whose it is shows when they are applied one by one.
            logger.warning("%d fiscal notes could not be applied together", len(group), exc_info=True)
            continue
        done |= entered
    return [one for one in judged if one.file.pk not in done]


def _groups(judged: Sequence[Judged]) -> list[list[Judged]]:
    """Plain notes, each the only file here of its order and of its key, by who applies them."""
    orders = Counter(order.pk for one in judged if (order := order_of(one)) is not None)
    keys = Counter(one.key for one in judged)
    found: dict[Any, list[Judged]] = defaultdict(list)
    for one in judged:
        if _is_plain(one) and one.order is not None and orders[one.order.fulfillment.pk] == keys[one.key] == 1:
            file = one.file
            found[file.decided_by_kind, file.decided_by_label, file.decided_by_id].append(one)
    return [group for group in found.values() if len(group) > 1]


def _is_plain(one: Judged) -> bool:
    """Whether it is a note to be entered for whole shipments. One for some of the goods splits a shipment, which is
    written before the door has said yes to all of it."""
    is_new = one.note is not None and one.invoice is None and not one.is_cancelling
    return is_new and one.is_applicable and one.cover is not None and one.cover.units is None


def _enter(group: Sequence[Judged]) -> set[int]:
    """The files (ids) that were entered; in the caller's transaction."""
    actor = actor_of(group[0].file)
    if actor.kind == USER and not user_may(actor.user, "invoice"):
        return set()
    # Before the orders, as for a single one: a cancellation that is filed at the same moment comes before or after.
    lock_names(f"nfe:{one.key}" for one in group)
    gone = cancelled_keys({one.key for one in group})
    told = {one.order.fulfillment.pk: (one, _tell(one)) for one in group if one.order and one.key not in gone}
    each = {pk: more for pk, (_one, more) in told.items() if more is not None}
    steps = move_many(each, invoicing.INVOICE, actor=actor, effect=invoicing.invoice_effect, each=each)
    done = [
        (told[step.subject.pk][0], Invoice(pk=step.change.data["invoice"], fulfillment_id=step.subject.pk))
        for step in steps
        if step.change
    ]
    write_results(done)
    return {one.file.pk for one, _invoice in done}


def _tell(one: Judged) -> Told | None:
    """What the door is told of it; None for a key that it would not take."""
    try:
        typed = invoicing.read_invoice(kind=NFE, access_key=one.key)
    except InvalidInput:
        return None
    order, cover = one.order, one.cover
    assert order is not None
    return Told(
        key=key_of(one.file),
        reason=clean_text("reason", one.file.reason),
        data=evidence_of(one),
        context={"invoice": typed, "shipments": (cover.shipments if cover else None) or None, "units": None},
        expected_version=order.fulfillment.version,
    )
