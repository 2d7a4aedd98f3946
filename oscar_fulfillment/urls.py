"""What is open to the outside: ``path("fulfillment/", include("oscar_fulfillment.urls"))`` in the shop's URLs.

Not below ``i18n_patterns``: vendors and the links in mails call one address whatever the language.
"""

from __future__ import annotations

from django.urls import path

from .payment_pages.document_views import customer_invoice
from .payment_pages.return_views import CancelCustomerReturnView, CustomerReturnSlipView, CustomerReturnsView
from .payment_pages.views import PayStateView, PayView
from .webhooks.commerceml import ExchangeView
from .webhooks.views import InboundView

app_name = "fulfillment"

urlpatterns = [
    path("pay/<str:token>/", PayView.as_view(), name="pay"),
    path("pay/<str:token>/state/", PayStateView.as_view(), name="pay-state"),
    path("invoice/<str:order_number>/", customer_invoice, name="invoice"),
    path("invoice/<str:order_number>/<str:hash>/", customer_invoice, name="guest-invoice"),
    path("returns/<str:order_number>/", CustomerReturnsView.as_view(), name="returns"),
    path("returns/<str:order_number>/<int:pk>/cancel/", CancelCustomerReturnView.as_view(), name="return-cancel"),
    path("returns/<str:order_number>/<int:pk>/slip.pdf", CustomerReturnSlipView.as_view(), name="return-slip"),
    path("returns/<str:order_number>/<str:hash>/", CustomerReturnsView.as_view(), name="guest-returns"),
    path(
        "returns/<str:order_number>/<str:hash>/<int:pk>/cancel/",
        CancelCustomerReturnView.as_view(),
        name="guest-return-cancel",
    ),
    path(
        "returns/<str:order_number>/<str:hash>/<int:pk>/slip.pdf",
        CustomerReturnSlipView.as_view(),
        name="guest-return-slip",
    ),
    path("exchange/1c/<slug:alias>/", ExchangeView.as_view(), name="exchange-1c"),
    path("webhooks/<slug:family>/<slug:name>/", InboundView.as_view(), name="webhook"),
]
