"""The browser, the live server and axe work together."""

import pytest

from oscar_fulfillment.test import factories

from .conftest import log_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_staff_reaches_the_orders_of_the_dashboard(page):
    order = factories.placed_order()
    log_in(page, factories.staff_user("*"))
    page.goto("/dashboard/orders/")
    assert order.number in page.content()
