"""The URLs of the order page beside Oscar's own (order-detail, order-detail-note, order-line-detail,
order-shipping-address), which keep their names and lead to the views that the app config found."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.urls import URLPattern, path

from . import document_views
from . import page_views as views
from .edit_views import EditPriceView, EditView
from .money_actions import MONEY_ACTIONS, slug
from .page_payment_views import CheckPaymentView
from .page_step_view import StepView
from .page_tracking_views import AskCarrierView, LabelView, TrackingEventsView


def page_urls() -> list[URLPattern]:
    """Everything below ``<number>/`` that Oscar does not have. Seeing the order is enough to get there; each step asks
    for its own permission."""
    return [
        path("<str:number>/oscar/", _detail_view().as_view(plain=True), name="order-oscar"),
        path("<str:number>/step/<slug:action>/", StepView.as_view(), name="order-step"),
        path("<str:number>/hold/", StepView.as_view(action="place_hold"), name="order-hold"),
        path(
            "<str:number>/holds/<int:hold>/release/", StepView.as_view(action="release_hold"), name="order-hold-release"
        ),
        path("<str:number>/edit/", EditView.as_view(), name="order-edit"),
        path("<str:number>/edit/price/", EditPriceView.as_view(), name="order-edit-price"),
        path("<str:number>/edit/back/", StepView.as_view(action="revert_edit"), name="order-edit-revert"),
        path("<str:number>/note/", StepView.as_view(action="add_note"), name="order-note"),
        path("<str:number>/problem/", StepView.as_view(action="resolve_problem"), name="order-problem"),
        path(
            "<str:number>/shipments/<int:shipment>/tracking/",
            StepView.as_view(action="change_tracking"),
            name="order-tracking",
        ),
        path(
            "<str:number>/parcels/<int:parcel>/tracking/",
            StepView.as_view(action="change_tracking"),
            name="order-parcel-tracking",
        ),
        path(
            "<str:number>/shipments/<int:shipment>/parcels/",
            StepView.as_view(action="change_parcels"),
            name="order-parcels",
        ),
        path(
            "<str:number>/shipments/<int:shipment>/split/",
            StepView.as_view(action="split_shipment"),
            name="order-shipment-split",
        ),
        path("<str:number>/shipments/merge/", StepView.as_view(action="merge_shipments"), name="order-shipments-merge"),
        path(
            "<str:number>/shipments/<int:shipment>/carriage/",
            StepView.as_view(action="order_carriage"),
            name="order-carriage",
        ),
        path(
            "<str:number>/carriage/<int:carriage>/cancel/",
            StepView.as_view(action="cancel_carriage"),
            name="order-carriage-cancel",
        ),
        path("<str:number>/carriage/<int:carriage>/label.pdf", LabelView.as_view(), name="order-carriage-label"),
        path(
            "<str:number>/shipments/<int:shipment>/tracking/events/",
            TrackingEventsView.as_view(),
            name="order-tracking-events",
        ),
        path(
            "<str:number>/shipments/<int:shipment>/tracking/ask/", AskCarrierView.as_view(), name="order-tracking-ask"
        ),
        path(
            "<str:number>/shipments/<int:shipment>/ready/",
            StepView.as_view(action="ready_for_pickup"),
            name="order-ready",
        ),
        *(
            path(f"<str:number>/money/{slug(action)}/", StepView.as_view(action=action), name=f"order-{slug(action)}")
            for action in MONEY_ACTIONS
        ),
        path("<str:number>/payments/check/", CheckPaymentView.as_view(), name="order-payments-check"),
        path("<str:number>/payments/<int:payment>/check/", CheckPaymentView.as_view(), name="order-payment-check"),
        path("<str:number>/history/", views.HistoryView.as_view(), name="order-history"),
        path(
            "<str:number>/documents/<slug:document>/",
            document_views.OrderDocumentView.as_view(),
            name="order-document",
        ),
        path("<str:number>/invoice.pdf", document_views.order_invoice, name="order-invoice-pdf"),
        path(
            "<str:number>/messages/<int:message>/send-again/",
            views.MessageAgainView.as_view(),
            name="order-message-again",
        ),
    ]


def _detail_view() -> Any:
    """A store's own order page where it has our mixin, else ours."""
    chosen = getattr(apps.get_app_config("orders_dashboard"), "order_detail_view", None)
    return chosen if hasattr(chosen, "plain") else views.OrderDetailView
