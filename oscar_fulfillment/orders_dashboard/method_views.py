"""The merchant's payment methods: the list, the form, who may use one, and in which order the checkout shows them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.generic import View

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import InvalidInput
from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.models.payment import CUSTOMERS
from oscar_fulfillment.selectors import method_words
from oscar_fulfillment.selectors import payment_methods as selectors
from oscar_fulfillment.services import payment_methods as services

from .method_changes import told
from .method_forms import PaymentMethodForm
from .page_reading import demand

#: Customers of a method on one page of its list.
CUSTOMERS_SHOWN = 25


class MethodView(View):
    """Common to all: the permission, the method, who acts."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        demand(request.user, "manage_payment_methods")
        return super().dispatch(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor.from_user(self.request.user)

    def method_or_404(self, pk: int) -> PaymentMethod:
        found = PaymentMethod._default_manager.filter(pk=pk).first()
        if found is None:
            raise Http404
        return found


class MethodListView(MethodView):
    """All methods in the order of the checkout."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        methods = selectors.methods_for_list()
        rows = [
            {
                "method": method,
                "by_whom": method_words.by_whom(method),
                "policy": method_words.policy(method),
                "who": method_words.who(method, method.customer_count),  # type: ignore[attr-defined]
                "is_by_customer": method.audience == CUSTOMERS,
                "where": method_words.where(method),
                "problem": selectors.provider_problem(method),
                "is_first": not place,
                "is_last": place == len(methods) - 1,
            }
            for place, method in enumerate(methods)
        ]
        return TemplateResponse(request, "oscar_fulfillment/methods/list.html", {"rows": rows})


class MethodFormView(MethodView):
    """Make a method: from nothing, or as a copy of ``pk``."""

    http_method_names = ["get", "head", "post", "options"]
    is_copy = False

    def subject(self) -> PaymentMethod | None:
        """The method that is changed; None for a new one."""
        return None

    def source(self) -> PaymentMethod | None:
        return self.method_or_404(self.kwargs["pk"]) if self.is_copy else None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        method = self.subject()
        return self.show(PaymentMethodForm(method=method, source=self.source()), method)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        method = self.subject()
        form = PaymentMethodForm(request.POST, method=method, source=self.source())
        if not form.is_valid():
            return self.show(form, method, status=422)
        try:
            saved = form.save(self.actor)
        except InvalidInput as error:
            form.take_errors(error)
            return self.show(form, method, status=422)
        except services.MethodChanged as error:
            return self.show_changed(error, method)
        messages.success(request, _("“%(name)s” is saved.") % {"name": saved.label})
        if method is None and saved.audience == CUSTOMERS:
            return redirect("dashboard:payment-method", pk=saved.pk)
        return redirect("dashboard:payment-method-list")

    def show_changed(self, error: services.MethodChanged, method: PaymentMethod | None) -> HttpResponse:
        """409: what somebody else did meanwhile, and what was typed, to be saved again on top of it."""
        again = self.request.POST.copy()
        again["seen"] = str(selectors.last_change(method))
        form = PaymentMethodForm(again, method=self.subject())
        form.is_valid()
        happened = told(error.change) if error.change is not None else None
        return self.show(form, method, status=409, happened=happened)

    def show(
        self, form: PaymentMethodForm, method: PaymentMethod | None, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        context |= {"form": form, "method": method, "is_copy": self.is_copy}
        if method is not None:
            context |= self.about(method)
        return TemplateResponse(self.request, "oscar_fulfillment/methods/form.html", context, status=status)

    def about(self, method: PaymentMethod) -> dict[str, Any]:
        """What the page shows beside the form: customers, history, what can be done."""
        query = self.request.GET.get("customer", "").strip()[:100]
        named = method.customers.order_by("email", "pk")
        page = Paginator(named, CUSTOMERS_SHOWN).get_page(self.request.GET.get("page"))
        return {
            "policy": method_words.policy(method),
            "problem": selectors.provider_problem(method),
            "changes": [told(change) for change in selectors.changes_of(method)],
            "is_by_customer": method.audience == CUSTOMERS,
            "customer_query": query,
            "found_customers": selectors.search_customers(query, without=named.values_list("pk", flat=True)),
            "customer_page": page,
            "can_delete": not selectors.is_used(method),
        }


class MethodChangeView(MethodFormView):
    """Change a method; below it, the customers it is enabled for."""

    def subject(self) -> PaymentMethod | None:
        return self.method_or_404(self.kwargs["pk"])


class MethodStepView(MethodView):
    """One click on a method: offer, withdraw, up, down, delete."""

    http_method_names = ["post", "options"]
    step = ""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        method = self.method_or_404(pk)
        name = {"name": method.label}
        try:
            if self.step in ("up", "down"):
                services.move_payment_method(method=method, up=self.step == "up", actor=self.actor)
            elif self.step == "delete":
                services.delete_payment_method(method=method, actor=self.actor)
                messages.success(request, _("“%(name)s” is deleted.") % name)
            else:
                services.set_offered(method=method, offered=self.step == "offer", actor=self.actor)
                text = (
                    _("“%(name)s” is offered in the shop.") if self.step == "offer" else _("“%(name)s” is withdrawn.")
                )
                messages.success(request, text % name)
        except InvalidInput as error:
            messages.error(request, _("“%(name)s” cannot be offered yet:") % name + f" {error}")
            return redirect("dashboard:payment-method", pk=pk)
        except services.MethodInUse as error:
            messages.error(request, str(error))
        return redirect("dashboard:payment-method-list")


class MethodCustomerView(MethodView):
    """Enable a method for one customer, or take it away again."""

    http_method_names = ["post", "options"]
    allow = True

    def post(self, request: HttpRequest, pk: int, user: int) -> HttpResponse:
        method = self.method_or_404(pk)
        customer = get_user_model()._default_manager.filter(pk=user).first()
        if customer is None:
            raise Http404
        change = services.allow_customer if self.allow else services.disallow_customer
        try:
            done = change(method=method, customer=customer, actor=self.actor)
        except InvalidInput as error:
            messages.error(request, str(error))
        else:
            names = {"customer": customer.email or customer.get_username(), "method": method.label}
            if not done:
                messages.info(request, _("Nothing was changed: somebody has done this already."))
            elif self.allow:
                messages.success(request, _("%(customer)s may pay by “%(method)s”.") % names)
            else:
                messages.success(request, _("%(customer)s may not pay by “%(method)s” any more.") % names)
        query = urlencode({"customer": typed}) if (typed := request.POST.get("customer", "")[:100]) else ""
        return redirect(f"{reverse('dashboard:payment-method', kwargs={'pk': pk})}?{query}#customers")
