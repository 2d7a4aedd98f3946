"""The figures of the dashboard's front page: Oscar's numbers, whatever the number of orders."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.apps.dashboard.views import IndexView
from oscar.core.loading import get_model

from oscar_fulfillment.orders_dashboard.index_views import FulfillmentIndexMixin
from oscar_fulfillment.selectors import totals
from oscar_fulfillment.test import factories
from tests.many import copies

pytestmark = pytest.mark.django_db

#: Of Oscar's context; what is a query in it is compared by its rows.
NUMBERS = (
    "total_orders_last_day", "total_lines_last_day", "average_order_costs", "total_revenue_last_day",
    "total_customers_last_day", "total_open_baskets_last_day", "total_products",
    "total_open_stock_alerts", "total_closed_stock_alerts", "total_customers", "total_open_baskets", "total_orders",
    "total_lines", "total_revenue", "total_vouchers",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()
    yield
    cache.clear()


def front_page(client, user):
    client.force_login(user)
    response = client.get("/dashboard/")
    assert response.status_code == 200
    return response.context


def oscars(rf, user):
    request = rf.get("/dashboard/")
    request.user = user
    view = IndexView()
    view.setup(request)
    return view.get_stats()


@pytest.fixture
def trade():
    """Orders of new and old customers, of guests, of today and of last month."""
    item = factories.product(stock=100)
    for lines in (1, 3):
        factories.placed_order(lines=[(item, lines)])
    old = factories.placed_order(lines=[(item, 2)])
    Order = get_model("order", "Order")
    Order.objects.filter(pk=old.pk).update(date_placed=timezone.now() - timedelta(days=30))
    buyer = factories.staff_user()
    Order.objects.exclude(pk=old.pk).update(user=buyer)
    regular = factories.staff_user(date_joined=timezone.now() - timedelta(days=90))
    Order.objects.filter(pk=old.pk).update(user=regular)
    return old


def test_the_front_page_is_ours_where_the_store_has_none_of_its_own():
    assert issubclass(apps.get_app_config("dashboard").index_view, FulfillmentIndexMixin)
    assert issubclass(apps.get_app_config("dashboard").index_view, IndexView)


def test_the_figures_are_oscars(client, rf, trade):
    user = factories.staff_user("*")
    ours, theirs = front_page(client, user), oscars(rf, user)
    assert {name: ours[name] for name in NUMBERS} == {name: theirs[name] for name in NUMBERS}
    hours = [
        [hour["percentage"] for hour in each["hourly_report_dict"]["order_total_hourly"]] for each in (ours, theirs)
    ]
    assert hours[0] == hours[1]
    assert any(hours[0])
    assert theirs["total_orders"] == 3
    assert theirs["total_customers_last_day"] == 1
    assert theirs["total_customers"] == 2
    for name in ("order_status_breakdown", "offer_maps"):
        assert list(ours[name]) == list(theirs[name])


@pytest.mark.parametrize("unsettled", [0, 1, 2, 200])
def test_what_came_since_the_count_of_the_day_is_added(client, rf, trade, monkeypatch, unsettled):
    monkeypatch.setattr(totals, "UNSETTLED", unsettled)
    user = factories.staff_user("*")
    before = front_page(client, user)
    trade.refresh_from_db()
    newest = factories.placed_order()
    get_model("order", "Order").objects.filter(pk=newest.pk).update(user=trade.user_id)
    factories.placed_order()
    after, theirs = front_page(client, user), oscars(rf, user)
    for name in ("total_orders", "total_lines", "total_revenue", "total_customers", "total_orders_last_day"):
        assert after[name] == theirs[name], name
    assert after["total_orders"] == before["total_orders"] + 2


def test_deleted_orders_leave_the_totals_with_the_next_count(trade, monkeypatch):
    monkeypatch.setattr(totals, "UNSETTLED", 0)
    assert totals.all_time().orders == 3
    trade.delete()
    assert totals.all_time().orders == 3
    cache.clear()
    assert totals.all_time().orders == 2


def test_a_shop_without_orders_has_zeros(client):
    context = front_page(client, factories.staff_user("*"))
    assert (context["total_orders"], context["total_revenue"], context["total_customers"]) == (0, Decimal("0.00"), 0)


def test_later_visits_count_no_settled_order_and_cost_the_same(client, monkeypatch):
    monkeypatch.setattr(totals, "UNSETTLED", 0)
    first = factories.placed_order()
    user = factories.staff_user("*")
    front_page(client, user)
    with CaptureQueriesContext(connection) as few:
        front_page(client, user)
    copies(first, 30)
    with CaptureQueriesContext(connection) as many:
        assert front_page(client, user)["total_orders"] == 31
    assert len(many) == len(few)
    assert not [q["sql"] for q in many if 'FROM "order_order"' in q["sql"] and " WHERE " not in q["sql"]]


def test_a_partners_people_see_the_figures_of_their_own_orders(client):
    mine = factories.placed_order(lines=[(factories.product(partner="Potter"), 1)])
    factories.placed_order()
    user = factories.staff_user()
    user.is_staff = False
    user.save()
    user.user_permissions.add(get_model("auth", "Permission").objects.get(codename="dashboard_access"))
    mine.lines.get().partner.users.add(user)
    assert front_page(client, user)["total_orders"] == 1
