"""Fixtures for the whole suite."""

import pytest

from oscar_fulfillment.test import factories


@pytest.fixture
def order(db):
    return factories.placed_order()


@pytest.fixture
def team():
    return factories.TEAM
