"""Money taken by whoever hands the goods over: at the door, or at the shop's counter."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.core.transitions import Step
from oscar_fulfillment.models import OrderFulfillment
from oscar_fulfillment.selectors.bank_matching import outstanding

from . import ledger, oscar_events, payments
from .edit_rules import money_text

#: The smallest coin, where cash cannot pay every cent.
_COINS = {"CHF": Decimal("0.05")}
_NOTHING = Decimal(0)


def is_paid_on_hand_over(fulfillment: OrderFulfillment) -> bool:
    """Whether whoever hands the goods over takes the money for them."""
    method = fulfillment.payment_method
    return (
        method is not None
        and method.paid_on_delivery
        and fulfillment.payment_status == "awaiting_payment"
        and payments.APPROVE.action in fulfillment.flow_definition.payment.transitions
    )


def due_in_cash(fulfillment: OrderFulfillment) -> Decimal:
    """What is to be taken when the goods are handed over; zero where they are paid otherwise."""
    return max(outstanding(fulfillment), _NOTHING) if is_paid_on_hand_over(fulfillment) else _NOTHING


def in_coins(amount: Decimal, currency: str) -> Decimal:
    """What is really put on the counter for this sum: Swiss cash, for one, is rounded to five centimes."""
    coin = _COINS.get(currency)
    return (amount / coin).quantize(Decimal(1), ROUND_HALF_UP) * coin if coin else amount


def paid_at_the_door(step: Step) -> None:
    """Delivered in full, by a method that is paid then: who brought the goods has the money."""
    if step.targets.get("shipping") == "delivered" and is_paid_on_hand_over(step.subject):
        _book(step)


def paid_at_the_counter(step: Step, taken: Decimal | None) -> None:
    """Book the cash that was taken. It must be what is due: :class:`InvalidInput` (``cash_taken``) says what it lacks.

    Nothing is due for an order that is paid otherwise; while a part of the goods is still to come, nothing need be
    taken yet.
    """
    due, currency = due_in_cash(step.subject), step.subject.currency
    if not taken and (not due or step.targets["shipping"] != "delivered"):
        return
    if (taken or _NOTHING) not in (due, in_coins(due, currency)):
        raise InvalidInput({"cash_taken": [_difference(taken or _NOTHING, due, currency)]})
    step.data |= {"amount": taken, "currency": currency}
    _book(step)


def _difference(taken: Decimal, due: Decimal, currency: str) -> str:
    said: dict[str, Any] = {"due": money_text(in_coins(due, currency), currency)}
    said["difference"] = money_text(abs(in_coins(due, currency) - taken), currency)
    if not due:
        return _("Nothing is to be paid in cash for this order.")
    if taken < due:
        return _("%(due)s are due: %(difference)s are missing.") % said
    return _("%(due)s are due: %(difference)s are too much.") % said


def _book(step: Step) -> None:
    method = step.subject.payment_method
    step.moves = [*step.moves, payments.APPROVE]
    step.targets["payment"] = "paid"
    had_some = ledger.receive_rest([step], type_name=method.name)
    if had_some or method.has_clock:
        payments.end_of_waiting([step])
    oscar_events.record_payments([step], oscar_events.PAID)
