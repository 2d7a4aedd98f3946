"""Fixtures of the tests that kill real workers: a module of them says what stands behind the gate (``vendor``)."""

from tests.workers.fixtures import clerk, gate, reached, served, shop, templates  # noqa: F401
