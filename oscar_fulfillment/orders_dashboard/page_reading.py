"""What the views of the order page share: the order, the page's context, where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.order_page import OrderPage, changes_since, find_order, fulfillment_of
from oscar_fulfillment.selectors.order_step import find_order_for_step
from oscar_fulfillment.services import documents
from oscar_fulfillment.services.door import ORDERS
from oscar_fulfillment.services.followups import OUTCOMES

from .connector_words import order_card
from .edit_reading import edit_steps
from .emission_words import emission_card
from .followup_words import present
from .money_actions import money_actions
from .page_documents import document_menu
from .page_forms import form_class
from .page_shipments import ShipmentCards
from .page_steps import hold_refusal, page_steps

PAGE = "oscar_fulfillment/orders/page.html"


def order_or_404(user: Any, number: str, find: Callable[[Any, str], Any] = find_order) -> Any:
    """The order, or 404 for one that does not exist or that this user may not see."""
    if len(number) > 128 or "\x00" in number:
        raise Http404
    try:
        return find(user, number)
    except ObjectDoesNotExist:
        raise Http404 from None


def page_or_404(request: Any, number: str, *, lazy: bool = False) -> OrderPage:
    """The page of an order that has its fulfillment row. ``lazy``: for taking a step, see :class:`OrderPage`."""
    order = order_or_404(request.user, number, find_order_for_step if lazy else find_order)
    if fulfillment_of(order) is None:
        raise Http404
    return OrderPage(order, all_history=request.GET.get("history") == "all", lazy=lazy)


def page_context(request: Any, page: OrderPage, **extra: Any) -> dict[str, Any]:
    """What ``orders/page.html`` needs."""
    user = request.user
    steps = page_steps(page, user)
    return {
        "page": page,
        "order": page.order,
        "fulfillment": page.fulfillment,
        "steps": steps,
        "hold_refusal": hold_refusal(page, user),
        "edit_steps": edit_steps(page, user),
        "may_hold": user_may(user, "place_hold"),
        "may_note": user_may(user, "add_note"),
        "documents": document_menu(page, user),
        "has_invoice_pdf": user_may(user, "print") and documents.can_be_invoiced(page.order),
        "emissions": emission_card(page, user),
        "systems": order_card(page, user),
        "systems_here": order_url(page.order.number, "systems"),
        "may_see_notes": user.is_staff and user_may(user, "invoice"),
        "may_send_again": user_may(user, "manage_messages"),
        "shipments": ShipmentCards(page, user, steps),
        "may_make_ready": user_may(user, "ready_for_pickup") and page.fulfillment.is_collected,
        "may_returns": user_may(user, "work_returns"),
        "note_form_inline": form_class("note")(page, action="add_note", auto_id="note_%s"),
        "now": timezone.now(),
        "money_actions": money_actions(page.money, user),
        "may_check": user_may(user, "check_payment"),
        "followups": [present(followup, user) for followup in page.money.followups],
        "outcomes": OUTCOMES,
        "may_followups": user_may(user, "manage_followups"),
        "poll_seconds": 5,
        **extra,
    }


def order_url(number: str, fragment: str = "") -> str:
    url = reverse("dashboard:order-detail", kwargs={"number": number})
    return f"{url}#{fragment}" if fragment else url


def demand(user: Any, *actions: str) -> None:
    """403 without the permission for one of these actions."""
    for action in actions:
        if not user_may(user, action):
            raise PermissionDenied(_("You do not have the permission for this step."))


def happened_since(fulfillment: Any, version: int) -> list[Any]:
    """What happened since, without what makes no form stale."""
    return changes_since(fulfillment, version, without=ORDERS.harmless)


class OrderView(View):
    """Common to the views of one order."""

    def back(self, fragment: str = "") -> HttpResponseRedirect:
        return HttpResponseRedirect(order_url(self.kwargs["number"], fragment))
