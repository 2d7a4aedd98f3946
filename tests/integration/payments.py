"""What the payment tests share: an order at a provider, and shortcuts to look at it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.models import FollowUp, OrderFulfillment, ProviderPayment
from oscar_fulfillment.services import ledger, provider_payments
from oscar_fulfillment.test import factories

TEAM = Actor.system("tests")


def demo() -> Any:
    """The provider in memory, forgetting what other tests did."""
    found = gateways.get("demo")
    found.reset()
    return found


def begun(method: Any = None, *, fresh: bool = True, **options: Any) -> tuple[Any, ProviderPayment, Any]:
    """An order of 20.00 whose buyer was sent to the provider: (order, payment, provider).

    ``fresh=False`` keeps what the provider knows: for the second order of a test.
    """
    provider = demo() if fresh else gateways.get("demo")
    order = factories.placed_order(method=method or factories.gateway_method(), **options)
    payment = provider_payments.begin_payment(order=order, actor=TEAM, return_url="https://shop.example/back/")
    return order, payment, provider


def hold_method(code: str = "card-hold", **fields: Any) -> Any:
    return factories.gateway_method(code, name="Card, held", capture="hold", **fields)


def held(**options: Any) -> tuple[Any, ProviderPayment, Any]:
    """An order whose sum the provider holds."""
    order, payment, provider = begun(options.pop("method", None) or hold_method(), **options)
    provider.pay(payment.reference)
    return order, provider_payments.refresh_payment(payment=payment), provider


def paid(**options: Any) -> tuple[Any, ProviderPayment, Any]:
    """An order paid at the provider."""
    order, payment, provider = begun(**options)
    provider.pay(payment.reference)
    return order, provider_payments.refresh_payment(payment=payment), provider


def refresh(payment: ProviderPayment) -> ProviderPayment:
    """Ask the provider again."""
    payment.refresh_from_db()
    return provider_payments.refresh_payment(payment=payment)


def statuses(order: Any) -> tuple[str, str]:
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


def oscar_status(order: Any) -> str:
    return get_model("order", "Order").objects.get(pk=order.pk).status


def problem(order: Any) -> str:
    return OrderFulfillment.objects.get(pk=order.pk).problem


def version(order: Any) -> int:
    return OrderFulfillment.objects.get(pk=order.pk).version


def open_kinds(order: Any = None) -> list[str]:
    """The kinds of open follow-ups (of an order)."""
    rows = FollowUp.objects.filter(closed_at=None)
    return sorted(rows.filter(fulfillment=order.pk if order else None).values_list("kind", flat=True))


def money(order: Any) -> tuple[Decimal, Decimal, Decimal]:
    """What the ledger says: held or taken, came in, went back."""
    found = ledger.totals(order.pk)
    return found.allocated, found.debited, found.refunded


def free_stock(order: Any) -> list[int]:
    """Units of the order's products that are not allocated."""
    return [line.stockrecord.num_in_stock - (line.stockrecord.num_allocated or 0)
            for line in order.lines.select_related("stockrecord")]  # fmt: skip
