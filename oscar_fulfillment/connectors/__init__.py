"""Connectors: ERP, accounts and CRM, by alias, as ``OSCAR_FULFILLMENT["CONNECTORS"]`` declares them."""

from __future__ import annotations

from .registry import ConnectorRegistry

connectors = ConnectorRegistry("CONNECTORS")
