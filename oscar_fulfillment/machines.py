"""The tables PAYMENT and SHIPPING. Each step of an order is a row: verb, from, to, who may, what must hold."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from . import guards
from .core.statemachine import State, StateMachine, Transition

PAYMENT = StateMachine.declare(
    "payment",
    [
        State("awaiting_payment", _("Awaiting payment"), "warning"),
        State("authorized", _("Authorized"), "info"),
        State("paid", pgettext_lazy("payment status", "Approved"), "success"),
        State("partially_refunded", _("Refunded in part"), "secondary"),
        State("refunded", _("Refunded"), "secondary"),
        State("cancelled", pgettext_lazy("payment status", "Cancelled"), "danger"),
    ],
    [
        Transition("authorize_payment", ("awaiting_payment",), ("authorized",), _("Hold the payment"), locks=True),
        Transition(
            "approve_payment",
            ("awaiting_payment", "authorized"),
            ("paid",),
            _("Approve payment"),
            permission="approve_payment",
            guards=(guards.not_run_by_provider,),
            form="approve",
        ),
        Transition(
            "refund_payment",
            ("paid", "partially_refunded"),
            ("partially_refunded", "refunded"),
            _("Refund"),
            permission="override_payment",
            locks=True,
        ),
        Transition(
            "cancel_payment",
            ("awaiting_payment", "authorized"),
            ("cancelled",),
            _("Cancel the payment"),
            guards=(guards.not_run_by_provider,),
            locks=True,
        ),
    ],
)

SHIPPING = StateMachine.declare(
    "shipping",
    [
        State("received", pgettext_lazy("shipping status", "Received"), "secondary"),
        State("released", _("Released for invoicing"), "info"),
        State("partially_invoiced", _("Invoiced in part"), "info"),
        State("invoiced", _("Invoiced"), "info"),
        State("partially_dispatched", _("Sent in part"), "primary"),
        State("dispatched", pgettext_lazy("shipping status", "Sent"), "primary"),
        State("delivered", pgettext_lazy("shipping status", "Delivered"), "success"),
        State("returned", pgettext_lazy("shipping status", "Returned"), "dark"),
        State("cancelled", pgettext_lazy("shipping status", "Cancelled"), "danger"),
    ],
    [
        Transition(
            "release",
            ("received", "released", "partially_invoiced", "invoiced", "partially_dispatched"),
            ("released", "partially_invoiced", "partially_dispatched"),
            _("Release for invoicing"),
            permission="release_order",
            guards=(guards.no_open_hold, guards.money_is_safe, guards.something_to_release),
            form="release",
            locks=True,
        ),
        Transition(
            "invoice",
            ("released", "partially_invoiced", "partially_dispatched"),
            ("invoiced", "partially_dispatched"),
            pgettext_lazy("step", "Invoice"),
            permission="invoice_order",
            guards=(guards.no_open_hold, guards.has_shipment_to_invoice),
            form="invoice",
            locks=True,
        ),
        Transition(
            "cancel_invoice",
            ("partially_invoiced", "invoiced", "partially_dispatched"),
            ("released", "partially_invoiced", "partially_dispatched"),
            _("Take the invoice back"),
            permission="invoice_order",
            guards=(guards.invoice_not_used,),
            form="cancel_invoice",
            locks=True,
            danger=True,
        ),
        Transition(
            "dispatch",
            ("partially_invoiced", "invoiced", "partially_dispatched"),
            ("partially_dispatched", "dispatched"),
            _("Dispatch"),
            permission="dispatch_order",
            guards=(guards.no_open_hold, guards.money_is_safe, guards.has_shipment_to_dispatch),
            form="dispatch",
            locks=True,
        ),
        Transition(
            "deliver",
            ("dispatched", "partially_dispatched"),
            ("partially_dispatched", "dispatched", "delivered"),
            _("Mark as delivered"),
            permission="deliver_order",
            guards=(guards.has_shipment_under_way,),
            form="deliver",
            locks=True,
        ),
        Transition(
            "return",
            ("dispatched", "delivered"),
            ("returned",),
            _("Mark as returned"),
            permission="deliver_order",
            form="return",
            locks=True,
            danger=True,
        ),
        Transition(
            "cancel",
            ("received", "released", "partially_invoiced", "invoiced"),
            ("cancelled",),
            _("Cancel this order"),
            permission="cancel_order",
            guards=(guards.not_run_by_provider,),
            form="cancel",
            locks=True,
            danger=True,
        ),
    ],
)
