"""The flows: one readable table of what is allowed where, declarations in settings, and every mistake's message."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.test import override_settings

from oscar_fulfillment import flows
from oscar_fulfillment.apps import FulfillmentConfig
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.core.statemachine import State, StateMachine, Transition
from oscar_fulfillment.core.transitions import Move, Step, refusals
from oscar_fulfillment.flows import BRAZIL, STANDARD, Flow, get_flow
from oscar_fulfillment.selectors.queues import step_places
from tests.plugin.flow import FLOW as PLUGIN

# One row per shipping state, one column per step: x it may start there, . it may not, blank: not in this flow.
SHIPPING = {
    "BRAZIL": """
                              release invoice cancel_invoice dispatch deliver return hand_over cancel restore
        received              x       .       .              .        .       .      .         x      .
        released              x       x       .              .        .       .      .         x      .
        partially_invoiced    x       x       x              x        .       .      x         x      .
        invoiced              x       .       x              x        .       .      x         x      .
        partially_dispatched  x       x       x              x        x       .      x         .      .
        dispatched            .       .       .              .        x       x      .         .      .
        delivered             .       .       .              .        .       x      .         .      .
        returned              .       .       .              .        .       .      .         .      .
        cancelled             .       .       .              .        .       .      .         .      x

                              cancel_shipment receive_return send_replacement
        received              .               .              .
        released              x               .              .
        partially_invoiced    x               .              .
        invoiced              x               .              .
        partially_dispatched  x               x              x
        dispatched            .               x              x
        delivered             .               x              x
        returned              .               x              x
        cancelled             .               .              .
    """,
    "STANDARD": """
                              release dispatch deliver return hand_over cancel restore
        received              x       .        .       .      .         x      .
        released              x       x        .       .      x         x      .
        partially_dispatched  x       x        x       .      x         .      .
        dispatched            .       .        x       x      .         .      .
        delivered             .       .        .       x      .         .      .
        returned              .       .        .       .      .         .      .
        cancelled             .       .        .       .      .         .      x

                              cancel_shipment receive_return send_replacement
        received              .               .              .
        released              x               .              .
        partially_dispatched  x               x              x
        dispatched            .               x              x
        delivered             .               x              x
        returned              .               x              x
        cancelled             .               .              .
    """,
    "PLUGIN": """
                              release dispatch deliver return hand_over cancel pack restore
        received              x       .        .       .      .         x      .    .
        released              x       .        .       .      x         x      x    .
        packed                .       x        .       .      .         .      .    .
        partially_dispatched  x       x        x       .      x         .      .    .
        dispatched            .       .        x       x      .         .      .    .
        delivered             .       .        .       x      .         .      .    .
        returned              .       .        .       .      .         .      .    .
        cancelled             .       .        .       .      .         .      .    x

                              cancel_shipment receive_return send_replacement
        received              .               .              .
        released              x               .              .
        packed                .               .              .
        partially_dispatched  x               x              x
        dispatched            .               x              x
        delivered             .               x              x
        returned              .               x              x
        cancelled             .               .              .
    """,
}
PAYMENT = """
                          authorize_payment approve_payment capture_payment refund_payment reopen_payment cancel_payment
    awaiting_payment      x                 x               .               .              .              x
    authorized            .                 x               x               .              .              x
    paid                  .                 .               .               x              .              .
    partially_refunded    .                 .               .               x              .              .
    refunded              .                 .               .               .              .              .
    cancelled             .                 .               .               .              x              .
