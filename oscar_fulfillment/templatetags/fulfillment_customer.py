"""Tags for pages and mails that customers see; a mail edited in the dashboard may load them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.template.defaultfilters import urlize
from django.urls import NoReverseMatch, reverse
from django.utils.html import linebreaks
from django.utils.safestring import mark_safe

from oscar_fulfillment.selectors import customer
from oscar_fulfillment.selectors.customer_returns import customer_returns

register = template.Library()


@register.simple_tag
def order_journey(order: Any) -> Any:
    """``{% order_journey order as journey %}``: see :class:`~oscar_fulfillment.selectors.customer.Journey`."""
    return customer.order_journey(order) if order else None


@register.simple_tag
def order_statuses(orders: Iterable[Any]) -> list[Any]:
    """``{% order_statuses orders as journeys %}``: the statuses of a page of orders, without a query for each."""
    return [customer.order_status(order) for order in customer.order_statuses(orders or ())]


@register.simple_tag
def order_invoice_path(order: Any) -> str:
    """``{% order_invoice_path order as path %}``: where its customer fetches the invoice; "" where there is none."""
    if not order or not customer.has_invoice_document(order):
        return ""
    try:
        if order.user_id is not None:
            return reverse("fulfillment:invoice", kwargs={"order_number": order.number})
        given = {"order_number": order.number, "hash": order.verification_hash()}
        return reverse("fulfillment:guest-invoice", kwargs=given)
    except NoReverseMatch:
        # The shop does not include oscar_fulfillment.urls.
        return ""


@register.simple_tag
def order_returns(order: Any) -> Any:
    """``{% order_returns order as returns %}``: what :func:`selectors.customer_returns.customer_returns` finds."""
    return customer_returns(order) if order else None


@register.filter(needs_autoescape=True)
def letter_text(text: str, autoescape: bool = True) -> str:
    """Plain text as paragraphs with links, for the HTML of a mail: mail readers know no style sheet for the links."""
    linked = linebreaks(urlize(text or "", autoescape=autoescape))
    return mark_safe(linked.replace("<a href=", '<a style="color: #1f5fa8;" href='))  # noqa: S308
