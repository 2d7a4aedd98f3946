"""Payment providers, by alias, as ``OSCAR_FULFILLMENT["GATEWAYS"]`` declares them."""

from __future__ import annotations

from oscar_fulfillment.core.registry import Registry

gateways = Registry("GATEWAYS")
