"""The URLs of the pages of other systems."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS

#: Who may open them, in Oscar's words; each view asks again.
ALLOWED = ["is_staff", f"oscar_fulfillment.{PERMISSIONS['manage_connectors']}"]


def connector_permissions() -> dict[str, list[str]]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in connector_urls() if pattern.name}


def connector_urls() -> list[URLPattern]:
    from . import connection_views, connector_rule_views
    from . import connector_views as views

    def export(step: str) -> URLPattern:
        return path(f"systems/exports/<int:pk>/{step}/", views.ExportStepView.as_view(step=step), name=f"export-{step}")

    def connection(step: str, view: Any) -> URLPattern:
        return path(f"systems/<slug:alias>/{step}/", view.as_view(), name=f"connection-{step}")

    def change(step: str) -> URLPattern:
        return path(f"systems/words/<int:pk>/{step}/", views.ChangeStepView.as_view(step=step), name=f"outside-{step}")

    return [
        path("systems/", views.ConnectorsView.as_view(), name="connector-list"),
        path("systems/exports/", views.ExportsView.as_view(), name="export-list"),
        path("systems/exports/again/", views.ExportsAgainView.as_view(), name="exports-again"),
        export("again"),
        export("dismiss"),
        path("systems/words/", views.ChangesView.as_view(), name="outside-list"),
        change("again"),
        change("settled"),
        path("systems/<slug:alias>/ask/", views.AskView.as_view(), name="connector-ask"),
        path("systems/<slug:alias>/rules/", connector_rule_views.RulesView.as_view(), name="connector-rules"),
        connection("connect", connection_views.ConnectView),
        connection("callback", connection_views.CallbackView),
        path(
            "systems/<slug:alias>/disconnect/", connection_views.DisconnectView.as_view(), name="connection-disconnect"
        ),
    ]
