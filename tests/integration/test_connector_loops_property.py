"""Two systems that both move an order: whatever happens on the way, they settle, and they agree or a person is told.

Both sides move at random. Events come twice, late, in any order, or never; what was read is taken later than what was
read after it; answers are lost before and after the work; somebody moves the deal between our look and our move; the
clocks differ. Then the accidents end, what waits is worked, and the two are compared.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from werkzeug.test import Client

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.connectors.bitrix24_mapping import RULES
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import AdapterError, AdapterUnanswered, AdapterUnavailable, FulfillmentError
from oscar_fulfillment.core.http import Answer
from oscar_fulfillment.flows import STANDARD
from oscar_fulfillment.models import (
    ConnectorState,
    Export,
    FollowUp,
    LaneHealth,
    OrderFulfillment,
    OutboundMessage,
    OutsideChange,
)
from oscar_fulfillment.services import (
    cancelling,
    connector_changes,
    connector_rules,
    connector_watch,
    payments,
    release,
    shipping,
)
from oscar_fulfillment.test import factories
from sandbox.simulators.bitrix24 import Bitrix24
from sandbox.simulators.bitrix24_rules import CODE, STAGES, USER, Bucket, stages

from .connectors import configured, due_now

BACKEND = "oscar_fulfillment.connectors.bitrix24.Bitrix24"
LANE = "connector:bitrix24"
OURS = {
    "approve": payments.approve_payment, "release": release.release_order, "dispatch": shipping.dispatch_order,
    "deliver": shipping.deliver_order,
    "cancel": lambda **given: cancelling.cancel_order(**given, reason="no"),
}  # fmt: skip
#: How two statuses may be told of each other: as it comes, one side first, and with a stage that means a step but is
#: shown as another stage.
RULE_SETS = {
    "later": [], "ours": "ours", "theirs": "theirs",
    "hopping": [
        {"direction": "in", "outside": "PREPAYMENT_INVOICE", "step": "approve_payment"},
        {"direction": "in", "outside": "PREPARATION", "step": "release"},
        {"direction": "in", "outside": "LOSE", "step": "cancel"},
        {"direction": "in", "outside": "FINAL_INVOICE", "step": "dispatch"},
        {"direction": "out", "outside": "PREPARATION", "payment": "paid", "shipping": "received"},
        {"direction": "out", "outside": "EXECUTING", "shipping": "released"},
        {"direction": "out", "outside": "WON", "shipping": "dispatched"},
        {"direction": "out", "outside": "APOLOGY", "shipping": "cancelled"},
    ],
}  # fmt: skip
SETTINGS = settings(
    max_examples=1000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 40,
    stateful_step_count=40 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
stage_codes = st.sampled_from(list(STAGES))
number = st.integers(0, 20)


def rules_named(name):
    given = RULE_SETS[name]
    if isinstance(given, list):
        return given
    return [
        {"direction": rule.direction, "outside": rule.outside, "step": rule.step, "payment": rule.payment,
         "shipping": rule.shipping, "wins": given}
        for rule in RULES
    ]  # fmt: skip


class Wire:
    """The adapter's HTTP, straight into the simulator; what is to go wrong comes before each call."""

    base_url = name = "portal"

    def __init__(self, portal):
        self.portal, self.client = portal, Client(portal)
        self.plan, self.sneaks, self.accidents = [], [], 0

    def request(self, method, path, *, json_body=None, accept=(), **options):
        accident = self.plan.pop(0) if self.plan else ""
        self.accidents += bool(accident)
        if self.sneaks and (sneak := self.sneaks.pop(0)):
            sneak()
        if accident == "before":
            raise AdapterUnavailable("cut on its way there")
        if accident == "unsure":
            raise AdapterUnanswered("nobody knows")
        answer = self.client.open(f"/rest/{USER}/{CODE}{path}", method=method, json=json_body)
        if accident == "after":
            raise AdapterUnanswered("cut on its way back")
        assert 200 <= answer.status_code < 300 or answer.status_code in accept
        return Answer(answer.status_code, dict(answer.headers), answer.get_data())


