from oscar.apps.dashboard.orders.apps import OrdersDashboardConfig as OscarOrdersDashboardConfig

from oscar_fulfillment.orders_dashboard.apps import FulfillmentOrdersDashboardMixin


class OrdersDashboardConfig(FulfillmentOrdersDashboardMixin, OscarOrdersDashboardConfig):
    name = "tests.store.orders_dashboard"
