"""The URLs where a person lets the shop into other systems. Two words each, so that no order number is in their way."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS


def connection_permissions() -> dict[str, Any]:
    """``permissions_map`` entries of these pages."""
    needed = ["is_staff", f"oscar_fulfillment.{PERMISSIONS['manage_connectors']}"]
    return {pattern.name: needed for pattern in connection_urls() if pattern.name}


def connection_urls() -> list[URLPattern]:
    from . import connection_views as views

    base = "shop/connections/<slug:alias>"
    return [
        path("shop/connections/", views.ConnectionsView.as_view(), name="connection-list"),
        path(f"{base}/connect/", views.ConnectView.as_view(), name="connection-connect"),
        path(f"{base}/callback/", views.CallbackView.as_view(), name="connection-callback"),
        path(f"{base}/disconnect/", views.DisconnectView.as_view(), name="connection-disconnect"),
    ]
