from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FulfillmentConfig(AppConfig):
    """The order pipeline: two statuses on every order, and everything that moves them."""

    name = "oscar_fulfillment"
    label = "oscar_fulfillment"
    verbose_name = _("Fulfillment")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import api_checks, checks, flows, receivers, webhook_checks  # noqa: F401
        from .core import sqlite, watchdog  # noqa: F401

        watchdog.attach()
        flows.validate_all()
