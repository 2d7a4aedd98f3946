from oscar.apps.dashboard.orders.apps import OrdersDashboardConfig as OscarOrdersDashboardConfig


class OrdersDashboardConfig(OscarOrdersDashboardConfig):
    name = "oscar_fulfillment.orders_dashboard"

    def ready(self):
        super().ready()
        from .page_views import OrderDetailView

        self.order_detail_view = OrderDetailView

    def configure_permissions(self):
        from .page_urls import page_urls

        super().configure_permissions()
        for pattern in page_urls():
            self.permissions_map.setdefault(pattern.name, self.permissions_map["order-list"])

    def get_urls(self):
        from .page_urls import page_urls

        return [*self.post_process_urls(page_urls()), *super().get_urls()]
