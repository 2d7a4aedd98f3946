"""What is open to the outside: ``path("fulfillment/", include("oscar_fulfillment.urls"))`` in the shop's URLs.

Not below ``i18n_patterns``: vendors call one address whatever the language.
"""

from __future__ import annotations

from django.urls import path

from .webhooks.views import InboundView

app_name = "fulfillment"

urlpatterns = [
    path("webhooks/<slug:family>/<slug:name>/", InboundView.as_view(), name="webhook"),
]
