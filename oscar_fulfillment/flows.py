"""The flows: which steps of the machines a shop uses, in which words.

BRAZIL releases for invoicing, invoices (NF-e), dispatches, delivers. STANDARD starts, dispatches, delivers.
A shop adds its own in ``OSCAR_FULFILLMENT["FLOWS"]``: the dotted path of a :class:`Flow`, or a declaration.
All are validated when Django starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .conf import settings
from .core.exceptions import ConfigurationError
from .core.statemachine import State, StateMachine, Transition
from .machines import PAYMENT, SHIPPING

#: Oscar's own ``Order.status``, projected from our two.
RECEIVED, IN_PROCESS, SENT, COMPLETED, CANCELLED = "received", "in_process", "sent", "completed", "cancelled"
_PROJECTION = {
    "received": RECEIVED,
    "released": IN_PROCESS,
    "partially_invoiced": IN_PROCESS,
    "invoiced": IN_PROCESS,
    "partially_dispatched": IN_PROCESS,
    "dispatched": SENT,
    "delivered": SENT,
    "returned": SENT,
    "cancelled": CANCELLED,
}


@dataclass(frozen=True)
class Flow:
    """The way an order goes in one shop.

    ``steps`` is the order in which the page offers a next step. ``projection`` adds the shop's own shipping states
    to the map that feeds Oscar's ``Order.status`` (values: received, in_process, sent, completed, cancelled).
    """

    name: str
    label: Any
    payment: StateMachine
    shipping: StateMachine
    steps: tuple[str, ...] = ("approve_payment", "release", "invoice", "dispatch", "deliver")
    projection: Mapping[str, str] = field(default_factory=dict)

    @property
    def machines(self) -> dict[str, StateMachine]:
        return {"payment": self.payment, "shipping": self.shipping}

    @property
    def invoices(self) -> bool:
        """Whether orders pass through a fiscal document."""
        return "invoice" in self.shipping.transitions

    def tone(self, machine: str, state: str) -> str:
        """The badge colour of a state."""
        states = self.machines[machine].states
        return states[state].tone if state in states else "secondary"

    def project(self, payment_status: str, shipping_status: str, *, money_is_in: bool | None = None) -> str:
        """Which of Oscar's statuses a pair means. Completed: delivered, and the money is in.

        ``money_is_in`` is given where the payment status alone does not say (payouts, orders that need no money).
        """
        if money_is_in is None:
            money_is_in = payment_status in ("paid", "partially_refunded")
        if shipping_status == "delivered" and money_is_in:
            return COMPLETED
        return {**_PROJECTION, **self.projection}.get(shipping_status, IN_PROCESS)

    def validate(self) -> None:
        """Raise :class:`ConfigurationError` for a flow that could not work."""
        for machine in self.machines.values():
            machine.validate()
        known = set(self.payment.transitions) | set(self.shipping.transitions)
        if missing := [step for step in self.steps if step not in known]:
            raise ConfigurationError(f"flow {self.name}: steps {missing} are no transitions of its machines")
        wrong = {k: v for k, v in self.projection.items() if v not in settings.ORDER_STATUS}
        if wrong or set(self.projection) - set(self.shipping.states):
            raise ConfigurationError(f"flow {self.name}: the projection {dict(self.projection)} is wrong")


BRAZIL = Flow("BRAZIL", _("Brazil: release, invoice, dispatch"), PAYMENT, SHIPPING)

STANDARD = Flow(
    "STANDARD",
    _("Standard: start, dispatch"),
    PAYMENT.relabel({"paid": pgettext_lazy("payment status", "Paid")}),
    SHIPPING.without("partially_invoiced", "invoiced", "invoice", "cancel_invoice")
    .change("dispatch", sources=("released", "partially_dispatched"))
    .change("hand_over", sources=("released", "partially_dispatched"))
    .relabel({"released": _("In process"), "release": _("Start processing")}),
    steps=("approve_payment", "release", "dispatch", "deliver"),
)

BUILT_IN = {"BRAZIL": BRAZIL, "STANDARD": STANDARD}

#: Words for history rows that are no transitions: (machine, action) -> label.
RECORDS: dict[tuple[str, str], Any] = {
    ("order", "place"): _("Order placed"),
    ("order", "backfill"): _("Taken over from before"),
    ("hold", "place_hold"): _("Put on hold"),
    ("hold", "release_hold"): _("Hold released"),
    ("hold", "expire_hold"): _("Hold ended"),
    ("note", "add_note"): _("Note"),
    ("note", "tell_customer"): _("Note to the customer"),
    ("document", "print"): _("Printed"),
    ("shipment", "change_tracking"): _("Tracking code changed"),
    ("shipment", "change_parcels"): _("Parcels changed"),
    ("shipment", "split_shipment"): _("Shipment split"),
    ("shipment", "merge_shipments"): _("Shipments merged"),
    ("shipment", "pack"): _("Packed"),
    ("shipment", "ready_for_pickup"): _("Ready for pick-up"),
    ("pickup", "wrong_code"): _("Wrong pick-up code"),
    ("parcel", "tracked"): _("Word from the carrier"),
    ("carrier", "order_carriage"): _("Carriage ordered"),
    ("carrier", "carriage_ordered"): _("The carrier gave its number"),
    ("carrier", "carriage_refused"): _("Refused by the carrier"),
    ("carrier", "cancel_carriage"): _("Carriage cancelled"),
    ("return", "request_return"): _("Return asked for"),
    ("return", "approve_return"): _("Return approved"),
    ("return", "refuse_return"): _("Return refused"),
    ("return", "cancel_return"): _("Return cancelled"),
    ("return", "settle_return"): _("Return settled"),
    ("message", "mail_failed"): _("Mail not sent"),
    ("message", "mail_sent"): _("Mail sent after all"),
    ("problem", "resolve_problem"): _("Problem settled"),
    ("provider", "begin_payment"): _("Payment begun"),
    ("provider", "report"): _("Word from the provider"),
    ("provider", "request_capture"): _("Charge asked for"),
    ("provider", "request_void"): _("Giving the hold back asked for"),
    ("provider", "request_refund"): _("Refund granted"),
    ("provider", "settle_refund"): _("Refund executed"),
    ("provider", "refuse_operation"): _("Refused by the provider"),
    ("provider", "confirm_payout"): _("Paid out"),
    ("provider", "charge_back"): _("Charged back"),
    ("ledger", "receive_money"): _("Money received"),
    ("ledger", "pay_back"): _("Money paid back"),
    ("ledger", "keep_credit"): _("Kept as a credit note"),
    ("terms", "remind"): _("Reminder sent"),
    ("terms", "extend_reservation"): _("Reservation extended"),
    ("terms", "reservation_ends"): _("Last day of the reservation"),
    ("terms", "cannot_cancel"): _("Could not be cancelled by itself"),
    ("terms", "hold_ends"): _("The hold is about to end"),
    ("followup", "open_followup"): _("Follow-up opened"),
    ("followup", "assign_followup"): _("Follow-up assigned"),
    ("followup", "close_followup"): _("Follow-up closed"),
    ("edit", "edit_order"): _("Order edited"),
    ("edit", "revert_edit"): _("Edit taken back"),
}


def action_label(flow: Flow, machine: str, action: str) -> Any:
    """What an action is called in this flow."""
    if machine in flow.machines and action in flow.machines[machine].transitions:
        return flow.machines[machine].transitions[action].label
    return RECORDS.get((machine, action), action)


@cache
def flows() -> dict[str, Flow]:
    """Every flow of this shop, validated, by name."""
    found = dict(BUILT_IN)
    for name, declared in settings.FLOWS.items():
        found[name] = _declared(name, declared, found)
    for flow in found.values():
        flow.validate()
    return found


def get_flow(name: str) -> Flow:
    """The flow of this name. An order of a flow that was removed since is shown with STANDARD's words."""
    return flows().get(name) or replace(STANDARD, name=name)


