"""The same shop as plain Oscar: the peer in every run. It works on the same tables of the same database."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as _APPS
from tests.settings import TEMPLATES as _TEMPLATES

_OURS = {
    "oscar_fulfillment.order": "oscar.apps.order.apps.OrderConfig",
    "oscar_fulfillment.checkout": "oscar.apps.checkout.apps.CheckoutConfig",
    "oscar_fulfillment.orders_dashboard": "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
    "tests.store.order": "oscar.apps.order.apps.OrderConfig",
    "tests.store.checkout": "oscar.apps.checkout.apps.CheckoutConfig",
    "tests.store.orders_dashboard": "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
}


def _stock(app):
    for prefix, replacement in _OURS.items():
        if app.startswith(prefix + "."):
            return replacement
    return "" if app.startswith(("oscar_fulfillment", "oscar_incidents", "oscar_disputes")) else app


INSTALLED_APPS = [app for app in map(_stock, _APPS) if app]
ROOT_URLCONF = "tests.bench.stock_urls"
TEMPLATES = [
    {
        **engine,
        "OPTIONS": {
            **engine["OPTIONS"],
            "context_processors": [p for p in engine["OPTIONS"]["context_processors"] if not p.startswith("oscar_f")],
        },
    }
    for engine in _TEMPLATES
]
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("oscar_fulfillment")]  # noqa: F405
OSCAR_ORDER_STATUS_PIPELINE = {
    "Received": ("In process", "Cancelled"),
    "In process": ("Received", "Sent", "Cancelled"),
    "Sent": ("Completed", "Received"),
    "Completed": (),
    "Cancelled": (),
}
OSCAR_DASHBOARD_ITEMS_PER_PAGE = 50  # as many rows as ours
