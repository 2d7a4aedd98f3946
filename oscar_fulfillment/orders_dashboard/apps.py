"""Oscar's orders dashboard with our pages: its URL names stay, so every link of Oscar lands on them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from oscar.apps.dashboard.orders.apps import OrdersDashboardConfig as OscarOrdersDashboardConfig

#: Modules with our URL patterns: ``<name>()`` in ``orders_dashboard/<name>.py``, asked in this order.
URL_SETS = ("list_urls", "page_urls")


class FulfillmentOrdersDashboardMixin:
    """For a store's own ``OrdersDashboardConfig``. Views are looked up in the store's ``views.py`` first, then in ours.

    Oscar's ``get_class`` looks for views of a dashboard app in the app labelled ``dashboard``, so they are set here.
    """

    #: Attribute that Oscar reads -> class name in ``views.py``.
    our_views = {
        "order_list_view": "OrderListView",
        "order_detail_view": "OrderDetailView",
        "shipping_address_view": "ShippingAddressUpdateView",
        "line_detail_view": "LineDetailView",
        "order_stats_view": "OrderStatsView",
    }

    def ready(self) -> None:
        super().ready()  # type: ignore[misc]
        for attribute, name in self.our_views.items():
            for module in (f"{self.name}.views", f"{__package__}.views"):  # type: ignore[attr-defined]
                try:
                    view = getattr(import_module(module), name, None)
                except ModuleNotFoundError as error:
                    if error.name != module:
                        raise
                    view = None
                if view is not None:
                    setattr(self, attribute, view)
                    break

    def configure_permissions(self) -> None:
        super().configure_permissions()  # type: ignore[misc]
        # Who may look at Oscar's list may open our pages; what can be *done* there is asked in each view.
        for pattern in self.our_urls():
            self.permissions_map.setdefault(pattern.name, self.permissions_map["order-list"])  # type: ignore[attr-defined]

    def our_urls(self) -> list[Any]:
        """Our patterns that Oscar does not have."""
        patterns: list[Any] = []
        for name in URL_SETS:
            try:
                module = import_module(f"{__package__}.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"{__package__}.{name}":
                    raise
                continue
            patterns += getattr(module, name)()
        return patterns

    def get_urls(self) -> list[Any]:
        # Ours first: Oscar's "<number>/" would take any word for an order number.
        ours = self.post_process_urls(self.our_urls())  # type: ignore[attr-defined]
        return [*ours, *super().get_urls()]  # type: ignore[misc]


class OrdersDashboardConfig(FulfillmentOrdersDashboardMixin, OscarOrdersDashboardConfig):
    name = "oscar_fulfillment.orders_dashboard"
