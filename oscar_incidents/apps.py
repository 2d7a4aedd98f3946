from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IncidentsConfig(AppConfig):
    """The carrier-incident inbox. Needs ``oscar_fulfillment``."""

    name = "oscar_incidents"
    label = "oscar_incidents"
    verbose_name = _("Carrier incidents")
    default_auto_field = "django.db.models.BigAutoField"
