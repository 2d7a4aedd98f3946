from oscar.apps.dashboard.orders import views

from oscar_fulfillment.orders_dashboard.list_views import FulfillmentOrderListMixin
from oscar_fulfillment.orders_dashboard.page_views import FulfillmentOrderDetailMixin


class OrderListView(FulfillmentOrderListMixin, views.OrderListView):
    pass


class OrderDetailView(FulfillmentOrderDetailMixin, views.OrderDetailView):
    pass
