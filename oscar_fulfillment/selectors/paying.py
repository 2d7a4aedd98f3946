"""How the payment of an order at a provider stands, in the buyer's words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from oscar_fulfillment.models import ProviderPayment

from .given_up import needed

#: What the provider gives the buyer to pay with: key of ``instructions`` -> label.
INSTRUCTIONS: dict[str, Any] = {
    "pix_code": _("Pix code (copy and paste)"),
    "boleto_line": _("Boleto, digits to type"),
    "boleto_url": _("Boleto as a document"),
    "ticket_url": _("How to pay, at the provider"),
}


#: States of a payment after which a new one is begun.
_OVER = ("refused", "refused_antifraud", "expired", "cancelled", "refunded", "charged_back")


@dataclass(frozen=True)
class Paying:
    """``state``: ready, open, review, held, paid, cancelled, or none (not paid online)."""

    state: str
    payment: ProviderPayment | None = None
    #: (key, label, text, is a link)
    instructions: list[tuple[str, Any, str, bool]] = field(default_factory=list)
    was_refused: bool = False
    #: What is to be paid: the rest, where some of it came in already.
    amount: Decimal = Decimal(0)

    @property
    def can_pay(self) -> bool:
        return self.state in ("ready", "open")


def paying(order: Any) -> Paying:
    """For an order with its fulfillment row and payment method; at most one more query, two where some is paid."""
    found = _paying(order)
    if not found.can_pay or not order.fulfillment.has_money:
        return replace(found, amount=needed(order.fulfillment))
    sums = order.sources.aggregate(came=Sum("amount_debited"), went=Sum("amount_refunded"))
    return replace(found, amount=needed(order.fulfillment) - (sums["came"] or 0) + (sums["went"] or 0))


def _paying(order: Any) -> Paying:
    fulfillment = order.fulfillment
    method = fulfillment.payment_method
    if method is None or not method.is_run_by_provider:
        return Paying("none")
    payment = fulfillment.provider_payments.order_by("-pk").first()
    if "cancelled" in (fulfillment.payment_status, fulfillment.shipping_status):
        return Paying("cancelled", payment)
    if fulfillment.payment_status == "authorized":
        return Paying("held", payment)
    if fulfillment.payment_status != "awaiting_payment":
        return Paying("paid", payment)
    begun = payment is not None and payment.external_id
    if payment is None or not begun or payment.state in _OVER:
        return Paying("ready", payment, was_refused=payment is not None and payment.state.startswith("refused"))
    if payment.state == "in_review":
        return Paying("review", payment)
    if payment.state in ("captured", "authorized"):
        return Paying("review", payment)  # the sum is not what it should be: a person looks at it
    return Paying("open", payment, _instructions(payment))


def _instructions(payment: ProviderPayment) -> list[tuple[str, Any, str, bool]]:
    found = []
    for key, label in INSTRUCTIONS.items():
        text = str(payment.instructions.get(key) or "")
        is_link = text.startswith(("https://", "http://"))
        if text and (is_link or not key.endswith("_url")):
            found.append((key, label, text, is_link))
    return found
