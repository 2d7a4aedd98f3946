"""The URLs of the list beside Oscar's own: export, bulk actions, saved views, follow-ups."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path


def list_permissions(order_list: Any) -> dict[str, Any]:
    """``permissions_map`` entries for our names: the same as Oscar's ``order-list``. The to-do list has its own, so
    that only those who work it see it in the navigation."""
    followups = tuple(["oscar_fulfillment.manage_followups", each] for each in ("is_staff", "partner.dashboard_access"))
    names = [pattern.name for pattern in list_urls() if pattern.name]
    return {name: followups if name.startswith("order-followup") else order_list for name in names}


def list_urls() -> list[URLPattern]:
    """Two words each, so that no order number is in their way."""
    from . import bulk_views, export_views, followup_views, saved_view_views

    return [
        path("list/export/", export_views.ExportView.as_view(), name="order-export"),
        path("list/views/", saved_view_views.SavedViewsView.as_view(), name="order-views"),
        path("list/views/save/", saved_view_views.SaveViewView.as_view(), name="order-view-save"),
        path("list/views/<int:pk>/", saved_view_views.ChangeViewView.as_view(), name="order-view-change"),
        path("list/views/<int:pk>/delete/", saved_view_views.DeleteViewView.as_view(), name="order-view-delete"),
        path("list/follow-ups/", followup_views.FollowUpsView.as_view(), name="order-followups"),
        path("list/follow-ups/<int:pk>/", followup_views.FollowUpView.as_view(), name="order-followup"),
        path(
            "list/follow-ups/<int:pk>/assign/",
            followup_views.AssignFollowUpView.as_view(),
            name="order-followup-assign",
        ),
        path(
            "list/follow-ups/<int:pk>/close/", followup_views.CloseFollowUpView.as_view(), name="order-followup-close"
        ),
        path("list/bulk/", bulk_views.BulkJobsView.as_view(), name="order-bulk-jobs"),
        path("list/bulk/<int:pk>/", bulk_views.BulkJobView.as_view(), name="order-bulk-job"),
        path("list/bulk/<int:pk>/progress/", bulk_views.BulkProgressView.as_view(), name="order-bulk-progress"),
        path("list/bulk/<int:pk>/retry/", bulk_views.BulkRetryView.as_view(), name="order-bulk-retry"),
        path("list/bulk/<int:pk>/document.pdf", bulk_views.BulkDocumentView.as_view(), name="order-bulk-document"),
    ]
