from oscar.apps.checkout import views
from oscar.apps.checkout.views import *  # noqa: F403

from oscar_fulfillment.checkout.views import (
    PaymentDetailsViewMixin,
    PaymentMethodViewMixin,
    ShippingAddressViewMixin,
    ThankYouViewMixin,
    UserAddressUpdateViewMixin,
)


class ShippingAddressView(ShippingAddressViewMixin, views.ShippingAddressView):
    pass


class UserAddressUpdateView(UserAddressUpdateViewMixin, views.UserAddressUpdateView):
    pass


class PaymentMethodView(PaymentMethodViewMixin, views.PaymentMethodView):
    pass


class PaymentDetailsView(PaymentDetailsViewMixin, views.PaymentDetailsView):
    pass


class ThankYouView(ThankYouViewMixin, views.ThankYouView):
    def get_context_data(self, *args, **kwargs):
        return super().get_context_data(*args, **kwargs) | {"gift_message": self.object.gift_message}
