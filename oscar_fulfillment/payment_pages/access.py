"""Whose order it is: the customer's who is signed in, or a guest's."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.crypto import constant_time_compare
from oscar.core.loading import get_model


def find_order(number: str) -> Any:
    """The order of this number that has its fulfillment row, None where there is none."""
    if len(number) > 128 or "\x00" in number:
        return None
    orders = get_model("order", "Order")._default_manager.select_related(
        "fulfillment__payment_method", "user", "shipping_address__country", "billing_address__country"
    )
    return orders.filter(number=number, fulfillment__isnull=False).first()


def order_or_404(request: Any, number: str, hash: str = "") -> Any:
    """The order, for its customer: signed in; or a guest who has just ordered in this session; or one with the signed
    link who has given the order's address on Oscar's form. 404 for everybody else."""
    order = find_order(number)
    if order is None or not is_theirs(request, order, hash):
        raise Http404
    return order


def is_theirs(request: Any, order: Any, hash: str) -> bool:
    """Whether this visitor is the order's customer, see :func:`order_or_404`."""
    if order.user_id is not None:
        return bool(request.user.is_authenticated and request.user.pk == order.user_id)
    if request.session.get("checkout_order_id") == order.pk:
        return True
    given = str(request.session.get("anon_order_email") or "")
    return bool(hash and order.check_verification_hash(hash) and constant_time_compare(given, order.email or "\n"))
