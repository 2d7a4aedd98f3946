"""Returns as their customer sees them: what may still come back, what became of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from oscar_fulfillment.models import Return
from oscar_fulfillment.models.returns import APPROVED, CANCELLED, RECEIVED, REFUSED, REQUESTED, SETTLED

from .payment_links import returns_path
from .return_money import credit_note_of
from .return_units import Offer, offer_to_customer
from .returns import returns_of

#: The status in the customer's words, and the tone of its badge.
STATUSES: dict[str, tuple[Any, str]] = {
    REQUESTED: (_("We look at it"), "warning"),
    APPROVED: (_("Approved: please send the goods"), "info"),
    RECEIVED: (_("The goods are here"), "primary"),
    SETTLED: (pgettext_lazy("return", "Settled"), "success"),
    REFUSED: (_("Not possible"), "danger"),
    CANCELLED: (pgettext_lazy("return", "Cancelled"), "secondary"),
}


@dataclass(frozen=True)
class CustomerReturn:
    """A return of the customer's."""

    ret: Return
    status_label: Any
    tone: str
    #: The number of the credit note that it led to, "" where it led to none.
    credit_note: str = ""

    @property
    def may_cancel(self) -> bool:
        return self.ret.status == REQUESTED


@dataclass(frozen=True)
class CustomerReturns:
    """The returns of an order, the page for them ("" where the shop has none), and what may still come back."""

    path: str
    rows: list[CustomerReturn]
    offer: Offer


def customer_returns(order: Any) -> CustomerReturns | None:
    """Everything about an order's returns; None for an order without its fulfillment row, or that is off. At most
    five queries."""
    try:
        if order.fulfillment.shipping_status == "cancelled":
            return None
    except ObjectDoesNotExist:
        return None
    rows = [_row(ret) for ret in returns_of(order.pk)]
    return CustomerReturns(returns_path(order), rows, offer_to_customer(order))


def _row(ret: Return) -> CustomerReturn:
    label, tone = STATUSES[ret.status]
    note = credit_note_of(ret) if ret.status == SETTLED and ret.refund_amount else ""
    return CustomerReturn(ret, label, tone, note)
