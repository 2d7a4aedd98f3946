"""The views of the checkout that differ from Oscar's."""

from __future__ import annotations

import time

from django.contrib import messages
from django.db import connections, router
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from oscar.apps.checkout import views as oscar_views
from oscar.apps.checkout.views import *  # noqa: F403
from oscar.core.loading import get_model

from oscar_fulfillment.conf import settings  # type: ignore[assignment]
from oscar_fulfillment.payment_pages.views import begin
from oscar_fulfillment.selectors import payment_links as links
from oscar_fulfillment.services.provider_payments import pays_online

from . import addresses
from .forms import CheckoutUserAddressForm, PaymentMethodForm
from .mixins import AlreadySubmitted

Order = get_model("order", "Order")
UserAddress = get_model("address", "UserAddress")

# Seconds that the second of two clicks waits for the first to finish placing the order.
WAIT_FOR_ORDER = 5.0


class CountriesMixin:
    """For a view with one of our address forms: the countries the shop ships to for this visitor."""

    def get_form(self, form_class=None):
        form = super().get_form(form_class)
        if path := settings.CHECKOUT_COUNTRIES:
            form.limit_countries(import_string(path)(self.request))
        elif hasattr(form, "adapt_to_country"):
            form.adapt_to_country()
        return form


class ShippingAddressViewMixin(CountriesMixin):
    """Checks an address of the address book as strictly as a typed one."""

    def get_available_addresses(self):
        found = super().get_available_addresses()
        if path := settings.CHECKOUT_COUNTRIES:
            found = found.filter(country__in=list(import_string(path)(self.request)))
        return found

    def post(self, request, *args, **kwargs):
        if request.user.is_authenticated and "address_id" in request.POST:
            raw = request.POST["address_id"]
            address = self.get_available_addresses().filter(pk=raw).first() if raw.isascii() and raw.isdigit() else None
            if address is None:
                raise Http404(_("There is no such address in your address book."))
            if errors := addresses.address_errors(address):
                for error in errors.values():
                    messages.error(request, " ".join(error.messages))
                return redirect("checkout:user-address-update", pk=address.pk)
        return super().post(request, *args, **kwargs)


class UserAddressUpdateViewMixin(CountriesMixin):
    form_class = CheckoutUserAddressForm


class PaymentMethodViewMixin:
    """Choose how to pay and, where the country asks for it, give the tax number."""

    template_name = "oscar_fulfillment/checkout/payment_method.html"
    form_class = PaymentMethodForm
    skip_conditions = ["skip_unless_payment_or_identity_is_required"]

    def skip_unless_payment_or_identity_is_required(self, request):
        if not self.identity_rule.required:
            self.skip_unless_payment_is_required(request)

    def get_form(self, data=None) -> PaymentMethodForm:
        found = self.get_tax_identity()
        initial = {
            "payment_method": self.checkout_session.payment_method(),
            "tax_id": found.number if found else "",
        }
        if found:
            initial["tax_id_kind"] = found.kind
        methods = self.offered_payment_methods if self.is_payment_required() else []
        if len(methods) == 1:
            initial["payment_method"] = methods[0].code
        return self.form_class(data, initial=initial, methods=methods, rule=self.identity_rule)

    def get(self, request, *args, **kwargs):
        if not self.has_payment_methods and not self.identity_rule.kinds:
            return super().get(request, *args, **kwargs)
        return self.render_to_response(self.get_context_data(form=self.get_form()))

    @property
    def is_nothing_offered(self) -> bool:
        """Whether something is to be paid and none of the shop's methods is for this order."""
        return self.has_payment_methods and not self.offered_payment_methods and self.is_payment_required()

    def get_context_data(self, **kwargs):
        return super().get_context_data(is_nothing_offered=self.is_nothing_offered, **kwargs)

    def post(self, request, *args, **kwargs):
        form = self.get_form(request.POST)
        if not form.is_valid() or self.is_nothing_offered:
            return self.render_to_response(self.get_context_data(form=form), status=422)
        if form.method is not None:
            self.checkout_session.pay_by(form.method.code)
        self.checkout_session.use_tax_identity(form.identity)
        return self.get_success_response()

    def get_success_url(self):
        """Oscar's next step; straight to the preview where there is nothing more to enter."""
        return reverse("checkout:preview") if self.get_payment_method() else super().get_success_url()


class PaymentDetailsViewMixin:
    template_name_preview = "oscar_fulfillment/checkout/preview.html"

    def get(self, request, *args, **kwargs):
        # Our methods need no details at this point: the step back from the preview is the choice of a method.
        if not self.preview and self.has_payment_methods:
            return redirect("checkout:payment-method")
        return super().get(request, *args, **kwargs)

    def dispatch(self, request, *args, **kwargs):
        placing = request.method == "POST" and request.POST.get("action") == "place_order"
        if placing and request.basket.is_empty and "checkout_order_id" in request.session:
            # The button was clicked again (or the page sent again) after the order was placed.
            return redirect("checkout:thank-you")
        return super().dispatch(request, *args, **kwargs)

    def submit(self, basket, **kwargs):
        try:
            return super().submit(basket=basket, **kwargs)
        except AlreadySubmitted:
            return self.answer_second_click(basket)

    def handle_successful_order(self, order):
        """An order paid online leads to its provider; when that is down, to the page where it is paid later."""
        response = super().handle_successful_order(order)
        fulfillment = getattr(order, "fulfillment", None)
        if fulfillment is None or fulfillment.payment_status != "awaiting_payment":
            return response
        if not pays_online(fulfillment.payment_method) or not links.payment_path(order):
            return response
        # With ATOMIC_REQUESTS the order is not safe yet: its page begins the payment, outside of this transaction.
        atomic = connections[router.db_for_write(Order)].settings_dict["ATOMIC_REQUESTS"]
        placed = _("Thank you! Your order %(number)s is placed.") % {"number": order.number}
        target = "" if atomic else begin(self.request, order, here=placed)
        if atomic:
            messages.success(self.request, placed)
        return HttpResponseRedirect(target or links.payment_path(order))

    def answer_second_click(self, basket):
        """Show the order the first click placed; this request leaves no trace in the session the first one writes."""
        deadline = time.monotonic() + WAIT_FOR_ORDER
        number = str(self.generate_order_number(basket))
        while not (order := Order._default_manager.filter(number=number, basket=basket).first()):
            if time.monotonic() > deadline:
                messages.warning(self.request, _("Your order is being placed. Look here again in a moment."))
                self.request.session.modified = False
                return redirect("basket:summary")
            time.sleep(0.1)
        self.checkout_session.flush()
        self.request.session["checkout_order_id"] = order.pk
        return HttpResponseRedirect(self.get_success_url())


class ThankYouViewMixin:
    template_name = "oscar_fulfillment/checkout/thank_you.html"

    def get_context_data(self, *args, **kwargs):
        context = super().get_context_data(*args, **kwargs)
        fulfillment = getattr(self.object, "fulfillment", None)
        context["payment_method"] = fulfillment.payment_method if fulfillment else None
        return context


class ShippingAddressView(ShippingAddressViewMixin, oscar_views.ShippingAddressView):
    pass


class UserAddressUpdateView(UserAddressUpdateViewMixin, oscar_views.UserAddressUpdateView):
    pass


class PaymentMethodView(PaymentMethodViewMixin, oscar_views.PaymentMethodView):
    pass


class PaymentDetailsView(PaymentDetailsViewMixin, oscar_views.PaymentDetailsView):
    pass


class ThankYouView(ThankYouViewMixin, oscar_views.ThankYouView):
    pass
