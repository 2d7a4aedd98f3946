"""Oscar's orders dashboard with our pages: its URL names stay, so every link of Oscar lands on them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from oscar.apps.dashboard.orders.apps import OrdersDashboardConfig as OscarOrdersDashboardConfig


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
                if view := getattr(_import(module), name, None):
                    setattr(self, attribute, view)
                    break
        self._offer_index_view()

    def _offer_index_view(self) -> None:
        """The front page of the dashboard around us, where the store has not forked it: see ``index_views``."""
        from oscar.apps.dashboard.views import IndexView

        from .index_views import FulfillmentIndexMixin

        dashboard: Any = apps.get_app_config("dashboard")
        if getattr(dashboard, "index_view", None) is IndexView:
            dashboard.index_view = type("IndexView", (FulfillmentIndexMixin, IndexView), {})

    def configure_permissions(self) -> None:
        from .accounts_urls import accounts_permissions
        from .api_key_urls import api_key_permissions
        from .carrier_urls import carrier_permissions
        from .connector_urls import connector_permissions
        from .emission_urls import emission_permissions
        from .import_urls import import_permissions
        from .list_urls import list_permissions
        from .money_urls import money_permissions
        from .nfe_urls import nfe_permissions
        from .page_urls import page_urls
        from .return_urls import return_permissions
        from .scan_urls import scan_permissions
        from .settings_urls import settings_permissions
        from .supply_urls import supply_permissions
        from .webhook_urls import webhook_permissions

        super().configure_permissions()  # type: ignore[misc]
        # Staff who may see our statuses need no second permission of Oscar's to open the pages that show them.
        for name in ("order-list", "order-detail", "order-line-detail"):
            self.permissions_map[name] = (
                *self.permissions_map[name],
                ["is_staff", "oscar_fulfillment.view_orderfulfillment"],
            )
        # Who may look at Oscar's list and page may open ours; what can be *done* there is asked in each view.
        self.permissions_map |= list_permissions(self.permissions_map["order-list"])  # type: ignore[has-type]
        self.permissions_map |= money_permissions() | supply_permissions() | import_permissions()
        self.permissions_map |= return_permissions() | scan_permissions() | carrier_permissions() | nfe_permissions()
        self.permissions_map |= emission_permissions() | accounts_permissions()
        for pattern in page_urls():
            self.permissions_map.setdefault(pattern.name, self.permissions_map["order-detail"])
        self.permissions_map |= settings_permissions()
        self.permissions_map |= webhook_permissions() | connector_permissions() | api_key_permissions()

    def get_urls(self) -> list[Any]:
        from .accounts_urls import accounts_urls
        from .api_key_urls import api_key_urls
        from .carrier_urls import carrier_urls
        from .connector_urls import connector_urls
        from .emission_urls import emission_urls, profile_urls
        from .import_urls import import_urls
        from .list_urls import list_urls
        from .money_urls import money_urls
        from .nfe_urls import nfe_urls
        from .page_urls import page_urls
        from .return_urls import return_urls
        from .scan_urls import scan_urls
        from .settings_urls import settings_urls
        from .supply_urls import supply_urls
        from .webhook_urls import webhook_urls

        config: Any = self
        # Ours first: Oscar's "<number>/" takes any word for an order number.
        ours = [
            *list_urls(),
            *money_urls(),
            *accounts_urls(),
            *nfe_urls(),
            *emission_urls(),
            *profile_urls(),
            *supply_urls(),
            *import_urls(),
            *return_urls(),
            *scan_urls(),
            *carrier_urls(),
            *settings_urls(),
            *webhook_urls(),
            *connector_urls(),
            *api_key_urls(),
            *page_urls(),
        ]
        return [*config.post_process_urls(ours), *super().get_urls()]  # type: ignore[misc]


def _import(module: str) -> Any:
    """The module, or None where a store has none of that name. A mistake inside it is raised."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None


class OrdersDashboardConfig(FulfillmentOrdersDashboardMixin, OscarOrdersDashboardConfig):
    name = "oscar_fulfillment.orders_dashboard"