def choose_flow(order: Any) -> str:
    """The flow a new order follows, by the FLOW setting. An unknown name is a :class:`ConfigurationError`."""
    setting = settings.FLOW
    if callable(setting):
        setting = setting(order)
    elif setting not in flows() and "." in setting:
        setting = import_string(setting)(order)
    if setting not in flows():
        raise ConfigurationError(f"OSCAR_FULFILLMENT['FLOW'] names the unknown flow {setting!r}")
    return setting


def validate_all() -> None:
    """Build and check every flow; called when Django starts."""
    flows.cache_clear()
    setting = settings.FLOW
    if callable(setting) or setting in flows():
        return
    if "." not in setting:
        raise ConfigurationError(f"OSCAR_FULFILLMENT['FLOW'] names the unknown flow {setting!r}")
    try:
        import_string(setting)
    except ImportError as error:
        raise ConfigurationError(f"OSCAR_FULFILLMENT['FLOW']: {error}") from error


_DECLARATION = {"BASE", "LABEL", "LABELS", "STATES", "TRANSITIONS", "CHANGES", "WITHOUT", "STEPS", "PROJECTION"}


def _declared(name: str, declared: Any, found: Mapping[str, Flow]) -> Flow:
    """A flow from its setting: a Flow, its dotted path, or a dict that changes another flow."""
    if isinstance(declared, str):
        try:
            declared = import_string(declared)
        except ImportError as error:
            raise ConfigurationError(f"OSCAR_FULFILLMENT['FLOWS'][{name!r}]: {error}") from error
    if isinstance(declared, Flow):
        return replace(declared, name=name)
    if not isinstance(declared, Mapping) or set(declared) - _DECLARATION:
        raise ConfigurationError(f"OSCAR_FULFILLMENT['FLOWS'][{name!r}]: give {sorted(_DECLARATION)} or a Flow")
    base = found.get(declared.get("BASE", "STANDARD"))
    if base is None:
        raise ConfigurationError(f"OSCAR_FULFILLMENT['FLOWS'][{name!r}]: unknown BASE {declared['BASE']!r}")
    try:
        shipping = base.shipping.with_states(*(State(n, *_listed(s)) for n, s in declared.get("STATES", {}).items()))
        shipping = shipping.with_transitions(*(_transition(t) for t in declared.get("TRANSITIONS", [])))
        for transition, changes in declared.get("CHANGES", {}).items():
            shipping = shipping.change(transition, **changes)
        shipping = shipping.without(*declared.get("WITHOUT", ()))
        labels = declared.get("LABELS", {})
        mine = set(shipping.states) | set(shipping.transitions)
        theirs = {n: label for n, label in labels.items() if n not in mine}
        shipping = shipping.relabel({n: label for n, label in labels.items() if n in mine})
        payment = base.payment.relabel(theirs)
    except (TypeError, ImportError) as error:
        raise ConfigurationError(f"OSCAR_FULFILLMENT['FLOWS'][{name!r}]: {error}") from error
    return replace(
        base,
        name=name,
        label=declared.get("LABEL", name),
        payment=payment,
        shipping=shipping,
        steps=tuple(declared.get("STEPS", base.steps)),
        projection={**base.projection, **declared.get("PROJECTION", {})},
    )


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _transition(declared: Mapping[str, Any]) -> Transition:
    given: dict[str, Any] = dict(declared)
    given["guards"] = tuple(import_string(g) if isinstance(g, str) else g for g in given.get("guards", ()))
    given |= {name: tuple(given[name]) for name in ("sources", "targets") if name in given}
    return Transition(**given)


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "OSCAR_FULFILLMENT":
        flows.cache_clear()


setting_changed.connect(_forget)
