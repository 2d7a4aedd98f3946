"""The URLs of the webhooks that tell other systems."""

from __future__ import annotations

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS

#: Who may open them, in Oscar's words; each view asks again.
ALLOWED = ["is_staff", f"oscar_fulfillment.{PERMISSIONS['manage_webhooks']}"]


def webhook_permissions() -> dict[str, list[str]]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in webhook_urls() if pattern.name}


def webhook_urls() -> list[URLPattern]:
    from . import webhook_views as views

    def step(name: str) -> URLPattern:
        return path(f"webhooks/<int:pk>/{name}/", views.WebhookStepView.as_view(step=name), name=f"webhook-{name}")

    return [
        path("webhooks/", views.WebhooksView.as_view(), name="webhook-list"),
        path("webhooks/new/", views.WebhookFormView.as_view(), name="webhook-new"),
        path("webhooks/<int:pk>/", views.WebhookView.as_view(), name="webhook"),
        path("webhooks/<int:pk>/edit/", views.WebhookFormView.as_view(), name="webhook-edit"),
        *(step(name) for name in views.STEPS),
        path("webhooks/<int:pk>/test/", views.WebhookTestView.as_view(), name="webhook-test"),
        path("webhooks/<int:pk>/replay/", views.WebhookReplayView.as_view(), name="webhook-replay"),
        path("webhooks/<int:pk>/messages/<int:message>/", views.DeliveryView.as_view(), name="webhook-delivery"),
        path(
            "webhooks/<int:pk>/messages/<int:message>/again/", views.DeliveryAgainView.as_view(), name="webhook-again"
        ),
    ]
