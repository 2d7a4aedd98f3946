"""The dashboard's front page: what waits is one click away."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from oscar_fulfillment.test import factories

from .conftest import SHOTS, log_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.feature("D2")
def test_a_new_order_is_one_click_from_the_front_page(page):
    order = factories.placed_order()
    factories.dispatched_order()
    log_in(page, factories.staff_user("*"))
    page.goto("/dashboard/")
    SHOTS.mkdir(exist_ok=True)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=SHOTS / f"overview-{width}.png")
        # Oscar's own tables below have weak contrasts; our panel has none.
        assert Axe().run(page, context=".of-queues").response["violations"] == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("navigation", name="Orders that wait").get_by_role("link", name="1 New").click()
    assert page.get_by_role("link", name=order.number).first.is_visible()
