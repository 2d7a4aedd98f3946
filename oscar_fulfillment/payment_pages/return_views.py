"""The customer's page of returns: ask to send goods back, follow what becomes of it, fetch the slip."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import ConfigurationError, FulfillmentError, InvalidInput
from oscar_fulfillment.documents import DocumentError
from oscar_fulfillment.models import Return
from oscar_fulfillment.models.returns import APPROVED
from oscar_fulfillment.selectors.customer_returns import customer_returns
from oscar_fulfillment.selectors.payment_links import order_path, returns_path
from oscar_fulfillment.services import return_slips, returns

from .access import find_order, order_or_404
from .return_forms import CustomerReturnForm

logger = logging.getLogger("oscar_fulfillment.documents")

_LARGEST_ID = 2**63 - 1


@method_decorator(never_cache, name="dispatch")
class _OrderReturns(View):
    """For the order's customer alone, see :func:`access.order_or_404`."""

    order: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        number, hash = kwargs["order_number"], kwargs.get("hash", "")
        try:
            self.order = order_or_404(request, number, hash)
        except Http404:
            return self._who_are_you(request, number, hash)
        response = super().dispatch(request, *args, **kwargs)
        # A guest's address is a key to the page: it is not handed on to other sites.
        response["Referrer-Policy"] = "same-origin"
        return response

    def _who_are_you(self, request: HttpRequest, number: str, hash: str) -> HttpResponseBase:
        """Customers are asked to sign in, guests for the address they ordered with; others find nothing."""
        if not hash and not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("customer:login"))
        order = find_order(number) if hash else None
        if order is not None and order.user_id is None and order.check_verification_hash(hash):
            return redirect("customer:anon-order-form", order_number=number, hash=hash)
        raise Http404

    def find(self, pk: int) -> Return:
        """A return of this order."""
        rows = Return._default_manager.select_related("fulfillment__order").filter(fulfillment=self.order.pk)
        found = rows.filter(pk=pk).first() if pk <= _LARGEST_ID else None
        if found is None:
            raise Http404
        return found


class CustomerReturnsView(_OrderReturns):
    """GET shows the returns and the form for another one, POST asks for it."""

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.show()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        found = customer_returns(self.order)
        if found is None:
            raise Http404
        form = CustomerReturnForm(self.order, found.offer, request.POST)
        if not form.is_valid():
            return self.show(form, status=422)
        try:
            returns.request_return(order=self.order, actor=Actor.customer(self.order), by_customer=True, **form.given())
        except InvalidInput as error:
            form.take_errors(error)
            return self.show(form, status=422)
        except FulfillmentError as error:
            return self.show(form, status=409, error=str(error))
        messages.success(request, _("Thank you. We look at it and write to you."))
        return redirect(returns_path(self.order))

    def show(self, form: CustomerReturnForm | None = None, *, status: int = 200, error: str = "") -> HttpResponse:
        found = customer_returns(self.order)
        if found is None:
            raise Http404
        context = {
            "order": self.order,
            "returns": found,
            "form": form or (CustomerReturnForm(self.order, found.offer) if found.offer.lines else None),
            "error": error,
            "order_path": order_path(self.order),
            "has_slip": return_slips.has_slip(self.order),
            "hash": self.kwargs.get("hash", ""),
        }
        return TemplateResponse(self.request, "oscar_fulfillment/customer/returns.html", context, status=status)


class CancelCustomerReturnView(_OrderReturns):
    """The customer keeps the goods after all, while nobody has approved the return."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        ret = self.find(pk)
        try:
            returns.cancel_return(
                ret=ret, actor=Actor.customer(self.order), by_customer=True, key=f"customer-cancels-{ret.pk}"
            )
        except FulfillmentError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("Your return is cancelled."))
        return redirect(returns_path(self.order))


class CustomerReturnSlipView(_OrderReturns):
    """The slip of an approved return as PDF."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        ret = self.find(pk)
        if ret.status != APPROVED or not return_slips.has_slip(self.order):
            raise Http404
        try:
            content = return_slips.pdf(ret)
        except (ConfigurationError, DocumentError) as error:
            logger.error("the slip of return %s cannot be made: %s", ret.pk, error)
            raise Http404 from error
        disposition = content_disposition_header(False, return_slips.filename(ret)) or "inline"
        return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": disposition})
