"""The URLs of the carriers' pages. Two words each, so that no order number is in their way."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS


def carrier_permissions() -> dict[str, Any]:
    """``permissions_map`` entries of these pages."""
    needed = ["is_staff", f"oscar_fulfillment.{PERMISSIONS['manage_carriers']}"]
    return {pattern.name: needed for pattern in carrier_urls() if pattern.name}


def carrier_urls() -> list[URLPattern]:
    from . import carrier_views as views

    return [
        path("shop/carriers/", views.CarriersView.as_view(), name="carrier-list"),
        path("shop/carriers/new/", views.OwnCarrierView.as_view(), name="carrier-new"),
        path("shop/carriers/codes/", views.CodesCsvView.as_view(), name="carrier-codes-csv"),
        path("shop/carriers/<slug:alias>/", views.CarrierView.as_view(), name="carrier"),
        path("shop/carriers/<slug:alias>/delete/", views.DeleteCarrierView.as_view(), name="carrier-delete"),
    ]
