"""The work that waits, for the dashboard's front page: an overview of new orders that no lost mail can hide."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from oscar_fulfillment.conf import settings
from oscar_fulfillment.orders_dashboard.list_rows import count_text
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.followups import DUE, count_tabs
from oscar_fulfillment.selectors.orders import fulfillments_for_user, read_offer
from oscar_fulfillment.selectors.queues import ALL, build_queues, count_queues
from oscar_fulfillment.selectors.returns import count_open

register = template.Library()


@register.simple_tag
def due_followups(user: Any) -> dict[str, Any] | None:
    """``{% due_followups user as due %}``: how many follow-ups are due, for those who work them; one statement."""
    if not user_may(user, "manage_followups"):
        return None
    try:
        url = reverse("dashboard:order-followups")
    except NoReverseMatch:
        return None
    count = count_tabs(user, settings.CAPPED_COUNT, [DUE])[DUE]
    return {"count": count_text(count), "is_empty": not count, "url": f"{url}?tab={DUE}" if count else url}


@register.simple_tag
def open_returns(user: Any) -> dict[str, Any] | None:
    """``{% open_returns user as returns %}``: how many returns are open, for those who work them; one statement."""
    if not user_may(user, "work_returns"):
        return None
    try:
        url = reverse("dashboard:order-returns")
    except NoReverseMatch:
        return None
    count = count_open(user, settings.CAPPED_COUNT)
    return {"count": count_text(count), "is_empty": not count, "url": url}


@register.simple_tag
def work_queues(user: Any) -> list[dict[str, Any]]:
    """``{% work_queues user as queues %}``: name, label, hint, count and url of each queue, in two statements."""
    try:
        url = reverse("dashboard:order-list")
    except NoReverseMatch:
        return []
    methods = read_offer(user).manual_methods
    queues = {name: queue for name, queue in build_queues(methods).items() if name != ALL}
    counts = count_queues(methods, fulfillments_for_user(user), settings.CAPPED_COUNT)
    return [
        {
            "name": name,
            "label": queue.label,
            "hint": queue.hint,
            "count": count_text(counts.get(name, 0)),
            "is_empty": not counts.get(name),
            "url": f"{url}?queue={name}",
        }
        for name, queue in queues.items()
    ]
