"""The URLs of the order page, for the apps of ours and of stores with their own orders dashboard."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

#: Names of ours that need no more than the sight of the order; each step asks for its own permission.
PAGE_NAMES = (
    "order-oscar",
    "order-step",
    "order-hold",
    "order-hold-release",
    "order-note",
    "order-problem",
    "order-tracking",
    "order-history",
    "order-print",
    "order-message-again",
)


def page_permissions(order_detail: Any) -> dict[str, Any]:
    """``permissions_map`` entries for our names: the same as Oscar's ``order-detail``."""
    return dict.fromkeys(PAGE_NAMES, order_detail)


def page_urls(detail_view: Any = None, line_view: Any = None, address_view: Any = None) -> list[URLPattern]:
    """Everything below ``<number>/``. Give your own views to replace ours or Oscar's."""
    from oscar.apps.dashboard.orders import views as oscar_views

    from . import page_views as views

    detail = detail_view or views.OrderDetailView
    line = line_view or oscar_views.LineDetailView
    address = address_view or oscar_views.ShippingAddressUpdateView
    step = views.StepView
    return [
        path("<str:number>/", detail.as_view(), name="order-detail"),
        path("<str:number>/notes/<int:note_id>/", detail.as_view(), name="order-detail-note"),
        path("<str:number>/oscar/", detail.as_view(plain=True), name="order-oscar"),
        path("<str:number>/lines/<int:line_id>/", line.as_view(), name="order-line-detail"),
        path("<str:number>/shipping-address/", address.as_view(), name="order-shipping-address"),
        path("<str:number>/step/<slug:action>/", step.as_view(), name="order-step"),
        path("<str:number>/hold/", step.as_view(action="place_hold"), name="order-hold"),
        path("<str:number>/holds/<int:hold>/release/", step.as_view(action="release_hold"), name="order-hold-release"),
        path("<str:number>/note/", step.as_view(action="add_note"), name="order-note"),
        path("<str:number>/problem/", step.as_view(action="resolve_problem"), name="order-problem"),
        path(
            "<str:number>/shipments/<int:shipment>/tracking/",
            step.as_view(action="change_tracking"),
            name="order-tracking",
        ),
        path("<str:number>/history/", views.HistoryView.as_view(), name="order-history"),
        path("<str:number>/print/", views.PrintView.as_view(), name="order-print"),
        path(
            "<str:number>/messages/<int:message>/send-again/",
            views.MessageAgainView.as_view(),
            name="order-message-again",
        ),
    ]
