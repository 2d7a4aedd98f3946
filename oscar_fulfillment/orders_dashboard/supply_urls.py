"""The URLs of missing goods and orders from suppliers. Two words each, so that no order number is in their way."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

_ORDERING = ["is_staff", "oscar_fulfillment.order_missing_goods"]
#: Who may open what is missing and what could be released; each view asks again what may be done there.
_LOOKING = (_ORDERING, ["is_staff", "oscar_fulfillment.release_order"])
_SHARED = frozenset({"order-missing", "order-missing-csv", "order-releasable"})


def supply_permissions() -> dict[str, Any]:
    """``permissions_map`` entries of these pages."""
    return {
        pattern.name: _LOOKING if pattern.name in _SHARED else _ORDERING for pattern in supply_urls() if pattern.name
    }


def supply_urls() -> list[URLPattern]:
    from . import missing_views as missing
    from . import supply_views as supply

    return [
        path("supply/missing/", missing.MissingView.as_view(), name="order-missing"),
        path("supply/missing/export/", missing.MissingCsvView.as_view(), name="order-missing-csv"),
        path("supply/missing/<int:supplier>/", missing.OrderMissingView.as_view(), name="order-missing-order"),
        path("supply/releasable/", missing.ReleasableView.as_view(), name="order-releasable"),
        path("supply/orders/", supply.SuppliesView.as_view(), name="order-supplies"),
        path("supply/orders/<int:pk>/", supply.SupplyView.as_view(), name="order-supply"),
        path("supply/orders/<int:pk>/receive/", supply.ReceiveView.as_view(), name="order-supply-receive"),
        path("supply/orders/<int:pk>/cancel/", supply.CancelView.as_view(), name="order-supply-cancel"),
        path("supply/orders/<int:pk>/export/", supply.SupplyCsvView.as_view(), name="order-supply-csv"),
    ]
