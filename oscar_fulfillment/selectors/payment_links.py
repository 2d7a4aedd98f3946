"""The links of an order's buyer. The one to pay is signed, so that numbers cannot be tried out; it shows no address."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse

_SIGNER = Signer(salt="oscar_fulfillment.pay", sep="~")


def payment_path(order: Any) -> str:
    """The path of the order's payment page; "" where the shop does not include ``oscar_fulfillment.urls``."""
    try:
        return reverse("fulfillment:pay", kwargs={"token": _SIGNER.sign(str(order.number))})
    except NoReverseMatch:
        return ""


def order_path(order: Any) -> str:
    """The order's page in the account; for guests the one with the signed link; "" where the shop has neither."""
    try:
        if order.user is not None:
            return reverse("customer:order", kwargs={"order_number": order.number})
        given = {"order_number": order.number, "hash": order.verification_hash()}
        return reverse("customer:anon-order", kwargs=given)
    except NoReverseMatch:
        return ""


def returns_path(order: Any) -> str:
    """Where the buyer announces that goods come back, for guests with the signed link; "" as above."""
    try:
        if order.user_id is not None:
            return reverse("fulfillment:returns", kwargs={"order_number": order.number})
        given = {"order_number": order.number, "hash": order.verification_hash()}
        return reverse("fulfillment:guest-returns", kwargs=given)
    except NoReverseMatch:
        return ""


def absolute_url(site: Any, path: str) -> str:
    """A path of the shop as a mail or a paper names it."""
    return f"{settings.OSCAR_URL_SCHEMA}://{site.domain}{path}"


def notification_path(provider: str) -> str:
    """Where a provider's notifications arrive; "" as above."""
    try:
        return reverse("fulfillment:webhook", kwargs={"family": "payments", "name": provider})
    except NoReverseMatch:
        return ""


def number_of(token: str) -> str:
    """The order number of a link, "" for one that we did not sign."""
    try:
        return _SIGNER.unsign(token)
    except BadSignature:
        return ""