"""


def table(machine, drawn):
    """(state, step, allowed) of a drawn table (in parts, where it is wide), every cell of the machine."""
    cells = []
    for part in drawn.strip("\n").split("\n\n"):
        first, *lines = [line.split() for line in part.splitlines() if line.strip()]
        cells += [
            (state, step, cell == "x") for state, *marks in lines for step, cell in zip(first, marks, strict=True)
        ]
    assert {(s, t) for s, t, _x in cells} == {(s, t) for s in machine.states for t in machine.transitions}
    return cells


CELLS = [
    (flow.name, machine, state, step, allowed)
    for flow in (BRAZIL, STANDARD, PLUGIN)
    for machine, drawn in ((flow.payment, PAYMENT), (flow.shipping, SHIPPING[flow.name]))
    for state, step, allowed in table(machine, drawn)
]


def situation(**columns):
    """A fulfillment row in which no guard has anything to say, unless told otherwise."""
    shipments = columns.pop("shipments", [SimpleNamespace(status="pending", invoice_id=None),
                                          SimpleNamespace(status="pending", invoice_id=1),
                                          SimpleNamespace(status="dispatched", invoice_id=None)])  # fmt: skip
    usual = {
        "pk": 1, "number": "1", "hold_count": 0, "payment_status": "paid", "shipping_status": "received",
        "has_backorder": True, "payment_method": None, "flow_definition": BRAZIL, "ships_before_payment": False,
        "is_collected": True,
        "shipments": SimpleNamespace(all=lambda: shipments), "returns": SimpleNamespace(all=list),
    }  # fmt: skip
    subject = SimpleNamespace(**usual | columns)
    return Step(subject, [Move("x", "y")], Actor.system("test"), None, {})


@pytest.mark.parametrize(
    ("flow", "machine", "state", "name", "allowed"), CELLS, ids=[f"{f}-{m.name}-{s}-{n}" for f, m, s, n, _a in CELLS]
)
def test_every_step_starts_where_the_table_says(flow, machine, state, name, allowed):
    step = situation(**{f"{machine.name}_status": state})
    found = refusals(step, machine, machine.transitions[name])
    assert (found == []) == allowed, [str(reason.message) for reason in found]
    if not allowed:
        assert len(found) == 1
        assert str(found[0].message)
        if state in machine.transitions[name].targets:
            assert found[0].code == "already_done"
        elif not machine.from_state(state):
            assert found[0].code == "final_state"
        else:
            assert found[0].code == "wrong_state"


def test_a_step_that_is_too_early_says_which_come_first():
    found = refusals(situation(), BRAZIL.shipping, BRAZIL.shipping.transitions["dispatch"])
    assert [str(r.message) for r in found] == ["Not possible while the status is “Received”."]
    assert str(found[0].remedy) == "First: Release for invoicing."
    found = refusals(situation(shipping_status="delivered"), BRAZIL.shipping, BRAZIL.shipping.transitions["release"])
    assert str(found[0].remedy) == ""


AT_THE_COUNTER = SimpleNamespace(paid_on_delivery=True, is_run_by_provider=False, label="Cash")

GUARDS = [
    # what is odd about the order, the step, the code of the reason
    ({"hold_count": 1}, "release", "on_hold"),
    ({"hold_count": 2, "shipping_status": "released"}, "invoice", "on_hold"),
    ({"hold_count": 1, "shipping_status": "invoiced"}, "dispatch", "on_hold"),
    ({"payment_status": "awaiting_payment"}, "release", "not_paid"),
    ({"payment_status": "awaiting_payment", "shipping_status": "invoiced"}, "dispatch", "not_paid"),
    ({"payment_status": "cancelled"}, "release", "no_money"),
    ({"payment_status": "refunded"}, "release", "no_money"),
    ({"payment_status": "authorized"}, "release", None),
    ({"payment_status": "partially_refunded"}, "release", None),
    ({"shipping_status": "released", "has_backorder": False}, "release", "all_released"),
    ({"shipping_status": "received", "has_backorder": False}, "release", None),
    ({"shipping_status": "partially_dispatched", "shipments": [("pending", 1)]}, "invoice", "nothing_to_invoice"),
    ({"shipping_status": "partially_dispatched", "shipments": [("dispatched", None)]}, "invoice", "nothing_to_invoice"),
    ({"shipping_status": "partially_dispatched", "shipments": [("pending", None)]}, "invoice", None),
    ({"shipping_status": "partially_dispatched", "shipments": [("pending", None)]}, "dispatch", "not_invoiced"),
    ({"shipping_status": "partially_dispatched", "shipments": [("dispatched", 1)]}, "dispatch", "not_released"),
    ({"shipping_status": "partially_dispatched", "shipments": [("pending", 1)]}, "dispatch", None),
    ({"shipping_status": "partially_dispatched", "shipments": [("pending", None)], "flow_definition": STANDARD},
     "dispatch", None),
    ({"shipping_status": "partially_dispatched", "shipments": [("delivered", 1)]}, "deliver", "nothing_under_way"),
    ({"shipping_status": "partially_dispatched", "shipments": [("cancelled", 1)]}, "deliver", "nothing_under_way"),
    ({"shipping_status": "partially_dispatched", "shipments": [("dispatched", 1)]}, "deliver", None),
    ({"shipping_status": "dispatched", "shipments": []}, "deliver", None),
    ({"shipping_status": "invoiced", "shipments": [("dispatched", 1)]}, "cancel_invoice", "invoice_used"),
    ({"shipping_status": "invoiced", "shipments": [("dispatched", None), ("pending", 1)]}, "cancel_invoice", None),
    ({"shipping_status": "partially_invoiced", "shipments": [("pending", None), ("pending", 1)]}, "dispatch", None),
    ({"shipping_status": "partially_invoiced", "shipments": [("pending", None), ("pending", 1)]}, "invoice", None),
    ({"shipping_status": "partially_dispatched", "shipments": [("dispatched", 1), ("pending", 2)]},
     "cancel_invoice", None),
    # A document whose goods have left in part belongs to what left; so does one that nothing pending has.
    ({"shipping_status": "partially_dispatched", "shipments": [("dispatched", 1), ("pending", 1)]},
     "cancel_invoice", "invoice_used"),
    ({"shipping_status": "partially_dispatched", "shipments": [("delivered", 1), ("pending", None)]},
     "cancel_invoice", "invoice_used"),
    ({"shipping_status": "invoiced", "is_collected": False}, "hand_over", "no_pick_up"),
    ({"shipping_status": "invoiced", "hold_count": 1}, "hand_over", "on_hold"),
    ({"shipping_status": "invoiced", "payment_status": "awaiting_payment"}, "hand_over", "not_paid"),
    # Who hands the goods over takes the money.
    ({"shipping_status": "invoiced", "payment_status": "awaiting_payment", "payment_method": AT_THE_COUNTER},
     "hand_over", None),
    ({"shipping_status": "invoiced", "payment_status": "cancelled", "payment_method": AT_THE_COUNTER},
     "hand_over", "no_money"),
    ({"shipping_status": "partially_dispatched", "shipments": [("pending", None)]}, "hand_over", "not_invoiced"),
    ({"shipping_status": "partially_dispatched", "shipments": [("dispatched", 1)]}, "hand_over", "not_released"),
    ({"shipping_status": "released", "has_backorder": False, "shipments": [("pending", None)]},
     "cancel_shipment", None),
    ({"shipping_status": "partially_dispatched", "has_backorder": True, "shipments": [("delivered", 1)]},
     "cancel_shipment", None),
    ({"shipping_status": "partially_dispatched", "has_backorder": False,
      "shipments": [("delivered", 1), ("cancelled", None)]}, "cancel_shipment", "nothing_pending"),
    # Neither a hold nor missing money keeps goods in the order that nobody is to get.
    ({"shipping_status": "released", "hold_count": 1, "payment_status": "awaiting_payment"}, "cancel_shipment", None),
    ({"shipping_status": "dispatched", "hold_count": 1}, "receive_return", None),
    ({"shipping_status": "returned", "hold_count": 1}, "send_replacement", None),
]  # fmt: skip


@pytest.mark.parametrize(("odd", "name", "code"), GUARDS)
def test_guards_answer_with_a_reason(odd, name, code):
    if "shipments" in odd:
        listed = [SimpleNamespace(status=status, invoice_id=invoice) for status, invoice in odd["shipments"]]
        odd = odd | {"shipments": listed}
    found = refusals(situation(**odd), BRAZIL.shipping, BRAZIL.shipping.transitions[name])
    assert [r.code for r in found] == ([code] if code else [])


def test_each_state_is_the_place_of_the_step_that_goes_on_from_there():
    assert step_places(BRAZIL) == {
        "release": ["received"],
        "invoice": ["released", "partially_invoiced"],
        "dispatch": ["partially_invoiced", "invoiced"],
        "deliver": ["partially_dispatched", "dispatched"],
    }
    assert step_places(STANDARD) == {
        "release": ["received"], "dispatch": ["released"], "deliver": ["partially_dispatched", "dispatched"],
    }  # fmt: skip


def test_a_flow_that_packs_what_is_invoiced_as_a_whole_invoices_the_rest_first():
    """Where nothing leaves from "invoiced in part", such an order waits for its other document only."""
    shipping = (
        BRAZIL.shipping.with_states(State("packed", "Packed"))
        .with_transitions(Transition("pack", ("invoiced",), ("packed",), "Pack"))
        .change("dispatch", sources=("packed", "partially_dispatched"))
    )
    steps = ("approve_payment", "release", "invoice", "pack", "dispatch", "deliver")
    flow = replace(BRAZIL, name="BOX", shipping=shipping, steps=steps)
    flow.validate()
    assert step_places(flow) == {
        "release": ["received"], "invoice": ["released", "partially_invoiced"], "pack": ["invoiced"],
        "dispatch": ["packed"], "deliver": ["partially_dispatched", "dispatched"],
    }  # fmt: skip


@pytest.mark.parametrize("code", ["on_hold", "not_paid", "not_invoiced", "not_released", "run_by_provider"])
def test_reasons_that_can_be_mended_say_how(code):
    rows = {c: (odd, name) for odd, name, c in GUARDS}
    if code == "run_by_provider":
        found = [provider_refusal("approve_payment")]
    else:
        odd, name = rows[code]
        if "shipments" in odd:
            odd = odd | {"shipments": [SimpleNamespace(status=s, invoice_id=i) for s, i in odd["shipments"]]}
        found = refusals(situation(**odd), BRAZIL.shipping, BRAZIL.shipping.transitions[name])
    assert str(found[0].remedy)
    if code in ("on_hold", "not_paid"):
        assert found[0].url.startswith("/dashboard/orders/1/")
        assert found[0].url.endswith("#holds") == (code == "on_hold")


def provider_refusal(name, *, kind="user", runs=True, status="awaiting_payment", override=False, method=True):
    machine = BRAZIL.payment if name.endswith("payment") else BRAZIL.shipping
    given = SimpleNamespace(is_run_by_provider=runs, label="Card") if method else None
    step = situation(payment_method=given, payment_status=status)
    step.actor, step.context = Actor(kind, "Ana"), {"override": override}
    found = refusals(step, machine, machine.transitions[name])
    return found[0] if found else None


@pytest.mark.parametrize("name", ["approve_payment", "cancel_payment", "cancel"])
def test_people_do_not_do_a_providers_work(name):
    refusal = provider_refusal(name)
    assert refusal.code == "run_by_provider"
    assert str(refusal.message).startswith("Card tells us")
    assert provider_refusal(name, status="authorized").code == "run_by_provider"
    for excuse in ({"kind": "provider"}, {"kind": "system"}, {"runs": False}, {"override": True}, {"method": False}):
        assert provider_refusal(name, **excuse) is None
    assert provider_refusal("cancel", status="paid") is None


def test_the_shipments_of_a_page_are_read_once():
    asked = []
    step = situation(shipping_status="partially_dispatched")
    step.subject.shipments = SimpleNamespace(all=lambda: asked.append(1) or [])
    for name in ("invoice", "dispatch", "deliver"):
        refusals(step, BRAZIL.shipping, BRAZIL.shipping.transitions[name])
    assert asked == [1]


# Words and projection


def test_flows_use_their_own_words():
    assert str(BRAZIL.shipping.label("released")) == "Released for invoicing"
    assert str(STANDARD.shipping.label("released")) == "In process"
    assert str(STANDARD.shipping.transitions["release"].label) == "Start processing"
    assert (str(BRAZIL.payment.label("paid")), str(STANDARD.payment.label("paid"))) == ("Approved", "Paid")
    assert (BRAZIL.invoices, STANDARD.invoices) == (True, False)
    assert STANDARD.steps == ("approve_payment", "release", "dispatch", "deliver")
    assert (BRAZIL.tone("shipping", "cancelled"), BRAZIL.tone("shipping", "gone")) == ("danger", "secondary")
    assert list(BRAZIL.machines) == ["payment", "shipping"]
    assert str(flows.action_label(BRAZIL, "shipping", "release")) == "Release for invoicing"
    words = [str(flows.action_label(BRAZIL, machine, action)) for machine, action in flows.RECORDS]
    assert not set(words) & {action for _machine, action in flows.RECORDS}
    for machine, action, label in (
        ("hold", "place_hold", "Put on hold"), ("hold", "expire_hold", "Hold ended"), ("order", "place", "Order placed"),
        ("order", "backfill", "Taken over from before"), ("note", "tell_customer", "Note to the customer"),
    ):  # fmt: skip
        assert str(flows.action_label(BRAZIL, machine, action)) == label
    assert flows.action_label(BRAZIL, "shipping", "gone") == "gone"


@pytest.mark.parametrize(
    ("payment", "shipping", "projected"),
    [
        ("awaiting_payment", "received", "received"), ("paid", "received", "received"), ("paid", "released", "in_process"),
        ("paid", "invoiced", "in_process"), ("paid", "partially_dispatched", "in_process"), ("paid", "dispatched", "sent"),
        ("paid", "delivered", "completed"), ("partially_refunded", "delivered", "completed"),
        ("authorized", "delivered", "sent"), ("refunded", "delivered", "sent"), ("paid", "returned", "sent"),
        ("cancelled", "cancelled", "cancelled"), ("paid", "packed", "in_process"),
    ],
)  # fmt: skip
def test_oscars_status_is_a_projection(payment, shipping, projected):
    assert BRAZIL.project(payment, shipping) == projected
    assert PLUGIN.project(payment, shipping) == projected


# Declared in settings


def declared(**flow):
    return override_settings(OSCAR_FULFILLMENT={"FLOWS": {"MINE": flow or "tests.plugin.flow.FLOW"}})


def test_a_shop_adds_a_state_renames_a_label_and_changes_steps():
    with declared(
        BASE="BRAZIL",
        LABEL="My way",
        STATES={"weighed": ["Weighed", "info"], "queued": "Queued"},
        TRANSITIONS=[
            {"name": "queue", "sources": ["received"], "targets": ["queued"], "label": "Queue"},
            {
                "name": "weigh", "sources": ["invoiced"], "targets": ["weighed"], "label": "Weigh",
                "permission": "shop.weigh", "guards": ["oscar_fulfillment.guards.no_open_hold"],
            },
        ],
        CHANGES={"dispatch": {"sources": ("weighed", "partially_dispatched")}},
        LABELS={"invoiced": "With NF-e", "paid": "Money is in", "cancel": "Call it off"},
        STEPS=["approve_payment", "release", "invoice", "weigh", "dispatch", "deliver"],
        PROJECTION={"weighed": "sent"},
    ):  # fmt: skip
        flow = get_flow("MINE")
        assert (flow.name, flow.label) == ("MINE", "My way")
        assert flow.shipping.states["weighed"] == State("weighed", "Weighed", "info")
        assert flow.shipping.states["queued"] == State("queued", "Queued", "secondary")
        weigh = flow.shipping.transitions["weigh"]
        assert (weigh.sources, weigh.targets, weigh.permission) == (("invoiced",), ("weighed",), "shop.weigh")
        assert [guard.__name__ for guard in weigh.guards] == ["no_open_hold"]
        assert flow.shipping.transitions["dispatch"].sources == ("weighed", "partially_dispatched")
        assert flow.shipping.label("invoiced") == "With NF-e"
        assert flow.shipping.transitions["cancel"].label == "Call it off"
        assert flow.payment.label("paid") == "Money is in"
        assert flow.steps[3] == "weigh"
        assert (flow.project("paid", "weighed"), flow.project("paid", "queued")) == ("sent", "in_process")
    assert "weighed" not in BRAZIL.shipping.states


def test_a_shop_removes_a_step():
    with declared(BASE="BRAZIL", WITHOUT=["cancel_invoice"]):
        assert "cancel_invoice" not in get_flow("MINE").shipping.transitions
        assert get_flow("MINE").label == "MINE"
        assert get_flow("MINE").steps == BRAZIL.steps


def test_a_declaration_changes_standard_unless_it_names_another_base():
    with declared(LABEL="Plain"):
        assert get_flow("MINE").shipping == STANDARD.shipping


def test_a_flow_may_be_given_by_its_path_or_as_it_is():
    with declared():
        assert get_flow("MINE").shipping == PLUGIN.shipping
        assert get_flow("MINE").name == "MINE"
    with override_settings(OSCAR_FULFILLMENT={"FLOWS": {"MINE": PLUGIN, "NEXT": {"BASE": "MINE"}}}):
        assert get_flow("NEXT").shipping == PLUGIN.shipping


def test_an_order_of_a_flow_that_is_gone_is_still_shown():
    flow = get_flow("GONE")
    assert (flow.name, flow.shipping) == ("GONE", STANDARD.shipping)
    assert set(flows.flows()) == {"BRAZIL", "STANDARD", "PLUGIN"}


WRONG = [
    ({"LABLE": "x"}, "OSCAR_FULFILLMENT['FLOWS']['MINE']: give ['BASE', "),
    ({"BASE": "NOBODY"}, "OSCAR_FULFILLMENT['FLOWS']['MINE']: unknown BASE 'NOBODY'"),
    ("no.such.path", "OSCAR_FULFILLMENT['FLOWS']['MINE']: No module named 'no'"),
    ("tests.plugin.flow.NOTHING", "OSCAR_FULFILLMENT['FLOWS']['MINE']: Module \"tests.plugin.flow\" does not define"),
    ("tests.plugin.flow", "OSCAR_FULFILLMENT['FLOWS']['MINE']: give ["),
    (17, "OSCAR_FULFILLMENT['FLOWS']['MINE']: give ["),
    ({"TRANSITIONS": [{"name": "x", "colour": "red"}]}, "OSCAR_FULFILLMENT['FLOWS']['MINE']: "),
    ({"TRANSITIONS": [{"name": "x"}]}, "OSCAR_FULFILLMENT['FLOWS']['MINE']: "),
    ({"STATES": {"x": ["X", "info", "?"]}}, "OSCAR_FULFILLMENT['FLOWS']['MINE']: "),
    ({"CHANGES": {"dispatch": {"colour": "red"}}}, "OSCAR_FULFILLMENT['FLOWS']['MINE']: "),
    ({"CHANGES": {"fly": {"sources": ("x",)}}}, "machine shipping: no transition 'fly' to change"),
    ({"WITHOUT": ["fly"]}, "machine shipping: cannot remove unknown ['fly']"),
    ({"LABELS": {"fly": "Fly"}}, "machine payment: cannot rename unknown ['fly']"),
    ({"STATES": {"x": "X"}}, "machine shipping: no step leads to x"),
    ({"CHANGES": {"dispatch": {"targets": ("moon",)}}}, "machine shipping: dispatch names the unknown state 'moon'"),
    ({"STEPS": ["release", "fly"]}, "flow MINE: steps ['fly'] are no transitions of its machines"),
    ({"PROJECTION": {"received": "green"}}, "flow MINE: the projection {'received': 'green'} is wrong"),
    ({"PROJECTION": {"moon": "sent"}}, "flow MINE: the projection {'moon': 'sent'} is wrong"),
]


@pytest.mark.parametrize(("flow", "message"), WRONG)
def test_a_wrong_declaration_stops_the_start(flow, message):
    with override_settings(OSCAR_FULFILLMENT={"FLOWS": {"MINE": flow}}), pytest.raises(ConfigurationError) as error:
        FulfillmentConfig.ready(SimpleNamespace(name="x"))
    assert str(error.value).startswith(message)


def test_a_guard_that_cannot_be_found_stops_the_start():
    transition = {"name": "x", "sources": ["received"], "targets": ["released"], "label": "X", "guards": ["no.such"]}
    with declared(TRANSITIONS=[transition]), pytest.raises(ConfigurationError, match="MINE.*no"):
        flows.validate_all()


def test_the_flow_of_new_orders_must_exist():
    with override_settings(OSCAR_FULFILLMENT={"FLOW": "NOBODY"}):
        with pytest.raises(
            ConfigurationError, match=re.escape("OSCAR_FULFILLMENT['FLOW'] names the unknown flow 'NOBODY'")
        ):
            flows.validate_all()
        with pytest.raises(ConfigurationError):
            flows.choose_flow(None)
    with override_settings(OSCAR_FULFILLMENT={"FLOW": "no.such.function"}):
        with pytest.raises(ConfigurationError, match=re.escape("OSCAR_FULFILLMENT['FLOW']: No module named 'no'")):
            flows.validate_all()
    with override_settings(OSCAR_FULFILLMENT={"FLOW": "BRAZIL"}):
        flows.validate_all()
        assert flows.choose_flow(None) == "BRAZIL"


def test_a_callable_chooses_the_flow():
    swiss, brazilian = SimpleNamespace(currency="CHF"), SimpleNamespace(currency="BRL")
    with override_settings(OSCAR_FULFILLMENT={"FLOW": "tests.flows.choose_flow"}):
        flows.validate_all()
        assert (flows.choose_flow(swiss), flows.choose_flow(brazilian)) == ("STANDARD", "BRAZIL")
    with override_settings(OSCAR_FULFILLMENT={"FLOW": lambda order: order.currency}):
        flows.validate_all()
        with pytest.raises(ConfigurationError, match="unknown flow 'CHF'"):
            flows.choose_flow(swiss)


def test_a_machine_that_could_not_work_is_no_flow():
    broken = StateMachine.declare("shipping", [State("received", "R")], [Transition("x", ("y",), ("z",), "X")])
    with pytest.raises(ConfigurationError, match="machine shipping"):
        Flow("BROKEN", "Broken", STANDARD.payment, broken, steps=()).validate()
    with pytest.raises(ConfigurationError, match="machine payment"):
        Flow("BROKEN", "Broken", StateMachine("payment", "z", {}, {}), STANDARD.shipping).validate()
