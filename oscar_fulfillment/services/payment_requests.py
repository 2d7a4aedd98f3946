"""An order as a provider wants it: lines, buyer, addresses. Only what is needed leaves the shop."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from oscar_fulfillment.gateways.base import Buyer, Item, PaymentRequest
from oscar_fulfillment.models import ProviderPayment
from oscar_fulfillment.selectors.tax_rates import rate_of


def build_request(order: Any, payment: ProviderPayment, *, return_url: str, notification_url: str) -> PaymentRequest:
    """The request for this attempt. Its items add up to its amount."""
    terms = getattr(payment.fulfillment, "terms", None)
    return PaymentRequest(
        reference=payment.reference,
        order_number=str(order.number),  # Oscar counts in numbers until the order is read again
        amount=payment.amount,
        currency=payment.currency,
        method=payment.method,
        return_url=return_url,
        notification_url=notification_url,
        hold=payment.is_hold,
        description=str(order.number),
        buyer=buyer_of(order),
        items=items_of(order, payment.amount),
        expires_at=terms.cancel_at if terms is not None else None,
    )


def buyer_of(order: Any) -> Buyer:
    """Who pays: the billing address where there is one, else where the goods go."""
    address = order.billing_address or order.shipping_address
    fulfillment = order.fulfillment
    given: dict[str, Any] = {}
    if address is not None:
        given = {
            "name": address.name,
            "country": address.country_id,
            "line1": address.line1,
            "district": address.line3 if address.country_id == "BR" else "",
            "city": address.line4,
            "state": address.state,
            "postcode": address.postcode or "",
            "phone": str(getattr(address, "phone_number", "") or ""),
        }
    return Buyer(
        email=order.email or "",
        tax_id_kind=fulfillment.tax_id_kind,
        tax_id=fulfillment.tax_id,
        language=fulfillment.language,
        **given,
    )


def items_of(order: Any, amount: Decimal) -> Sequence[Item]:
    """The order's lines and its shipping, adding up to ``amount`` exactly (receipts by law must).

    Where the order's discounts or another payment make the difference, each item carries its share.
    """
    found = [
        (
            line.title,
            line.quantity,
            line.line_price_incl_tax,
            line.partner_sku or line.upc or "",
            rate_of(line.line_price_excl_tax, line.line_price_incl_tax),
        )
        for line in order.lines.all()
        if line.quantity
    ]
    if order.shipping_incl_tax:
        found.append((order.shipping_method or "Shipping", 1, order.shipping_incl_tax, "shipping", None))
    full = sum((item[2] for item in found), Decimal(0))
    if not full:
        return []
    cent = Decimal("0.01")
    shares = [(item[2] * amount / full).quantize(cent, ROUND_HALF_UP) for item in found]
    shares[-1] += amount - sum(shares)
    return [
        Item(title=title[:128], quantity=quantity, total=share, sku=sku, tax_rate=rate)
        for (title, quantity, _total, sku, rate), share in zip(found, shares, strict=True)
    ]
