"""Oscar settings that go with the app: ``from oscar_fulfillment.defaults import *`` below ``oscar.defaults``."""

from typing import Any

from django.urls import NoReverseMatch
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


def _may_open(user: Any, url_name: str, url_args: Any = None, url_kwargs: Any = None) -> bool:
    """Oscar's rule, and no link where the shop's own dashboard leaves the page out."""
    from oscar.apps.dashboard.nav import default_access_fn

    try:
        return default_access_fn(user, url_name, url_args, url_kwargs)
    except (NoReverseMatch, KeyError):
        return False


def _may_issue(user: Any, url_name: str, url_args: Any = None, url_kwargs: Any = None) -> bool:
    """Only where the shop issues notes."""
    from .conf import settings

    return bool(settings.NFE) and _may_open(user, url_name, url_args, url_kwargs)


#: Our pages, in the menu that leads to the orders.
_OUR_ENTRIES = [
    {"label": _("Scan desk"), "url_name": "dashboard:scan-desk", "access_fn": _may_open},
    {"label": _("Follow-ups"), "url_name": "dashboard:order-followups", "access_fn": _may_open},
    {"label": _("Fiscal notes"), "url_name": "dashboard:order-notes", "access_fn": _may_open},
    {"label": _("Missing goods"), "url_name": "dashboard:order-missing", "access_fn": _may_open},
    {"label": _("Import of tracking codes"), "url_name": "dashboard:order-imports", "access_fn": _may_open},
    {"label": _("Returns"), "url_name": "dashboard:order-returns", "access_fn": _may_open},
    {"label": _("NF-e"), "url_name": "dashboard:order-emissions", "access_fn": _may_issue},
    {"label": _("Bank statements"), "url_name": "dashboard:order-statements", "access_fn": _may_open},
    {"label": _("Payouts"), "url_name": "dashboard:order-payouts", "access_fn": _may_open},
    {"label": _("Accounts export"), "url_name": "dashboard:order-accounts", "access_fn": _may_open},
    {"label": _("Carriers"), "url_name": "dashboard:carrier-list", "access_fn": _may_open},
    {"label": _("Payment methods"), "url_name": "dashboard:payment-method-list", "access_fn": _may_open},
    {"label": _("Messages"), "url_name": "dashboard:message-list", "access_fn": _may_open},
    {"label": _("Other systems"), "url_name": "dashboard:connector-list", "access_fn": _may_open},
    {"label": _("Webhooks"), "url_name": "dashboard:webhook-list", "access_fn": _may_open},
    {"label": _("API keys"), "url_name": "dashboard:api-key-list", "access_fn": _may_open},
]


def _with_ours(navigation: list[dict[str, Any]]) -> list[dict[str, Any]]:
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
