from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DisputesConfig(AppConfig):
    """The marketplace-dispute inbox. Needs ``oscar_fulfillment``."""

    name = "oscar_disputes"
    label = "oscar_disputes"
    verbose_name = _("Marketplace disputes")
    default_auto_field = "django.db.models.BigAutoField"
