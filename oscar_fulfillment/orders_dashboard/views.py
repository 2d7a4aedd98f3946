"""The views that Oscar's URL names lead to: our mixins over Oscar's own classes."""

from oscar.apps.dashboard.orders import views as oscar_views

from .list_views import FulfillmentOrderListMixin


class OrderListView(FulfillmentOrderListMixin, oscar_views.OrderListView):
    """The order list."""
