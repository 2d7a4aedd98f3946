"""The guards of the order machines. Each looks at a step and returns a reason with its remedy, or None.

They read columns of the fulfillment row; what needs a query is kept in ``step.cache``, so that a page which asks
every step at once asks the database once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from .core.actors import USER
from .core.statemachine import Reason


def _order_url(step: Any, fragment: str = "") -> str:
    try:
        url = reverse("dashboard:order-detail", kwargs={"number": step.subject.number})
    except NoReverseMatch:
        return ""
    return f"{url}#{fragment}" if fragment else url


def no_open_hold(step: Any) -> Reason | None:
    """An order on hold waits, whatever the hold's reason."""
    if not step.subject.hold_count:
        return None
    return Reason("on_hold", _("The order is on hold."), _("Release the hold"), _order_url(step, "holds"))


def money_is_safe(step: Any) -> Reason | None:
    """Goods leave once the money is in or held, or the order may leave before (deferred payment, cash on pick-up)."""
    if step.subject.payment_status in ("authorized", "paid", "partially_refunded"):
        return None
    if step.subject.payment_status == "awaiting_payment" and step.subject.ships_before_payment:
        return None
    if step.subject.payment_status == "awaiting_payment":
        return Reason("not_paid", _("The payment is not approved yet."), _("Approve the payment"), _order_url(step))
    return Reason("no_money", _("There is no money for this order: its payment was cancelled or refunded."))


def not_run_by_provider(step: Any) -> Reason | None:
    """Orders run by a provider are not approved or cancelled by hand, unless overridden with a written reason."""
    method = step.subject.payment_method
    if step.actor.kind != USER or method is None or not method.is_run_by_provider:
        return None
    if step.subject.payment_status not in ("awaiting_payment", "authorized") or step.context.get("override"):
        return None
    return Reason(
        "run_by_provider",
        _("%(method)s tells us by itself whether the payment is approved or cancelled.") % {"method": method.label},
        _("Wait for the provider's notification, or override it with a written reason"),
    )


def has_hold(step: Any) -> Reason | None:
    """Only a sum that a provider holds can be taken; one that is being taken already is not taken twice."""
    if step.actor.kind != USER:
        return None
    payments = _payments(step)
    if any(p.kind == "requested" for p in payments):
        return Reason("asked_already", _("The provider has been asked already; its answer is pending."))
    if not any(p.held for p in payments):
        return Reason("no_hold", _("No provider holds money for this order."))
    return None


@dataclass(frozen=True)
class _Held:
    """What the guards need of a provider payment."""

    kind: str
    held: bool


def _payments(step: Any) -> list[_Held]:
    key = ("payments", step.subject.pk)
    if key not in step.cache:
        # All of them, and not by a filter: the order page has read them already.
        step.cache[key] = [
            _Held("requested" if any(o.status == "requested" for o in row.operations.all()) else "", row.held > 0)
            for row in step.subject.provider_payments.all()
            if row.state == "authorized"
        ]
    return step.cache[key]


def something_to_release(step: Any) -> Reason | None:
    """After a release in part, only what was short is left to release."""
    if step.subject.shipping_status == "received" or step.subject.has_backorder:
        return None
    return Reason("all_released", _("Everything in this order is released already."))


def has_shipment_to_invoice(step: Any) -> Reason | None:
    """An invoice covers released goods that have none yet."""
    if step.subject.shipping_status != "partially_dispatched":
        return None
    if any(s.status == "pending" and s.invoice_id is None for s in _shipments(step)):
        return None
    return Reason("nothing_to_invoice", _("Every released shipment has its invoice already."))


def has_shipment_to_dispatch(step: Any) -> Reason | None:
    """Something released (and invoiced, where the flow invoices) must wait to go out."""
    if step.subject.shipping_status != "partially_dispatched":
        return None
    invoices = step.subject.flow_definition.invoices
    pending = [s for s in _shipments(step) if s.status == "pending"]
    if any(s.invoice_id or not invoices for s in pending):
        return None
    if pending:
        return Reason("not_invoiced", _("The rest of the order is not invoiced yet."), _("Invoice it first"))
    return Reason("not_released", _("The rest of the order waits for goods."), _("Release it when they are here"))


def something_is_left(step: Any) -> Reason | None:
    """Only goods that are still here, or are still awaited, can be given up."""
    if step.subject.has_backorder or any(s.status == "pending" for s in _shipments(step)):
        return None
    return Reason("nothing_pending", _("Nothing of this order waits to be sent."))


def is_pick_up(step: Any) -> Reason | None:
    """Goods are handed over where the customer comes for them."""
    if step.subject.is_collected:
        return None
    return Reason("no_pick_up", _("The customer does not come for this order: it is sent."))


def money_at_the_counter(step: Any) -> Reason | None:
    """Whoever hands the goods over may take the money; else it must be in as for any other order."""
    method = step.subject.payment_method
    if method is not None and method.paid_on_delivery and step.subject.payment_status == "awaiting_payment":
        return None
    return money_is_safe(step)


def has_shipment_under_way(step: Any) -> Reason | None:
    """Delivered is what was dispatched."""
    if step.subject.shipping_status == "dispatched" or any(s.status == "dispatched" for s in _shipments(step)):
        return None
    return Reason("nothing_under_way", _("Nothing of this order is under way."))


def no_open_return(step: Any) -> Reason | None:
    """What is in a return is counted and looked at there, piece by piece."""
    found = next((each for each in step.subject.returns.all() if each.is_open), None)
    if found is None:
        return None
    return Reason(
        "open_return",
        _("Return %(number)s of this order is open.") % {"number": found.number},
        _("Receive or close it there"),
        _return_url(step, found),
    )


def _return_url(step: Any, ret: Any) -> str:
    user = step.actor.user
    if user is None or not user.has_perm("oscar_fulfillment.work_returns"):
        return ""  # no link to a page that this person may not open
    try:
        return reverse("dashboard:order-return", kwargs={"pk": ret.pk})
    except NoReverseMatch:
        return ""


def invoice_not_used(step: Any) -> Reason | None:
    """An invoice can be taken back only while all its goods are still here; one such is enough to ask for."""
    used = {s.invoice_id for s in _shipments(step) if s.status != "pending"}
    if any(s.invoice_id and s.invoice_id not in used for s in _shipments(step)):
        return None
    if step.subject.shipping_status == "partially_dispatched":
        return Reason("invoice_used", _("No invoice of this order is left whose goods are all still here."))
    return Reason("invoice_used", _("Goods have left the house with this invoice."))


def _shipments(step: Any) -> list[Any]:
    key = ("shipments", step.subject.pk)
    if key not in step.cache:
        step.cache[key] = [s for s in step.subject.shipments.all() if s.status != "cancelled"]
    return step.cache[key]
