"""The dashboard's front page with Oscar's figures, read in a way that does not grow with the number of orders."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db.models import Avg, Count, Sum
from django.http import HttpRequest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.selectors.totals import all_time

#: Seconds for which figures are kept that no index answers (baskets, alerts, new accounts). The page reloads itself as
#: often.
KEPT_FOR = 300
_KEY = "oscar_fulfillment.index.1"


class FulfillmentIndexMixin:
    """For the dashboard's ``IndexView``: the same context as Oscar's, by other queries.

    Partners' people get Oscar's own queries, over their own orders.
    """

    request: HttpRequest

    def get_stats(self) -> dict[str, Any]:
        if not self.request.user.is_staff:
            return super().get_stats()  # type: ignore[misc]
        Order, Line = get_model("order", "Order"), get_model("order", "Line")
        yesterday = timezone.now() - timedelta(hours=24)
        orders = Order._default_manager.all()
        recent = orders.filter(date_placed__gt=yesterday)
        day = recent.aggregate(orders=Count("pk"), average=Avg("total_incl_tax"), revenue=Sum("total_incl_tax"))
        total = all_time()
        return {
            "total_orders_last_day": day["orders"],
            "total_lines_last_day": Line._default_manager.filter(order__in=recent).count(),
            "average_order_costs": day["average"] or Decimal("0.00"),
            "total_revenue_last_day": day["revenue"] or Decimal("0.00"),
            "hourly_report_dict": self.get_hourly_report(orders),  # type: ignore[attr-defined]
            "total_customers": total.customers,
            "total_orders": total.orders,
            "total_lines": total.lines,
            "total_revenue": total.revenue,
            # Oscar's page does not show it, so it is not read there.
            "order_status_breakdown": orders.order_by("status").values("status").annotate(freq=Count("id")),
            "offer_maps": (
                get_model("offer", "ConditionalOffer")
                ._default_manager.filter(end_datetime__gt=timezone.now())
                .values("offer_type")
                .annotate(count=Count("id"))
                .order_by("offer_type")
            ),
            "total_vouchers": self.get_active_vouchers().count(),  # type: ignore[attr-defined]
            **_kept_figures(),
        }


def _kept_figures() -> dict[str, int]:
    found = cache.get(_KEY)
    if found is None:
        cache.set(_KEY, found := _slow_figures(), KEPT_FOR)
    return found


def _slow_figures() -> dict[str, int]:
    Basket, StockAlert = get_model("basket", "Basket"), get_model("partner", "StockAlert")
    Order, yesterday = get_model("order", "Order"), timezone.now() - timedelta(hours=24)
    # Who joined within the day and has orders has placed them within the day.
    newcomers = Order._default_manager.filter(date_placed__gt=yesterday, user__date_joined__gt=yesterday)
    baskets = Basket._default_manager.filter(status=Basket.OPEN)
    alerts = StockAlert._default_manager
    return {
        "total_products": get_model("catalogue", "Product")._default_manager.count(),
        "total_open_stock_alerts": alerts.filter(status=StockAlert.OPEN).count(),
        "total_closed_stock_alerts": alerts.filter(status=StockAlert.CLOSED).count(),
        "total_open_baskets": baskets.count(),
        "total_open_baskets_last_day": baskets.filter(date_created__gt=yesterday).count(),
        "total_customers_last_day": newcomers.order_by().values("user").distinct().count(),
    }
