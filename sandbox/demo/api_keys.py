"""The keys with which the simulated ERP calls the demo shop. The simulator holds them: a demo shop has no secrets."""

from __future__ import annotations

from django.utils import timezone


def create_api_keys() -> None:
    """The ERP's two keys, once: what is changed in the dashboard stays so."""
    from oscar_fulfillment.services import api_keys
    from sandbox.simulators.erp import KEY, PUSH_KEY

    _create("erp", "Lagoa ERP", KEY, list(api_keys.SCOPES), "BRAZIL")
    # Of the orders that the connector "lagoa" pushes, it tells what became of them.
    _create("lagoa", "Lagoa ERP, pushed orders", PUSH_KEY, ["orders:read", "tracking:write"], "STANDARD")


def _create(system: str, name: str, key: str, scopes: list[str], flow: str) -> None:
    from oscar_fulfillment.models import ApiKey
    from oscar_fulfillment.services.api_keys import digest_of

    now = timezone.now()
    ApiKey.objects.get_or_create(
        system=system,
        defaults={
            "name": name, "prefix": key.split("_")[1], "digest": digest_of(key), "scopes": scopes, "flows": [flow],
            "created_at": now, "changed_at": now, "created_by_label": "demo", "changed_by_label": "demo",
        },
    )  # fmt: skip
