"""How often offers and vouchers were used: an edit of an order changes what it counts there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oscar.core.loading import get_model

from oscar_fulfillment.core.locks import lock_rows


@dataclass(frozen=True)
class Use:
    """What one order takes of one offer."""

    times: int = 0
    amount: Decimal = Decimal(0)
    orders: int = 0


def uses(rows: Iterable[Any]) -> dict[int, Use]:
    """Per offer pk, from rows of Oscar's ``OrderDiscount``."""
    found: dict[int, Use] = {}
    for row in rows:
        if row.offer_id:
            had = found.get(row.offer_id, Use())
            found[row.offer_id] = Use(had.times + (row.frequency or 0), had.amount + row.amount, 1)
    return found


def voucher_uses(rows: Iterable[Any]) -> dict[int, Decimal]:
    """What each voucher has taken off, per voucher pk."""
    found: dict[int, Decimal] = {}
    for row in rows:
        if row.voucher_id:
            found[row.voucher_id] = found.get(row.voucher_id, Decimal(0)) + row.amount
    return found


def recount(before: Iterable[Any], after: Iterable[Any]) -> None:
    """Bring the counters of offers and vouchers from one set of an order's discounts to another.

    Locks in the order in which an order is placed (vouchers, then offers as they are applied, and all of them before
    any stock), so that an edit and a checkout do not wait for each other. That a voucher was used stays as it is.
    """
    before, after = list(before), list(after)
    _recount_vouchers(voucher_uses(before), voucher_uses(after))
    old, new = uses(before), uses(after)
    changed = [pk for pk in {*old, *new} if old.get(pk, Use()) != new.get(pk, Use())]
    if not changed:
        return
    Offer = get_model("offer", "ConditionalOffer")
    for offer in Offer._default_manager.filter(pk__in=changed).order_by("-priority", "pk").select_for_update():
        was, now = old.get(offer.pk, Use()), new.get(offer.pk, Use())
        offer.num_applications = max(offer.num_applications + now.times - was.times, 0)
        offer.total_discount = max(offer.total_discount + now.amount - was.amount, Decimal(0))
        offer.num_orders = max(offer.num_orders + now.orders - was.orders, 0)
        offer.save()  # which also finds out whether it is used up, or no longer


def _recount_vouchers(old: dict[int, Decimal], new: dict[int, Decimal]) -> None:
    changed = [pk for pk in {*old, *new} if old.get(pk) != new.get(pk)]
    if not changed:
        return
    for voucher in lock_rows(get_model("voucher", "Voucher")._default_manager.filter(pk__in=changed)):
        voucher.total_discount = max(
            voucher.total_discount + new.get(voucher.pk, Decimal(0)) - old.get(voucher.pk, Decimal(0)), Decimal(0)
        )
        voucher.save()
