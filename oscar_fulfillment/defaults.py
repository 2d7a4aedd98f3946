"""Oscar settings that go with the app: ``from oscar_fulfillment.defaults import *`` below ``oscar.defaults``."""

from django.utils.translation import gettext_lazy as _

OSCAR_INITIAL_ORDER_STATUS = "Received"
OSCAR_INITIAL_LINE_STATUS = ""

#: The statuses that Oscar shows are a projection of our two; this pipeline only names them.
OSCAR_ORDER_STATUS_PIPELINE = {
    "Received": ("In process", "Cancelled"),
    "In process": ("Sent", "Cancelled"),
    "Sent": ("Completed",),
    "Completed": (),
    "Cancelled": (),
}
_("Received"), _("In process"), _("Sent"), _("Completed"), _("Cancelled")
