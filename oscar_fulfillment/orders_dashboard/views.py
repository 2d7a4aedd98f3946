"""The views that Oscar's URL names lead to: our mixins over Oscar's own classes."""

from oscar.apps.dashboard.orders import views as oscar_views

from .list_views import FulfillmentOrderListMixin
from .page_views import OrderDetailView

__all__ = ["OrderDetailView", "OrderListView"]


class OrderListView(FulfillmentOrderListMixin, oscar_views.OrderListView):
    """The order list."""
