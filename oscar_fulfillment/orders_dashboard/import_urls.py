"""The URLs of files that tell of parcels. Two words each, so that no order number is in their way."""

from __future__ import annotations

from django.urls import URLPattern, path

#: Who may open them, in Oscar's words; each view asks again.
ALLOWED = ["is_staff", "oscar_fulfillment.dispatch_order"]


def import_permissions() -> dict[str, list[str]]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in import_urls() if pattern.name}


def import_urls() -> list[URLPattern]:
    from . import import_views as views

    return [
        path("parcels/imports/", views.ImportsView.as_view(), name="order-imports"),
        path("parcels/imports/upload/", views.UploadView.as_view(), name="order-import-upload"),
        path("parcels/imports/files/<int:pk>/", views.ColumnsView.as_view(), name="order-import-layout"),
        path("parcels/imports/<int:pk>/", views.ImportView.as_view(), name="order-import"),
        path("parcels/imports/<int:pk>/apply/", views.ApplyView.as_view(), name="order-import-apply"),
        path("parcels/imports/<int:pk>/refused/", views.RefusedView.as_view(), name="order-import-refused"),
        path("parcels/imports/<int:pk>/progress/", views.ProgressView.as_view(), name="order-import-progress"),
    ]
