"""The buyer's payment page. The provider is asked when the buyer comes back; what it says decides, not the return."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.cache import cache
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from oscar.core.loading import get_model

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.models import ProviderPayment
from oscar_fulfillment.selectors import payment_links as links
from oscar_fulfillment.selectors.paying import Paying, paying
from oscar_fulfillment.services import provider_payments

logger = logging.getLogger("oscar_fulfillment.payments")

#: A page that is loaded again and again does not ask the provider each time.
_ASK_AGAIN = timedelta(seconds=5)
#: Whoever comes back from the provider has just done something there.
_ASK_AT_RETURN = timedelta(seconds=1)
#: Seconds in which pages do not ask again for a payment whose provider did not answer.
_REST = 30


# Not within a transaction of the request's, whatever the shop's settings: the provider is called on the way.
@method_decorator([never_cache, transaction.non_atomic_requests], name="dispatch")
class _OrderPayView(View):
    order: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        number = links.number_of(kwargs["token"])
        orders = get_model("order", "Order")._default_manager.select_related("fulfillment__payment_method")
        order = orders.filter(number=number, fulfillment__isnull=False).first() if number else None
        if order is None:
            raise Http404
        self.order = order
        response = super().dispatch(request, *args, **kwargs)
        # The address is a key to the page: it is not handed on to the provider's or any other site.
        response["Referrer-Policy"] = "same-origin"
        return response

    @property
    def payment(self) -> ProviderPayment | None:
        return self.order.fulfillment.provider_payments.order_by("-pk").first()

    def ask_provider(self, pause: timedelta = _ASK_AGAIN) -> None:
        """Look how the newest payment stands. A provider that is down changes nothing for the buyer."""
        payment = self.payment
        if payment is None or payment.state not in provider_payments.LIVE:
            return
        if payment.checked_at and timezone.now() - payment.checked_at < pause:
            return
        # One request at a time, and after a failure a rest: a provider that hangs must not hold all our workers.
        busy = f"fulfillment-asking:{payment.reference}"
        if not cache.add(busy, 1, _REST):
            return
        try:
            provider_payments.refresh_payment(payment=payment)
        except FulfillmentError as error:
            logger.info("payment %s could not be asked for: %s", payment.reference, error)
        else:
            cache.delete(busy)


class PayView(_OrderPayView):
    """GET shows how the payment stands, POST begins (or goes on with) it."""

    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        if "back" in request.GET:
            self.ask_provider(_ASK_AT_RETURN)
            return redirect("fulfillment:pay", token=token)
        return self.show(request, token)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        target = begin(request, self.order)
        return redirect(target) if target else redirect("fulfillment:pay", token=token)

    def show(self, request: HttpRequest, token: str) -> HttpResponse:
        found: Paying = paying(self.order)
        context = {"order": self.order, "paying": found, "token": token, "order_path": order_path(request, self.order)}
        return render(request, "oscar_fulfillment/pay/page.html", context)


class PayStateView(_OrderPayView):
    """The state alone, for the script that waits for the provider's word."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, token: str) -> JsonResponse:
        self.ask_provider()
        return JsonResponse({"state": paying(self.order.__class__._default_manager.get(pk=self.order.pk)).state})


def order_path(request: HttpRequest, order: Any) -> str:
    """The order's page for its owner, or for whoever has just placed it; "" for others: this link shows no address."""
    is_owner = order.user_id is not None and order.user_id == request.user.pk
    if is_owner or request.session.get("checkout_order_id") == order.pk:
        return links.order_path(order)
    return ""


def begin(request: HttpRequest, order: Any, *, here: str = "") -> str:
    """Begin the order's payment; the address to send the buyer to, "" where our own page says how to go on.

    ``here`` is good news that only a buyer needs who stays with us; it comes before what went wrong.
    """
    target, problem = _begun(request, order)
    if here and not target:
        messages.success(request, here)
    if problem:
        messages.warning(request, problem)
    return target


def _begun(request: HttpRequest, order: Any) -> tuple[str, str]:
    """Where the buyer goes, and what went wrong; either may be ""."""
    path = links.payment_path(order)
    method = order.fulfillment.payment_method
    notify = links.notification_path(method.provider) if method is not None else ""
    try:
        payment = provider_payments.begin_payment(
            order=order,
            actor=Actor.customer(order),
            return_url=request.build_absolute_uri(f"{path}?back=1"),
            notification_url=request.build_absolute_uri(notify) if notify else "",
        )
    except provider_payments.PaymentImpossible as error:
        return "", str(error)
    except FulfillmentError as error:
        logger.warning("the payment of order %s could not be begun: %s", order.number, error)
        return "", _("The payment provider does not answer. Your order is safe: please try again in a few minutes.")
    return (payment.redirect_url if _is_web(payment.redirect_url) else ""), ""


def _is_web(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")
