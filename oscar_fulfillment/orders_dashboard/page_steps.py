"""The steps of an order as its page shows them: done, next, possible, or not possible and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.permissions import user_may
from oscar_fulfillment.selectors.order_page import OrderPage
from oscar_fulfillment.services.actions import OF_SHIPMENTS, ActionState, available_actions, way_of
from oscar_fulfillment.services.actions import no_permission as no_permission_reason


@dataclass(frozen=True)
class PageStep:
    """One step with its place on the page. ``state``: done, next, possible or later."""

    action: ActionState
    url: str
    state: str
    #: A provider runs this, and the person may override it.
    override: bool = False

    @property
    def name(self) -> str:
        return self.action.name

    @property
    def label(self) -> Any:
        return self.action.label

    @property
    def allowed(self) -> bool:
        return self.action.allowed

    @property
    def reasons(self) -> list[Reason]:
        return self.action.reasons

    @property
    def danger(self) -> bool:
        return self.action.danger


@dataclass(frozen=True)
class PageSteps:
    """``way``: the steps of the flow in their order; ``others``: what else is possible; ``cancel``: beside Print."""

    way: list[PageStep]
    others: list[PageStep]
    cancel: PageStep | None
    #: Steps of the "..." menu beside the shipping badge.
    menu: list[PageStep]
    by_name: dict[str, PageStep]
    #: Whether a hold makes sense: something has still to leave.
    can_wait: bool

    @property
    def is_over(self) -> bool:
        """Whether the order has come to its end: delivered, returned or cancelled."""
        return not any(step.state in ("next", "possible") for step in self.way) and not self.can_wait

    @property
    def shown(self) -> list[PageStep]:
        """The way as the page lists it: at its end only what was done, one sentence says the rest."""
        return [step for step in self.way if step.state == "done" or not self.is_over]

    @property
    def next(self) -> PageStep | None:
        return next((step for step in self.way if step.state == "next"), None)


def page_steps(page: OrderPage, user: Any, *, only: str = "") -> PageSteps:
    """Every step of the order's flow for this user; no query beyond the user's permissions.

    ``only``: this step alone, for whoever takes it and needs no other.
    """
    actions = available_actions(page.order, user, only=only)
    next_index = next((index for index, action in enumerate(actions) if action.is_next), len(actions))
    coming = actions[next_index] if next_index < len(actions) else None
    found = {}
    for index, action in enumerate(_with_what_is_known(page, action, coming) for action in actions):
        override = [r.code for r in action.reasons] == ["run_by_provider"] and user_may(user, "override_payment")
        found[action.name] = PageStep(
            action, step_url(page, action.name), _state(page, action, index < next_index), override
        )
    on_the_way = _past([found[name] for name in _way(page) if name in found])
    elsewhere = {"cancel", *OF_SHIPMENTS}
    aside = [step for step in found.values() if step not in on_the_way and step.name not in elsewhere]
    others = [
        step
        for step in aside
        if step.allowed or step.override or (step.name != "approve_payment" and _starts_here(page, step.action))
    ]
    menu = [found[name] for name in ("deliver", "return") if name in found and _starts_here(page, found[name].action)]
    return PageSteps(on_the_way, others, found.get("cancel"), menu, found, _can_wait(page))


def _way(page: OrderPage) -> list[str]:
    """The flow's steps; where a provider holds the money, it is charged and not approved."""
    charged = page.fulfillment.payment_status == "authorized" and "capture_payment" in page.flow.payment.transitions
    return ["capture_payment" if charged and name == "approve_payment" else name for name in way_of(page.fulfillment)]


def _past(way: list[PageStep]) -> list[PageStep]:
    """What lies before a step that was done was done too, also where the money comes last and is the next step."""
    done: set[str] = set()
    seen = []
    for step in reversed(way):
        if step.state == "done":
            done.add(step.action.machine)
        elif step.state == "later" and step.action.machine in done:
            step = replace(step, state="done")
        seen.append(step)
    return seen[::-1]


def _with_what_is_known(page: OrderPage, action: ActionState, coming: ActionState | None) -> ActionState:
    """Refusals that a step would only find out under lock but the page sees already, and links to what helps."""
    reasons = list(action.reasons)
    # What was never released has no document yet: the most common case needs no query.
    may_have_documents = page.fulfillment.shipping_status != page.flow.shipping.initial
    if action.name == "cancel" and action.allowed and may_have_documents and _valid_documents(page):
        reasons.append(
            Reason("invoice_valid", _("The order has a valid fiscal document."), _("Take the invoice back first"))
        )
    reasons = [_linked(page, action, reason, coming) for reason in reasons]
    return replace(action, allowed=not reasons, reasons=reasons)


def _valid_documents(page: OrderPage) -> bool:
    return any(invoice.cancelled_at is None and not invoice.is_none for invoice in page.invoices)


#: reason code -> the step that helps.
_HELP = {
    "not_paid": "approve_payment",
    "invoice_valid": "cancel_invoice",
    "not_invoiced": "invoice",
    "not_released": "release",
}


#: What stands for "all that has not left" where a shipment is to be cancelled.
REST = "rest"


def _linked(page: OrderPage, action: ActionState, reason: Reason, coming: ActionState | None) -> Reason:
    if reason.code == "wrong_state" and action.name == "cancel" and _has_rest(page):
        url = f"{step_url(page, 'cancel_shipment')}?shipment={REST}"
        return replace(reason, remedy=_("Cancel the rest"), url=url)
    if reason.code == "wrong_state":
        # The machine knows every way there, the page the one that this order goes.
        if action.name not in page.flow.steps or coming is None:
            return replace(reason, remedy="")
        remedy = _("First: %(steps)s.") % {"steps": coming.label}
        return replace(reason, remedy=remedy, url=step_url(page, coming.name) if coming.allowed else "")
    helping = _HELP.get(reason.code)
    known = any(helping in machine.transitions for machine in page.flow.machines.values())
    return replace(reason, url=step_url(page, helping)) if helping and known else reason


def _has_rest(page: OrderPage) -> bool:
    """Whether a part of the order has left and the rest can be given up."""
    transition = page.flow.shipping.transitions.get("cancel_shipment")
    status = page.fulfillment.shipping_status
    return transition is not None and status == "partially_dispatched" and status in transition.sources


def step_url(page: OrderPage, name: str) -> str:
    """Where a step's form is."""
    return reverse("dashboard:order-step", kwargs={"number": page.order.number, "action": name})


def _starts_here(page: OrderPage, action: ActionState) -> bool:
    state = getattr(page.fulfillment, f"{action.machine}_status")
    return state in page.flow.machines[action.machine].transitions[action.name].sources


def _state(page: OrderPage, action: ActionState, before_next: bool) -> str:
    if action.is_next:
        return "next"
    if action.allowed:
        return "possible"
    codes = {reason.code for reason in action.reasons}
    over = page.fulfillment.shipping_status in ("cancelled", "returned")
    if codes & {"already_done", "all_released"} or (before_next and not over and not _starts_here(page, action)):
        return "done"
    return "later"


def hold_refusal(page: OrderPage, user: Any) -> Reason | None:
    """Why no hold can be placed; the service has the last word."""
    if not user_may(user, "place_hold"):
        return no_permission_reason()
    if not _can_wait(page):
        return Reason("too_late", _("The order has left already, or will not go out."))
    return None


def _can_wait(page: OrderPage) -> bool:
    return page.fulfillment.shipping_status not in ("dispatched", "delivered", "returned", "cancelled")
