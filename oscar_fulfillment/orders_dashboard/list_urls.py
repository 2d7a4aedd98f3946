"""The URLs of the list beside Oscar's own: export, bulk actions, saved views."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path


def list_permissions(order_list: Any) -> dict[str, Any]:
    """``permissions_map`` entries for our names: the same as Oscar's ``order-list``."""
    return {pattern.name: order_list for pattern in list_urls() if pattern.name}


def list_urls() -> list[URLPattern]:
    """Two words each, so that no order number is in their way."""
    from . import bulk_views, export_views, saved_view_views

    return [
        path("list/export/", export_views.ExportView.as_view(), name="order-export"),
        path("list/views/", saved_view_views.SavedViewsView.as_view(), name="order-views"),
        path("list/views/save/", saved_view_views.SaveViewView.as_view(), name="order-view-save"),
        path("list/views/<int:pk>/", saved_view_views.ChangeViewView.as_view(), name="order-view-change"),
        path("list/views/<int:pk>/delete/", saved_view_views.DeleteViewView.as_view(), name="order-view-delete"),
        path("list/bulk/", bulk_views.BulkJobsView.as_view(), name="order-bulk-jobs"),
        path("list/bulk/<int:pk>/", bulk_views.BulkJobView.as_view(), name="order-bulk-job"),
        path("list/bulk/<int:pk>/progress/", bulk_views.BulkProgressView.as_view(), name="order-bulk-progress"),
        path("list/bulk/<int:pk>/retry/", bulk_views.BulkRetryView.as_view(), name="order-bulk-retry"),
        path("list/bulk/<int:pk>/slips/", bulk_views.BulkSlipsView.as_view(), name="order-bulk-slips"),
    ]
