"""Orders in every situation, made through the real services.

order = placed_order()                       # BRL, so the BRAZIL flow of the sandbox and the tests
order = dispatched_order(currency="CHF")     # approved, started, sent
staff = staff_user("release_order")
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from oscar.core.loading import get_class, get_model
from oscar.test.factories import create_product

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.services import cancelling, invoicing, payments, release, shipping

from .fiscal import make_key

_serial = itertools.count(1)

TEAM = Actor.system("tests")


def product(
    title: str = "Mug", price: str = "10.00", stock: int = 20, sku: str = "", partner: str = "Warehouse"
) -> Any:
    """A product with one stock record."""
    number = next(_serial)
    return create_product(
        title=title,
        upc=f"upc-{number}",
        price=Decimal(price),
        num_in_stock=stock,
        partner_name=partner,
        partner_sku=sku or f"sku-{number}",
    )


def manual_method(code: str = "deposit", **fields: Any) -> PaymentMethod:
    """A payment method that a person approves."""
    return PaymentMethod.objects.get_or_create(code=code, defaults={"name": "Deposit", "kind": "manual", **fields})[0]


def gateway_method(code: str = "card", **fields: Any) -> PaymentMethod:
    """A payment method whose provider tells us by itself."""
    return PaymentMethod.objects.get_or_create(
        code=code,
        defaults={"name": "Card", "kind": "gateway", "provider": "demo", "provider_method": "card", **fields},
    )[0]


def address(model: str = "ShippingAddress", **fields: Any) -> Any:
    """A saved address of an order."""
    country, _created = get_model("address", "Country").objects.get_or_create(
        iso_3166_1_a2=fields.pop("country", "BR"), defaults={"printable_name": "Brazil", "name": "BRAZIL"}
    )
    given = {
        "first_name": "Ana",
        "last_name": "Souza",
        "line1": "Rua A, 1",
        "line4": "São Paulo",
        "postcode": "01310-100",
    }
    return get_model("order", model).objects.create(country=country, **given | fields)


def placed_order(
    *,
    currency: str = "BRL",
    lines: Sequence[tuple[Any, int]] | None = None,
    user: Any = None,
    email: str = "ana@example.com",
    method: PaymentMethod | None = None,
    number: str | None = None,
    shipping_address: Any = None,
    fulfillment: dict[str, Any] | None = None,
    request: Any = None,
) -> Any:
    """An order as the checkout places it; ``lines`` are (product, quantity)."""
    Basket = get_model("basket", "Basket")
    basket = Basket.objects.create(owner=user)
    basket.strategy = get_class("partner.strategy", "Selector")().strategy()
    for item, quantity in lines or [(product(), 2)]:
        basket.add_product(item, quantity)
    charge = get_class("shipping.methods", "Free")()
    shipping_charge = charge.calculate(basket)
    total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, shipping_charge)
    total.currency = currency
    order = get_class("order.utils", "OrderCreator")().place_order(
        basket=basket,
        total=total,
        shipping_method=charge,
        shipping_charge=shipping_charge,
        user=user,
        shipping_address=shipping_address or address(),
        order_number=number or f"T{next(_serial):06d}",
        request=request,
        guest_email="" if user else email,
        fulfillment={"payment_method": method or manual_method(), "language": "en", **(fulfillment or {})},
    )
    basket.submit()
    return order


def paid_order(**options: Any) -> Any:
    """Placed, and its payment approved."""
    order = placed_order(**options)
    payments.approve_payment(order=order, actor=Actor.provider("demo"))
    return order


def released_order(**options: Any) -> Any:
    """Paid and released for invoicing (or in process)."""
    order = paid_order(**options)
    release.release_order(order=order, actor=TEAM)
    return order


def invoiced_order(**options: Any) -> Any:
    """Released, and invoiced where its flow invoices."""
    order = released_order(**options)
    if order.fulfillment.flow_definition.invoices:
        invoicing.invoice_order(order=order, actor=TEAM, access_key=make_key(number=next(_serial)))
    return order


def dispatched_order(carrier: str = "", tracking_code: str = "", **options: Any) -> Any:
    """Sent."""
    order = invoiced_order(**options)
    shipping.dispatch_order(order=order, actor=TEAM, carrier=carrier, tracking_code=tracking_code)
    return order


def delivered_order(**options: Any) -> Any:
    """Sent and arrived."""
    order = dispatched_order(**options)
    shipping.deliver_order(order=order, actor=TEAM)
    return order


def cancelled_order(**options: Any) -> Any:
    """Placed and cancelled."""
    order = placed_order(**options)
    cancelling.cancel_order(order=order, actor=TEAM, reason="Out of fashion")
    return order


def staff_user(*codenames: str, **fields: Any) -> Any:
    """A member of staff with these permissions of ours ("*": all of them)."""
    number = next(_serial)
    user = get_user_model().objects.create_user(
        username=f"staff{number}", email=f"staff{number}@example.com", password="test", is_staff=True,  # noqa: S106
        **fields,
    )  # fmt: skip
    allowed = Permission.objects.filter(content_type__app_label__in=["oscar_fulfillment", "order"])
    user.user_permissions.set(allowed if codenames == ("*",) else allowed.filter(codename__in=codenames))
    return user
