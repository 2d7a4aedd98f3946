"""Oscar settings that go with the app: ``from oscar_fulfillment.defaults import *`` below ``oscar.defaults``."""

from django.utils.translation import gettext_lazy as _
from oscar.defaults import OSCAR_DASHBOARD_NAVIGATION as _oscars_navigation

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

#: Our pages, in the menu that leads to the orders.
_OUR_ENTRIES = [
    {"label": _("Payment methods"), "url_name": "dashboard:payment-method-list"},
    {"label": _("Messages"), "url_name": "dashboard:message-list"},
]


def _with_ours(navigation):
    """Oscar's menu with our entries below the one of the orders; Oscar's own list stays as it is."""
    found = []
    for entry in navigation:
        children = list(entry.get("children", ()))
        for place, child in enumerate(children):
            if child.get("url_name") == "dashboard:order-list":
                children[place + 1 : place + 1] = _OUR_ENTRIES
                break
        found.append({**entry, "children": children} if children else dict(entry))
    return found


OSCAR_DASHBOARD_NAVIGATION = _with_ours(_oscars_navigation)
