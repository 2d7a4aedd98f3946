"""What every view of the checkout knows: the ways to pay that are offered, the chosen one, the buyer's tax number."""

from __future__ import annotations

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from oscar.apps.checkout import exceptions
from oscar.apps.checkout import session as oscar_session

from oscar_fulfillment.conf import settings
from oscar_fulfillment.models import PaymentMethod

from . import identity


class FulfillmentCheckoutMixin:
    """For Oscar's ``CheckoutSessionMixin``.

    A shop without active payment methods, for a country that asks for no tax number, keeps Oscar's checkout as it is.
    """

    @cached_property
    def offered_payment_methods(self) -> list[PaymentMethod]:
        """The active payment methods this visitor may choose, in their order."""
        methods = list(PaymentMethod.objects.filter(is_active=True))
        if path := settings.CHECKOUT_PAYMENT_METHODS:
            methods = list(import_string(path)(self.request, methods))
        return methods

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
        if self.offered_payment_methods and not self.get_payment_method() and self.is_payment_required():
            raise exceptions.FailedPreCondition(url=url, message=_("Please choose how you would like to pay"))
        if self.identity_rule.required and not self.get_tax_identity():
            raise exceptions.FailedPreCondition(url=url, message=_("Please give your tax number"))

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
        context.setdefault("has_payment_choice", bool(self.offered_payment_methods or self.identity_rule.kinds))
        return context


class CheckoutSessionMixin(FulfillmentCheckoutMixin, oscar_session.CheckoutSessionMixin):
    pass
