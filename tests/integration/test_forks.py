"""The three forks sit where Oscar looks for them: ours, or those of a store that has its own (``FORKS=own``)."""

import subprocess
import sys

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.urls import resolve, reverse
from oscar.core.loading import get_class, get_model

from oscar_fulfillment.checkout import mixins, session, utils
from oscar_fulfillment.order.mixins import (
    FulfillmentEventHandlerMixin,
    FulfillmentOrderCreatorMixin,
    FulfillmentOrderMixin,
)
from oscar_fulfillment.orders_dashboard.list_views import FulfillmentOrderListMixin
from oscar_fulfillment.orders_dashboard.page_views import FulfillmentOrderDetailMixin
from oscar_fulfillment.test import factories

HOME = "tests.store" if settings.OWN_FORKS else "oscar_fulfillment"


@pytest.mark.parametrize(
    ("module", "name", "mixin"),
    [
        ("order.utils", "OrderCreator", FulfillmentOrderCreatorMixin),
        ("order.processing", "EventHandler", FulfillmentEventHandlerMixin),
        ("checkout.mixins", "OrderPlacementMixin", mixins.FulfillmentPlacementMixin),
        ("checkout.session", "CheckoutSessionMixin", session.FulfillmentCheckoutMixin),
        ("checkout.utils", "CheckoutSessionData", utils.FulfillmentSessionMixin),
    ],
)
def test_oscar_finds_the_fork(module, name, mixin):
    found = get_class(module, name)
    assert issubclass(found, mixin)
    assert found.__module__ == f"{HOME}.{module}"


def test_the_order_is_the_forks():
    Order = get_model("order", "Order")
    assert issubclass(Order, FulfillmentOrderMixin)
    assert Order.__module__ == f"{HOME}.order.models"


def test_the_dashboards_pages_are_ours_under_oscars_names():
    config = apps.get_app_config("orders_dashboard")
    assert config.name == f"{HOME}.orders_dashboard"
    for name, kwargs, mixin in (
        ("order-list", {}, FulfillmentOrderListMixin),
        ("order-detail", {"number": "1"}, FulfillmentOrderDetailMixin),
    ):
        view = resolve(reverse(f"dashboard:{name}", kwargs=kwargs)).func.view_class
        assert issubclass(view, mixin)


@pytest.mark.django_db
def test_a_store_keeps_what_is_its_own():
    order = factories.placed_order()
    assert order.fulfillment.shipping_status == "received"
    if settings.OWN_FORKS:
        assert order.gift_message == "For you"
        order.set_status("Cancelled")
        assert (order.told, order.status) == ("Cancelled", "Cancelled")


def test_no_app_of_the_shop_lacks_a_migration():
    """Ours add no column to Oscar's tables, and a store's own columns have migrations on top of Oscar's."""
    # --nomigrations of the suite hides them all from this process.
    done = subprocess.run(
        [sys.executable, "-m", "django", "makemigrations", "--check", "--dry-run", "order", "oscar_fulfillment"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.django_db
def test_the_checks_find_nothing_wrong_with_the_forks():
    call_command("check", fail_level="ERROR")
