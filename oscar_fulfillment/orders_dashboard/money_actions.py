"""What can be done about an order's money beside its flow's steps: what of it makes sense now, and where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.order_money import OrderMoney

#: action -> what its button and its form are called, in the order of the page.
MONEY_ACTIONS: dict[str, Any] = {
    "receive_money": gettext_lazy("Money received"),
    "void_payment": gettext_lazy("Give the money back unused"),
    "refund_payment": gettext_lazy("Refund"),
    "keep_credit": gettext_lazy("Keep as a credit note"),
    "extend_reservation": gettext_lazy("Extend the reservation"),
    "confirm_payout": gettext_lazy("Confirm the payout"),
}


def slug(action: str) -> str:
    """The action in URLs and their names: ``order-<slug>``."""
    return action.replace("_", "-")


def action_url(number: str, action: str, payment: int | None = None) -> str:
    """Where an action's form is; ``payment`` chooses one of several beforehand."""
    url = reverse(f"dashboard:order-{slug(action)}", kwargs={"number": number})
    return f"{url}?payment={payment}" if payment else url


@dataclass(frozen=True)
class MoneyAction:
    """A button of the payment card."""

    name: str
    label: Any
    url: str
    danger: bool = False


def may_receive(money: OrderMoney) -> bool:
    """Whether a person says that money came in: not while a provider says so itself."""
    method = money.fulfillment.payment_method
    by_provider = method is not None and method.is_run_by_provider
    return not (by_provider and money.fulfillment.is_payable())


_OFFERED: dict[str, Callable[[OrderMoney], Any]] = {
    "receive_money": lambda money: may_receive(money) and (money.outstanding or money.is_off),
    "void_payment": lambda money: money.voidable,
    "refund_payment": lambda money: money.refundable,
    "keep_credit": lambda money: money.excess,
    "extend_reservation": lambda money: (
        money.terms is not None
        and money.terms.reserved_until
        and not money.is_off
        and money.fulfillment.payment_status == "awaiting_payment"
    ),
    "confirm_payout": lambda money: money.fulfillment.awaits_payout,
}


def is_offered(money: OrderMoney, action: str) -> bool:
    """Whether the action makes sense for the order as it is."""
    return bool(_OFFERED[action](money))


def _label(money: OrderMoney, name: str, label: Any) -> Any:
    """Before the buyer has paid there is no money to give back: the payment is closed."""
    return label if name != "void_payment" or money.held else gettext_lazy("Close the open payment")


def money_actions(money: OrderMoney, user: Any) -> list[MoneyAction]:
    """The buttons of the payment card, for this user."""
    number = money.order.number
    return [
        MoneyAction(name, _label(money, name, label), action_url(number, name), danger=name == "void_payment")
        for name, label in MONEY_ACTIONS.items()
        if user_may(user, name) and is_offered(money, name)
    ]
