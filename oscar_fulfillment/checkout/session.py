"""What every view of the checkout knows: the ways to pay that are offered, the chosen one, the buyer's tax number."""

from __future__ import annotations

import logging

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from oscar.apps.checkout import exceptions
from oscar.apps.checkout import session as oscar_session
from oscar.core.loading import get_model

from oscar_fulfillment import flows
from oscar_fulfillment.conf import settings
from oscar_fulfillment.models import PaymentMethod
from oscar_fulfillment.selectors import payment_methods

from . import identity

logger = logging.getLogger("oscar_fulfillment.payments")


class FulfillmentCheckoutMixin:
    """For Oscar's ``CheckoutSessionMixin``.

    A shop without active payment methods, for a country that asks for no tax number, keeps Oscar's checkout as it is.
    """

    @cached_property
    def offered_payment_methods(self) -> list[PaymentMethod]:
        """The payment methods this visitor may use for this basket, in the merchant's order."""
        address = self.get_shipping_address(self.request.basket)
        methods = payment_methods.offered(
            user=self.request.user,
            basket=self.request.basket,
            country=address.country_id or "" if address else "",
            flow=self.foreseen_flow,
        )
        if path := settings.CHECKOUT_PAYMENT_METHODS:
            methods = list(import_string(path)(self.request, methods))
        return methods

    @cached_property
    def has_payment_methods(self) -> bool:
        """Whether the shop has active methods at all; without any, Oscar's checkout stays as it is."""
        return bool(self.offered_payment_methods) or payment_methods.are_there_methods()

    def foreseen_flow(self) -> str:
        """The flow the order will follow, as far as can be told before it is there; "" where it cannot.

        The setting FLOW is asked with an order that is not saved: buyer, basket, currency and address, no lines.
        """
        basket = self.request.basket
        user = self.request.user if self.request.user.is_authenticated else None
        order = get_model("order", "Order")(
            user=user, basket=basket, currency=basket.currency or "",
            shipping_address=self.get_shipping_address(basket),
        )  # fmt: skip
        try:
            return flows.choose_flow(order)
        except Exception:
            # A shop's own function may look at what only a placed order has: then methods of some flows are not shown.
            logger.exception("the flow of an order cannot be told before it is placed")
            return ""

    @cached_property
    def identity_rule(self) -> identity.IdentityRule:
        """Which tax number the country shipped to asks for."""
        address = self.get_shipping_address(self.request.basket)
        return identity.rule_for(address.country_id if address else None)

    def is_payment_required(self) -> bool:
        """Whether there is anything to pay."""
        try:
            self.skip_unless_payment_is_required(self.request)
        except exceptions.PassedSkipCondition:
            return False
        return True

    def get_payment_method(self) -> PaymentMethod | None:
        """The chosen way to pay, if it is (still) offered."""
        code = self.checkout_session.payment_method()
        return next((method for method in self.offered_payment_methods if method.code == code), None)

    def get_tax_identity(self) -> identity.TaxIdentity | None:
        """The buyer's tax number, if the country shipped to asks for its kind."""
        found = self.checkout_session.tax_identity()
        return found if found and found.kind in self.identity_rule.kinds else None

    def check_payment_data_is_captured(self, request):
        """Pre-condition of the preview and of placing the order."""
        super().check_payment_data_is_captured(request)
        url = reverse("checkout:payment-method")
        if self.has_payment_methods and not self.get_payment_method() and self.is_payment_required():
            raise exceptions.FailedPreCondition(url=url, message=self._why_choose())
        if self.identity_rule.required and not self.get_tax_identity():
            raise exceptions.FailedPreCondition(url=url, message=_("Please give your tax number"))

    def _why_choose(self):
        """What the buyer is told whose order has no payment method (any more)."""
        gone = PaymentMethod.objects.filter(code=self.checkout_session.payment_method() or "").first()
        if gone is None:
            return _("Please choose how you would like to pay")
        return _("“%(method)s” is not offered for this order any more. Please choose another way to pay.") % {
            "method": gone.label
        }

    def build_submission(self, **kwargs):
        """Oscar's submission, with what the order's fulfillment row needs among the arguments of ``place_order``."""
        submission = super().build_submission(**kwargs)
        found = self.get_tax_identity()
        submission["order_kwargs"].setdefault(
            "fulfillment",
            {
                "payment_method": self.get_payment_method(),
                "tax_id": found.number if found else "",
                "tax_id_kind": found.kind if found else "",
                "language": get_language() or "",
            },
        )
        return submission

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context.setdefault("chosen_payment_method", self.get_payment_method())
        context.setdefault("tax_identity", self.get_tax_identity())
        context.setdefault("has_payment_choice", bool(self.has_payment_methods or self.identity_rule.kinds))
        return context


class CheckoutSessionMixin(FulfillmentCheckoutMixin, oscar_session.CheckoutSessionMixin):
    pass
