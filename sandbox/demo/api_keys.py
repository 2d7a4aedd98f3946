"""The key with which the simulated ERP calls the demo shop. It is written in the simulator: a demo shop has no secrets."""

from __future__ import annotations

from django.utils import timezone


def create_api_keys() -> None:
    """The ERP's key, once: what is changed in the dashboard stays so."""
    from oscar_fulfillment.models import ApiKey
    from oscar_fulfillment.services import api_keys
    from sandbox.simulators.erp import KEY

    now = timezone.now()
    ApiKey.objects.get_or_create(
        system="erp",
        defaults={
            "name": "Lagoa ERP", "prefix": KEY.split("_")[1], "digest": api_keys.digest_of(KEY),
            "scopes": list(api_keys.SCOPES), "flows": ["BRAZIL"], "created_at": now, "changed_at": now,
            "created_by_label": "demo", "changed_by_label": "demo",
        },
    )  # fmt: skip
