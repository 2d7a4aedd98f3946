"""The URLs of the returns. Two words each, so that no order number is in their way."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

#: Who may open them, in Oscar's words: staff, and partner users for their orders; each view asks again.
ALLOWED = tuple(["oscar_fulfillment.work_returns", each] for each in ("is_staff", "partner.dashboard_access"))


def return_permissions() -> dict[str, Any]:
    """``permissions_map`` entries of these pages."""
    return {pattern.name: ALLOWED for pattern in return_urls() if pattern.name}


def return_urls() -> list[URLPattern]:
    from . import return_list_views as lists
    from . import return_views as views

    return [
        path("list/returns/", lists.ReturnsView.as_view(), name="order-returns"),
        path("list/returns/<int:pk>/", views.ReturnView.as_view(), name="order-return"),
        path("list/returns/<int:pk>/slip.pdf", views.return_slip, name="order-return-slip"),
        *(
            path(f"list/returns/<int:pk>/{step}/", views.ReturnStepView.as_view(step=step), name=f"order-return-{step}")
            for step in ("approve", "refuse", "cancel", "receive", "refund", "exchange", "close")
        ),
        path("<str:number>/returns/new/", views.NewReturnView.as_view(), name="order-return-new"),
    ]
