"""The table of events: every public signal has one, and the names are as Standard Webhooks wants them."""

import re
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.dispatch import Signal

from oscar_fulfillment import signals
from oscar_fulfillment.models import CarrierOrder
from oscar_fulfillment.services import webhook_events
from oscar_fulfillment.services.webhook_events import EVENTS, GROUPS, event_of, label, plain_facts

pytestmark = pytest.mark.feature("Z15")

PUBLIC = {
    name for name, value in vars(signals).items() if isinstance(value, Signal) and not name.startswith("validate_")
}


def test_every_public_signal_has_its_event_and_every_event_its_signal():
    assert {event.signal for event in EVENTS.values()} == PUBLIC
    assert len(EVENTS) == len(PUBLIC)


def test_names_and_groups():
    for name, event in EVENTS.items():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", name)
        assert len(name) <= 64
        assert event.group in GROUPS
        assert str(event.label)
    assert {event.group for event in EVENTS.values()} == set(GROUPS)


def test_every_action_that_is_announced_leads_to_an_event():
    for action, signal in signals.BY_ACTION.items():
        event = EVENTS[event_of(action)]
        assert getattr(signals, event.signal) is signal
    assert event_of("add_note") == ""
    assert event_of("") == ""


def test_labels():
    assert label("payment.approved") == "The money is in"
    assert label("ping") == "Test"
    assert label("something.of_tomorrow") == "something.of_tomorrow"


def test_facts_become_plain_data():
    carriage = CarrierOrder(carrier="cdek", reference="R1", tracking_code="123")
    facts = {
        "amount": Decimal("5.00"),
        "shipments": (1, 2),
        "return_id": 7,
        "nothing": None,
        "order": SimpleNamespace(),
    }
    assert plain_facts({**facts, "carrier_order": carriage}) == {
        "amount": "5.00",
        "shipments": [1, 2],
        "return_id": 7,
        "nothing": None,
        "carriage": {"carrier": "cdek", "reference": "R1", "tracking_code": "123"},
    }


def test_ids_are_unique_and_hold_no_dot():
    found = {webhook_events.new_id() for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch(r"msg_[0-9a-f]{32}", each) for each in found)
