"""How many units of an order can still come back, and what those that came are worth. Reads and pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oscar_fulfillment.conf import settings
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.models import Return, ReturnLine, ShipmentLine
from oscar_fulfillment.models.returns import APPROVED, REFUND, REQUESTED, SETTLED
from oscar_fulfillment.models.shipment import DELIVERED, DISPATCHED, RETURNED

GONE = (DISPATCHED, DELIVERED, RETURNED)
#: Statuses of a return whose units are asked for and not here yet.
ON_THE_WAY = (REQUESTED, APPROVED)


@dataclass
class Balance:
    """Units of one order line: ``sent`` (replacements too), ``returned``, and ``announced`` in returns whose goods are
    not here yet. ``in_time`` are those that a customer may still send back by the setting RETURN_DAYS."""

    sent: int = 0
    returned: int = 0
    announced: int = 0
    in_time: int = 0

    @property
    def returnable(self) -> int:
        """What can be put into a new return."""
        return max(self.sent - self.returned - self.announced, 0)

    @property
    def askable(self) -> int:
        """What the customer can ask for."""
        return min(self.returnable, self.in_time)


def balances(order_id: int, *, now: datetime | None = None) -> dict[int, Balance]:
    """The balance of each order line (by pk) of which something was sent. Two queries."""
    now = now or timezone.now()
    found: dict[int, Balance] = {}
    sent = ShipmentLine._default_manager.filter(shipment__fulfillment=order_id, shipment__status__in=GONE)
    for pk, quantity, returned, delivered_at in sent.values_list(
        "line_id", "quantity", "returned", "shipment__delivered_at"
    ):
        balance = found.setdefault(pk, Balance())
        balance.sent += quantity
        balance.returned += returned
        if is_in_time(delivered_at, now):
            balance.in_time += quantity - returned
    if found:
        for pk, quantity in ReturnLine._default_manager.filter(
            of__fulfillment=order_id, of__status__in=ON_THE_WAY
        ).values_list("line_id", "quantity"):
            found.setdefault(pk, Balance()).announced += quantity
    return found


def is_in_time(delivered_at: datetime | None, now: datetime) -> bool:
    """Whether a customer may still ask: to the end of the last day; also before the goods have arrived."""
    days = settings.RETURN_DAYS
    if days is None:
        return True
    if not days:
        return False
    return delivered_at is None or timezone.localdate(now) <= timezone.localdate(delivered_at) + timedelta(days=days)


@dataclass(frozen=True)
class Offer:
    """What a customer may send back: (order line, units at most); or why nothing."""

    lines: list[tuple[Any, int]]
    reason: Reason | None = None


def offer_to_customer(order: Any, found: Mapping[int, Balance] | None = None) -> Offer:
    """What the customer of this order may ask to send back now."""
    found = balances(order.pk) if found is None else found
    if not any(balance.sent for balance in found.values()):
        return Offer([], Reason("nothing_sent", _("Nothing of this order has been sent yet.")))
    lines = [(line, found[line.pk].askable) for line in order.lines.all() if line.pk in found]
    lines = [(line, most) for line, most in lines if most]
    if lines:
        return Offer(lines)
    if not any(balance.returnable for balance in found.values()):
        return Offer([], Reason("all_back", _("All goods of this order are in a return already.")))
    return Offer([], too_late())


def too_late() -> Reason:
    """Why a customer can no longer ask."""
    days = settings.RETURN_DAYS or 0
    if not days:
        return Reason("ask_us", _("Please write to us if you want to send something back."))
    words = ngettext(
        "Goods can be sent back within %(days)d day of their delivery.",
        "Goods can be sent back within %(days)d days of their delivery.",
        days,
    )
    return Reason("too_late", words % {"days": days})


# What they are worth


def value_of_units(price: Decimal, quantity: int, before: int, units: int) -> Decimal:
    """What ``units`` of a line are worth of whose ``quantity`` units ``before`` were refunded already.

    The line's ``price`` (incl. tax, after discounts) is shared out so that all units together give it to the cent: each
    return gets what the rounded shares up to its last unit add to those before it.
    """
    first, last = min(before, quantity), min(before + units, quantity)
    return _share(price, quantity, last) - _share(price, quantity, first)


def _share(price: Decimal, quantity: int, units: int) -> Decimal:
    return (price * units / quantity).quantize(Decimal("0.01"), ROUND_HALF_UP) if quantity else Decimal(0)


@dataclass(frozen=True)
class Worth:
    """A line of a return and what its received units are worth."""

    line: ReturnLine
    value: Decimal


def worth_of(ret: Return) -> list[Worth]:
    """The lines of a return with the value of what was received; before that, of what is announced. Two queries."""
    lines = list(ret.lines.select_related("line"))
    before = refunded_units(ret)
    is_here = ret.received_at is not None
    return [
        Worth(
            each,
            value_of_units(
                each.line.line_price_incl_tax,
                each.line.quantity,
                before.get(each.line_id, 0),
                each.received if is_here else each.quantity,
            ),
        )
        for each in lines
    ]


def refunded_units(ret: Return) -> dict[int, int]:
    """Units per order line pk that other returns of the order have refunded."""
    rows = ReturnLine._default_manager.filter(
        of__fulfillment=ret.fulfillment_id, of__status=SETTLED, of__outcome=REFUND
    ).exclude(of=ret)
    if ret.status == SETTLED and ret.closed_at is not None:
        rows = rows.filter(of__closed_at__lt=ret.closed_at)  # what this one was worth when it was settled
    return _sums(rows)


def _sums(rows: Iterable[ReturnLine]) -> dict[int, int]:
    found: dict[int, int] = {}
    for row in rows:
        found[row.line_id] = found.get(row.line_id, 0) + row.received
    return found
