"""Oscar's checkout with our views, and the customer's invoice."""

from __future__ import annotations

from typing import Any

from django.urls import path
from oscar.apps.checkout.apps import CheckoutConfig as OscarCheckoutConfig


class FulfillmentCheckoutConfigMixin:
    """For a store's own ``CheckoutConfig``: the address of the invoice that its customer may fetch."""

    def get_urls(self) -> list[Any]:
        from .document_views import customer_invoice

        config: Any = self
        ours = [
            path("invoice/<str:order_number>/", customer_invoice, name="invoice"),
            path("invoice/<str:order_number>/<str:hash>/", customer_invoice, name="guest-invoice"),
        ]
        return [*super().get_urls(), *config.post_process_urls(ours)]  # type: ignore[misc]


class CheckoutConfig(FulfillmentCheckoutConfigMixin, OscarCheckoutConfig):
    name = "oscar_fulfillment.checkout"
