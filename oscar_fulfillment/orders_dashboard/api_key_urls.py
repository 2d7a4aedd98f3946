"""The URLs of the keys of the API."""

from __future__ import annotations

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS

#: Who may open them, in Oscar's words; each view asks again.
ALLOWED = ["is_staff", f"oscar_fulfillment.{PERMISSIONS['manage_connectors']}"]


def api_key_permissions() -> dict[str, list[str]]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in api_key_urls() if pattern.name}


def api_key_urls() -> list[URLPattern]:
    from . import api_key_views as views

    def step(name: str) -> URLPattern:
        return path(f"api-keys/<int:pk>/{name}/", views.ApiKeyStepView.as_view(step=name), name=f"api-key-{name}")

    return [
        path("api-keys/", views.ApiKeysView.as_view(), name="api-key-list"),
        path("api-keys/new/", views.ApiKeyFormView.as_view(), name="api-key-new"),
        path("api-keys/<int:pk>/", views.ApiKeyView.as_view(), name="api-key"),
        path("api-keys/<int:pk>/edit/", views.ApiKeyFormView.as_view(), name="api-key-edit"),
        *(step(name) for name in views.STEPS),
    ]
