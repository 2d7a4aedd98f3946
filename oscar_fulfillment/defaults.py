"""Oscar settings that go with the app: ``from oscar_fulfillment.defaults import *`` below ``oscar.defaults``."""

from typing import Any

from django.urls import NoReverseMatch
from django.utils.translation import gettext_lazy as _
from oscar.defaults import OSCAR_DASHBOARD_NAVIGATION as _NAVIGATION

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


def _may_open(user: Any, url_name: str, url_args: Any = None, url_kwargs: Any = None) -> bool:
    """Oscar's rule, and no link where the shop's own dashboard leaves the page out."""
    from oscar.apps.dashboard.nav import default_access_fn

    try:
        return default_access_fn(user, url_name, url_args, url_kwargs)
    except (NoReverseMatch, KeyError):
        return False


#: Our pages, by the page of Oscar's that they stand behind in the navigation.
_PAGES = {
    "dashboard:order-list": [
        {"label": _("Follow-ups"), "url_name": "dashboard:order-followups", "access_fn": _may_open},
    ],
}


def _with_our_pages(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for entry in entries:
        children = entry.get("children")
        found.append({**entry, "children": _with_our_pages(children)} if children else entry)
        found += _PAGES.get(entry.get("url_name", ""), [])
    return found


OSCAR_DASHBOARD_NAVIGATION = _with_our_pages(_NAVIGATION)
