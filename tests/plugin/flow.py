"""The flow of a dummy plugin: a state of its own, another label, built from public names only."""

from oscar_fulfillment.core.statemachine import State, Transition
from oscar_fulfillment.flows import STANDARD, Flow

FLOW = Flow(
    "PLUGIN",
    "Plugin",
    STANDARD.payment,
    STANDARD.shipping.with_states(State("packed", "Packed", "info"))
    .with_transitions(Transition("pack", ("released",), ("packed",), "Pack", permission="release_order"))
    .change("dispatch", sources=("packed", "partially_dispatched"))
    .relabel({"dispatched": "On its way"}),
    steps=("approve_payment", "release", "pack", "dispatch", "deliver"),
)
