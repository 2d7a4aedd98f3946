"""Whether an order may be edited, and up to which sum.

Only while nothing of it is released: from then on shipments and fiscal documents name its goods, somebody may be
packing them, and offers over the whole order would change the prices of what has left. And only while nobody has taken
money for it: what is taken is refunded, not edited away.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.gateways.base import Capability
from oscar_fulfillment.models import OrderDraft, OrderFulfillment, PaymentOperation, ProviderPayment

from . import ledger
from .settling import LIVE


def refusal(fulfillment: OrderFulfillment) -> Reason | None:
    """Why this order cannot be edited now; None when it can. At most two queries."""
    return _about_goods(fulfillment) or _about_money(fulfillment)


def _about_goods(fulfillment: OrderFulfillment) -> Reason | None:
    if fulfillment.shipping_status == "cancelled":
        return Reason("cancelled", _("The order is cancelled."))
    if fulfillment.shipping_status != "received":
        return Reason(
            "released",
            _("Goods of this order are released already."),
            _("Change what is left by a new order, or by a refund"),
        )
    if fulfillment.has_backorder and any(shipment.is_dropped for shipment in fulfillment.shipments.all()):
        return Reason(
            "given_up",
            _("A part of this order was given up."),
            _("Change what is left by a new order, or by a refund"),
        )
    return None


def _about_money(fulfillment: OrderFulfillment) -> Reason | None:
    status, method = fulfillment.payment_status, fulfillment.payment_method
    if status == "awaiting_payment":
        if method is not None and method.is_run_by_provider:
            return _fixed(str(method.label))
        if any(payment.state in LIVE for payment in _payments(fulfillment)):
            return _fixed(_("A provider"))
        return None
    if status == "authorized":
        return _about_hold(fulfillment)
    if status in ("paid", "partially_refunded"):
        return Reason("captured", _("The money for this order has been taken."), _("Refund what is too much"))
    return Reason("no_money", _("There is no money for this order: its payment was cancelled or refunded."))


def _fixed(name: str) -> Reason:
    return Reason(
        "sum_fixed",
        _("%(name)s is asking the buyer for a fixed sum.") % {"name": name},
        _("Edit the order once the sum is held"),
    )


def _payments(fulfillment: OrderFulfillment) -> list[ProviderPayment]:
    """The order's payments with their operations; as the order page has read them, where it has."""
    rows = fulfillment.provider_payments.all()
    is_read = "provider_payments" in getattr(fulfillment, "_prefetched_objects_cache", {})
    return list(rows if is_read else rows.prefetch_related("operations"))


def _about_hold(fulfillment: OrderFulfillment) -> Reason | None:
    operations = (operation for payment in _payments(fulfillment) for operation in payment.operations.all())
    if any(operation.status == PaymentOperation.REQUESTED for operation in operations):
        return Reason("asked_already", _("The provider has been asked already; its answer is pending."))
    if fulfillment.has_money and ledger.totals(fulfillment.pk).debited:
        return Reason("captured", _("A part of the held sum has been taken."), _("Refund what is too much"))
    return None


def bound(fulfillment: OrderFulfillment, total: Decimal) -> Decimal | None:
    """The most that the order may cost: what is held for it. None: no bound. ``total`` is what it costs now."""
    if fulfillment.payment_status != "authorized":
        return None
    money = ledger.totals(fulfillment.pk)
    if money.held:
        return money.held + money.net
    # Held before there was a ledger: what the order cost then.
    earlier = OrderDraft._default_manager.filter(fulfillment=fulfillment, status=OrderDraft.APPLIED)
    return max([total, *(sum_ for sum_ in earlier.values_list("total_before", flat=True) if sum_ is not None)])


def about_total(fulfillment: OrderFulfillment, before: Decimal, after: Decimal) -> list[Reason]:
    """Why the order cannot cost this much."""
    found = []
    most = bound(fulfillment, before)
    currency = fulfillment.order.currency
    if most is not None and after > most:
        found.append(
            Reason(
                "above_hold",
                _("The new total is %(over)s above the held sum of %(held)s.")
                % {"over": money_text(after - most, currency), "held": money_text(most, currency)},
                _("Take something away, or place a second order for the rest"),
            )
        )
    if after <= 0 < before:
        found.append(Reason("nothing_left", _("Nothing would be left to pay."), _("Cancel the order instead")))
    elif most is not None and after < most and not _takes_a_part(fulfillment):
        found.append(
            Reason(
                "whole_or_nothing",
                _("The provider takes the whole held sum of %(held)s or nothing.")
                % {"held": money_text(most, currency)},
                _("Keep the total, or refund the difference later"),
            )
        )
    return found


def _takes_a_part(fulfillment: OrderFulfillment) -> bool:
    """Whether less than what is held can be taken, at every provider that holds something."""
    from .provider_payments import gateway_of

    for payment in ProviderPayment._default_manager.filter(fulfillment=fulfillment, state="authorized"):
        try:
            able = gateway_of(payment).capabilities(payment.method)
        except FulfillmentError:
            continue  # a provider that the shop has taken out of its settings says nothing
        if payment.held and Capability.PARTIAL_CAPTURE not in able:
            return False
    return True


def money_text(amount: Decimal, currency: str) -> str:
    """A sum as the reader's language writes it."""
    from oscar.templatetags.currency_filters import currency as as_currency

    return str(as_currency(amount, currency))


def known(value: Any) -> Decimal:
    """A sum rounded as its column keeps it."""
    from oscar.core.utils import round_half_up_two_dec

    return round_half_up_two_dec(Decimal(value or 0))