class TwoSides(RuleBasedStateMachine):
    @initialize(
        rules=st.sampled_from(list(RULE_SETS)),
        skew=st.integers(-4000, 4000),
        pipeline=st.sampled_from([0, 5]),
        start=st.sampled_from([factories.placed_order, factories.paid_order, factories.released_order]),
        there=st.booleans(),
    )
    def begin(self, rules, skew, pipeline, start, there):
        for model in (OutboundMessage, OutsideChange, Export, FollowUp, ConnectorState, LaneHealth):
            model.objects.all().delete()
        self.pipeline, self.clock = pipeline, datetime.now(UTC) + timedelta(seconds=skew)
        self.events, self.read, self.ours, self.theirs = [], [], 0, 0
        self.portal = Bitrix24(deliver=self.hear, now=self.now, bucket=Bucket(depth=1e9))
        self.portal.hook_url = "https://shop.example/hook"
        options = {
            "webhook_url": f"https://portal.example/rest/{USER}/{CODE}", "application_tokens": [self.portal.token],
            "rate": (1e9, 1e9), "pipelines": {"EUR": pipeline},
        }  # fmt: skip
        self.context = configured(bitrix24=(BACKEND, options))
        self.context.__enter__()
        self.crm = connectors.get("bitrix24")
        self.wire = self.crm._wire._http = Wire(self.portal)
        connector_rules.save_rules(connector="bitrix24", rules=rules_named(rules))
        self.order = start(currency="EUR")
        if there:
            self.a_worker_sends(99)

    def now(self):
        # Whatever is done takes a second over there: two moves of a deal are told apart by their time alone.
        self.clock += timedelta(seconds=1)
        return self.clock

    def hear(self, letter):
        self.events.append(letter)
        return 200

    @property
    def fulfillment(self):
        return OrderFulfillment.objects.get(pk=self.order.pk)

    @property
    def deal(self):
        return self.portal.deals[0] if self.portal.deals else None

    # What people do

    @rule(name=st.sampled_from(list(OURS)))
    def we_move(self, name):
        try:
            OURS[name](order=self.order, actor=factories.TEAM)
            self.ours += 1
        except FulfillmentError:
            pass

    @precondition(lambda self: self.deal)
    @rule(code=stage_codes)
    def they_move(self, code):
        self.move(code)

    def move(self, code):
        if self.deal:
            self.portal.change(self.deal["ID"], stage=list(stages(self.pipeline))[list(STAGES).index(code)])
            self.theirs += 1

    @precondition(lambda self: self.deal)
    @rule()
    def they_write_something(self):
        self.portal.change(self.deal["ID"], TITLE="Another")

    # What goes wrong

    @rule(kinds=st.lists(st.sampled_from(["before", "after", "unsure", ""]), min_size=1, max_size=3))
    def calls_will_fail(self, kinds):
        self.wire.plan = kinds

    @rule(after=st.integers(0, 3), code=stage_codes)
    def somebody_will_move_it_meanwhile(self, after, code):
        self.wire.sneaks = [None] * after + [lambda: self.move(code)]

    @precondition(lambda self: self.events)
    @rule(which=number)
    def an_event_is_lost(self, which):
        self.events.pop(which % len(self.events))

    @precondition(lambda self: self.events)
    @rule(which=number)
    def an_event_comes_twice(self, which):
        self.events.append(self.events[which % len(self.events)])

    # What the workers do

    @rule(many=st.integers(1, 3))
    def a_worker_sends(self, many):
        due_now("bitrix24")
        outbox.drain(limit=many, destination=LANE)

    @precondition(lambda self: self.events)
    @rule(which=number)
    def a_worker_reads_what_an_event_names(self, which):
        letter = self.events.pop(which % len(self.events))
        notice = self.crm.parse_notification({}, letter.body, {})
        for external_id in notice.read_again:
            try:
                change = self.crm.fetch(external_id)
            except AdapterError:
                self.events.append(letter)
            else:
                self.read += [change] if change else []

    @precondition(lambda self: self.read)
    @rule(which=number)
    def and_takes_it(self, which):
        connector_changes.take("bitrix24", self.read.pop(which % len(self.read)))

    @rule()
    def a_worker_asks(self):
        connector_watch.ask(self.crm, force=True)

    # The end

    def settle(self):
        self.wire.plan, self.wire.sneaks = [], []
        before = len(self.portal.effects)
        for _turn in range(12):
            while self.read:
                self.and_takes_it(0)
            while self.events:
                self.a_worker_reads_what_an_event_names(0)
                if self.read:
                    self.and_takes_it(0)
            connector_watch.ask(self.crm, force=True)
            OutboundMessage.objects.filter(destination=LANE, status__in=["dead"]).update(status="pending", attempts=0)
            due_now("bitrix24")
            if not outbox.drain(destination=LANE) and not self.events and not self.read:
                break
        else:
            raise AssertionError("it goes on and on")
        assert not OutboundMessage.objects.filter(destination=LANE).exclude(status="sent").exists()
        # One order costs a contact, a deal, and what is left to be told; nothing comes of itself.
        assert len(self.portal.effects) - before <= 8, self.portal.effects[before:]
        assert len(self.portal.deals) <= 1

    def teardown(self):
        try:
            self.settle()
            self.compare()
            told = len(self.portal.effects)
            self.settle()
            assert len(self.portal.effects) == told
            self.compare()
            # As many moves of ours there as there was reason for; what was lost is completed once more.
            assert told <= 2 + 2 * (self.ours + self.theirs) + self.wire.accidents
        finally:
            self.context.__exit__(None, None, None)

    def compare(self):
        (export,) = Export.objects.filter(fulfillment=self.order.pk)
        rules, stage = connector_rules.rules_of("bitrix24"), self.deal["STAGE_ID"]
        assert export.outside_state == stage, "the shop believes what is not so"
        ours = connector_rules.shown("bitrix24", rules, self.fulfillment)
        if ours in ("", stage):
            return
        said = connector_rules.heard("bitrix24", rules, stage)
        if said is None:
            return  # this stage means nothing to the shop
        if self.leads_here(said.step):
            return  # it means a step that the order has taken, and shows as another stage
        told = OutsideChange.objects.filter(fulfillment=self.order.pk, state=stage)
        assert told.filter(status="refused").exists(), (ours, stage, list(OutsideChange.objects.values_list(
            "state", "status", "key")))  # fmt: skip
        assert FollowUp.objects.filter(kind="outside_refused", fulfillment=self.order.pk).exists()

    def leads_here(self, step):
        row = self.fulfillment
        now = {"payment": row.payment_status, "shipping": row.shipping_status}
        for machine in STANDARD.machines.values():
            if step in machine.transitions and now[machine.name] in machine.transitions[step].targets:
                return True
        return False


@pytest.mark.feature("E10")
@pytest.mark.django_db(transaction=True)
def test_two_sides_that_both_move_settle_and_agree_or_somebody_is_told():
    run_state_machine_as_test(TwoSides, settings=SETTINGS)
