"""Tags for pages and mails that customers see; a mail edited in the dashboard may load them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template

from oscar_fulfillment.selectors import customer

register = template.Library()


@register.simple_tag
def order_journey(order: Any) -> Any:
    """``{% order_journey order as journey %}``: see :class:`~oscar_fulfillment.selectors.customer.Journey`."""
    return customer.order_journey(order) if order else None


@register.simple_tag
def order_statuses(orders: Iterable[Any]) -> list[Any]:
    """``{% order_statuses orders as journeys %}``: the statuses of a page of orders, without a query for each."""
    return [customer.order_status(order) for order in customer.order_statuses(orders or ())]
