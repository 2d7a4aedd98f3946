"""What is open to the outside: ``path("fulfillment/", include("oscar_fulfillment.urls"))`` in the shop's URLs.

Not below ``i18n_patterns``: vendors and the links in mails call one address whatever the language.
"""

from __future__ import annotations

from django.urls import path

from .payment_pages.views import PayStateView, PayView
from .webhooks.views import InboundView

app_name = "fulfillment"

urlpatterns = [
    path("pay/<str:token>/", PayView.as_view(), name="pay"),
    path("pay/<str:token>/state/", PayStateView.as_view(), name="pay-state"),
    path("webhooks/<slug:family>/<slug:name>/", InboundView.as_view(), name="webhook"),
]
