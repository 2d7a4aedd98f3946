"""Fixtures for the whole suite."""

import time

import pytest
from django.utils import translation

from oscar_fulfillment.carriers import carriers
from oscar_fulfillment.services import api_systems, oscar_events, webhook_events
from oscar_fulfillment.test import factories

# Shipped tests: their assertions shall say what differs, as those of our own modules do.
pytest.register_assert_rewrite(
    "oscar_fulfillment.test.gateway_case",
    "oscar_fulfillment.test.gateway_contract",
    "oscar_fulfillment.test.carrier_case",
    "oscar_fulfillment.test.carrier_orders",
    "oscar_fulfillment.test.carrier_contract",
)


@pytest.fixture(autouse=True)
def forgotten_event_types():
    """A test that runs its commit hooks and is rolled back leaves keys of event types behind that are gone."""
    yield
    oscar_events.forget()


@pytest.fixture(autouse=True)
def own_language():
    """A request leaves its language behind: the next test begins in that of the settings."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def carriers_at_rest():
    """What the dashboard says of carriers is read anew every few seconds: in a test only after a change of it."""
    carriers._rows, carriers._read_at = {}, time.monotonic() + 86_400
    carriers._built = {}


@pytest.fixture(autouse=True)
def forgotten_webhooks():
    """Who wants which event is kept in memory for seconds: longer than a test's webhooks live."""
    webhook_events.subscribers.forget()
    yield
    webhook_events.subscribers.forget()


@pytest.fixture(autouse=True)
def systems_at_rest():
    """Which systems have a key of the API is read anew every few seconds: in a test only after a change of it."""
    api_systems.systems._found, api_systems.systems._read_at = {}, time.monotonic() + 86_400


@pytest.fixture
def order(db):
    return factories.placed_order()


@pytest.fixture
def team():
    return factories.TEAM


def pytest_collection_modifyitems(config, items):
    """Tests of PostgreSQL's own behaviour belong to the run with DB=postgres; here they are deselected, not skipped."""
    from django.conf import settings

    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        return
    elsewhere = [item for item in items if item.get_closest_marker("postgres")]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if not item.get_closest_marker("postgres")]
