"""The URLs of what a manager sets up and looks after beside the orders: payment methods, messages."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS


def settings_permissions() -> dict[str, Any]:
    """``permissions_map`` entries: the navigation shows an entry only to those who may open it."""
    found: dict[str, Any] = {}
    for patterns, action in ((method_urls(), "manage_payment_methods"), (message_urls(), "manage_messages")):
        needed = ["is_staff", f"oscar_fulfillment.{PERMISSIONS[action]}"]
        found |= {pattern.name: needed for pattern in patterns if pattern.name}
    return found


def settings_urls() -> list[URLPattern]:
    """Before Oscar's ``<number>/``, so that no word of ours is taken for an order number."""
    return [*method_urls(), *message_urls()]


def method_urls() -> list[URLPattern]:
    from . import method_views as views

    def step(name: str) -> URLPattern:
        return path(
            f"payment-methods/<int:pk>/{name}/",
            views.MethodStepView.as_view(step=name),
            name=f"payment-method-{name}",
        )

    return [
        path("payment-methods/", views.MethodListView.as_view(), name="payment-method-list"),
        path("payment-methods/new/", views.MethodFormView.as_view(), name="payment-method-new"),
        path("payment-methods/<int:pk>/", views.MethodChangeView.as_view(), name="payment-method"),
        path("payment-methods/<int:pk>/copy/", views.MethodFormView.as_view(is_copy=True), name="payment-method-copy"),
        *(step(name) for name in ("offer", "withdraw", "up", "down", "delete")),
        path(
            "payment-methods/<int:pk>/customers/<int:user>/allow/",
            views.MethodCustomerView.as_view(),
            name="payment-method-allow",
        ),
        path(
            "payment-methods/<int:pk>/customers/<int:user>/remove/",
            views.MethodCustomerView.as_view(allow=False),
            name="payment-method-disallow",
        ),
    ]


def message_urls() -> list[URLPattern]:
    from . import message_views as views

    return [
        path("messages/", views.MessagesView.as_view(), name="message-list"),
        path("messages/again/", views.AgainView.as_view(), name="message-again"),
        path("messages/<str:way>/<int:pk>/", views.MessageView.as_view(), name="message-detail"),
    ]
