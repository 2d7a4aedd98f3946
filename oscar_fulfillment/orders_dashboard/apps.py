from django.urls import path
from oscar.apps.dashboard.orders.apps import OrdersDashboardConfig as OscarOrdersDashboardConfig


class OrdersDashboardConfig(OscarOrdersDashboardConfig):
    name = "oscar_fulfillment.orders_dashboard"

    def configure_permissions(self):
        from .page_urls import page_permissions

        super().configure_permissions()
        self.permissions_map |= page_permissions(self.permissions_map["order-detail"])

    def get_urls(self):
        from .page_urls import page_urls

        urls = [
            path("", self.order_list_view.as_view(), name="order-list"),
            path("statistics/", self.order_stats_view.as_view(), name="order-stats"),
            *page_urls(),
        ]
        return self.post_process_urls(urls)
