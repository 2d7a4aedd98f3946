"""The URLs of the scan desk. Two words each, so that no order number is in their way."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from oscar_fulfillment.permissions import PERMISSIONS

#: Mode -> (URL name, the action that it needs). The order is that of the tabs.
MODES: dict[str, tuple[str, str]] = {
    "pack": ("scan-desk", "pack"),
    "dispatch": ("scan-dispatch", "dispatch"),
    "returns": ("scan-returns", "work_returns"),
    "pickup": ("scan-pickup", "hand_over"),
}


def scan_permissions() -> dict[str, Any]:
    """``permissions_map`` entries: each mode by its own; the desk itself for whoever may use one of them."""

    def needed(action: str) -> list[str]:
        return ["is_staff", f"oscar_fulfillment.{PERMISSIONS[action]}"]

    by_view = {pattern.name: needed(_action_of(pattern)) for pattern in scan_urls() if pattern.name}
    every = {tuple(needed(action)): None for _name, action in MODES.values()}
    return by_view | {"scan-desk": tuple(list(each) for each in every)}


def _action_of(pattern: URLPattern) -> str:
    view: Any = pattern.callback
    return str(view.view_class.needs)


def scan_urls() -> list[URLPattern]:
    from . import scan_dispatch_views as dispatch
    from . import scan_pack_views as pack
    from . import scan_pickup_views as pickup

    return [
        path("scan/pack/", pack.DeskView.as_view(), name="scan-desk"),
        path("scan/pack/<int:shipment>/", pack.PackView.as_view(), name="scan-pack"),
        path("scan/pack/<int:shipment>/<slug:act>/", pack.ActView.as_view(), name="scan-act"),
        path("scan/dispatch/", dispatch.DispatchView.as_view(), name="scan-dispatch"),
        path("scan/returns/", dispatch.ReturnsView.as_view(), name="scan-returns"),
        path("scan/pick-up/", pickup.PickUpView.as_view(), name="scan-pickup"),
        path("scan/pick-up/<int:shipment>/", pickup.HandOverView.as_view(), name="scan-hand-over"),
    ]
