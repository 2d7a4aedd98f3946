"""Random notifications about one payment: repeated, reordered, forged, late. The end is what the provider holds.

``HYPOTHESIS_PROFILE=thorough`` tries 10,000 sequences.
"""

import contextlib
import json
import os
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oscar_fulfillment.core import history, inbox, outbox
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import (
    FollowUp,
    InboundMessage,
    OrderFulfillment,
    OutboundMessage,
    PaymentOperation,
    ProviderPayment,
    StatusChange,
)
from oscar_fulfillment.services import cancelling, operation_runs, operations, unpaid
from oscar_fulfillment.services.payment_status import resolve
from oscar_fulfillment.services.settling import settle
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.gateways import TOKEN

from .payments import TEAM, begun, hold_method, money

pytestmark = pytest.mark.django_db

EXAMPLES = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 150
TWENTY = Decimal("20.00")
HOOK = "/fulfillment/webhooks/payments/demo/"

#: What may happen at the provider, from which of its states.
HAPPENINGS = {
    "pay": ("pending", "in_review", "refused", "expired"),
    "pay_too_little": ("pending",),
    "pay_too_much": ("pending",),
    "pay_again": ("captured",),
    "review": ("pending",),
    "refuse": ("pending", "in_review"),
    "refuse_antifraud": ("pending", "in_review"),
    "expire": ("pending", "authorized"),
    "capture_there": ("authorized",),
    "refund_there": ("captured",),
    "charge_back": ("captured",),
    "say_nonsense": ("pending",),
}
OURS = ("notify", "notify_again", "old_news", "forge", "work", "capture", "refund", "cancel", "give_up", "lose_answer")
actions = st.lists(st.sampled_from([*HAPPENINGS, *OURS, "notify", "work"]), min_size=2, max_size=14)


class Story:
    """One order, its payment, and what is done about it."""

    def __init__(self, hold: bool):
        method = hold_method() if hold else factories.gateway_method("boleto-like", retry_hours=0)
        self.order, self.payment, self.provider = begun(method)
        self.client, self.events, self.snapshots = Client(), 0, []

    @property
    def remote(self):
        return self.provider.payments[self.payment.external_id]

    def change(self, **values):
        self.provider.change(self.payment.reference, **values)

    def do(self, action):
        if action in HAPPENINGS:
            if self.remote.state not in HAPPENINGS[action]:
                return
            self.snapshots.append(replace(self.remote, asked_at=timezone.now()))
        getattr(self, action)()

    # At the provider

    def pay(self):
        self.provider.pay(self.payment.reference)

    def pay_too_little(self):
        self.provider.pay(self.payment.reference, Decimal("7.50"))

    def pay_too_much(self):
        self.provider.pay(self.payment.reference, Decimal("33.00"))

    def pay_again(self):
        self.change(captured=self.remote.captured + TWENTY, authorized=self.remote.authorized + TWENTY)

    def review(self):
        self.change(state=PaymentState.IN_REVIEW)

    def refuse(self):
        self.change(state=PaymentState.REFUSED, reason="51")

    def refuse_antifraud(self):
        self.change(state=PaymentState.REFUSED_ANTIFRAUD)

    def expire(self):
        self.change(state=PaymentState.EXPIRED, authorized=Decimal(0))

    def capture_there(self):
        self.change(state=PaymentState.CAPTURED, captured=self.remote.authorized)

    def refund_there(self):
        left = self.remote.captured - self.remote.refunded
        if left:
            part = min(left, Decimal("4.00"))
            state = PaymentState.REFUNDED if part == left else PaymentState.CAPTURED
            self.change(refunded=self.remote.refunded + part, state=state)

    def charge_back(self):
        self.change(state=PaymentState.CHARGED_BACK)

    def say_nonsense(self):
        # The word passes: the payment itself stays what it was.
        nonsense = replace(self.remote, state=PaymentState.UNKNOWN, raw_status="?")
        settle(payment_id=self.payment.pk, remote=nonsense, actor=TEAM)

    # Here

    def notify(self):
        self.events += 1
        self.post(TOKEN, f"e{self.events}")
        inbox.process(source="payments:demo")

    def notify_again(self):
        self.post(TOKEN, f"e{self.events}")
        inbox.process(source="payments:demo")

    def old_news(self):
        for old in self.snapshots[-2:]:
            settle(payment_id=self.payment.pk, remote=old, actor=Actor.provider("demo"))

    def forge(self):
        before = InboundMessage.objects.count()
        assert self.post("guessed", "e999", status="paid").status_code == 401
        assert InboundMessage.objects.count() == before

    def post(self, token, event, **more):
        body = json.dumps({"id": event, "payment": self.payment.external_id, **more})
        return self.client.post(HOOK, body, content_type="application/json", headers={"X-Token": token})

    def work(self):
        for operation in PaymentOperation.objects.filter(status="requested"):
            try:
                operation_runs.run_operation(operation.pk)
            except FulfillmentError:
                PaymentOperation.objects.update(claimed_until=None)

    def lose_answer(self):
        self.provider.lose_answers()

    def capture(self):
        self.ask(operations.request_capture)

    def refund(self):
        self.ask(operations.request_refund, amount=Decimal("3.00"), reason="broken")

    def ask(self, service, **options):
        with contextlib.suppress(FulfillmentError):
            service(order=self.order, payment=self.payment.pk, actor=TEAM, **options)

    def cancel(self):
        with contextlib.suppress(FulfillmentError):
            cancelling.cancel_order(order=self.order, actor=TEAM, reason="changed my mind")

    def give_up(self):
        if OrderFulfillment.objects.get(pk=self.order.pk).payment_status == "awaiting_payment":
            # An answer was lost, the provider still looks at it, or a part of the money is here.
            with contextlib.suppress(FulfillmentError):
                unpaid.cancel_unpaid(order=self.order)

    def end(self):
        """Everything that is under way is worked off, and the provider is asked once more."""
        self.provider.lose_answers(0)
        for _round in range(4):
            self.work()
            settle(payment_id=self.payment.pk, remote=self.remote, actor=Actor.provider("demo"))

    def check(self):
        row = OrderFulfillment.objects.select_related("order").get(pk=self.order.pk)
        payment, remote = ProviderPayment.objects.get(), self.remote
        assert (payment.captured, payment.refunded) == (remote.captured, remote.refunded)
        held = remote.authorized - remote.captured if remote.state == PaymentState.AUTHORIZED else Decimal(0)
        assert money(self.order) == (held + remote.captured, remote.captured, remote.refunded)
        assert payment.state == remote.state
        kinds = set(FollowUp.objects.filter(closed_at=None).values_list("kind", flat=True))
        from oscar_fulfillment.services.ledger import totals

        found = totals(row.pk)
        assert row.payment_status == resolve(row.payment_status, row.order.total_incl_tax, found)
        if row.payment_status == "cancelled" and found.net > 0:
            assert "late_money" in kinds or row.shipping_status != "cancelled"
        allocated = sum(line.num_allocated or 0 for line in self.order.lines.all())
        assert allocated == (0 if row.shipping_status == "cancelled" else 2)
        assert StatusChange.objects.filter(fulfillment=row.pk).count() == row.version
        assert list(history.verify(OrderFulfillment, StatusChange)) == []
        assert not PaymentOperation.objects.filter(status="requested").exists()
        captures = [amount for kind, _number, amount in self.provider.effects if kind == "capture"]
        assert len(captures) <= 1
        done = PaymentOperation.objects.filter(kind="refund", status="done").count()
        refunds = [amount for kind, _number, amount in self.provider.effects if kind == "refund"]
        assert len(refunds) <= PaymentOperation.objects.filter(kind="refund").count()
        assert done <= len(refunds) + int(remote.refunded / 3) + 1
        approved = OutboundMessage.objects.filter(kind="FULFILLMENT_PAYMENT_APPROVED").count()
        assert (
            approved
            == StatusChange.objects.filter(to_status="paid", action__in=["approve_payment", "capture_payment"]).count()
        )


@pytest.mark.feature("A3", "Z7")
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(hold=st.booleans(), story=actions)
def test_whatever_arrives_the_end_is_what_the_provider_holds(hold, story):
    example = transaction.atomic()
    example._from_testcase = True  # what must not run inside a transaction may run inside this one
    with example:
        told = Story(hold)
        for action in story:
            told.do(action)
        told.end()
        told.check()
        transaction.set_rollback(True)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["start", "fetch", "capture", "void", "refund"])
def test_a_call_that_breaks_has_at_most_one_effect(call, moment):
    """Killed before it reached the provider, or after the provider has done it."""
    story = Story(hold=call in ("capture", "void"))
    if call == "start":
        story.order = factories.placed_order(method=factories.gateway_method("again"))
        from oscar_fulfillment.services.provider_payments import begin_payment

        for attempt in range(2):
            if not attempt:
                story.provider.go_down() if moment == "before" else story.provider.lose_answers()
            try:
                begin_payment(order=story.order, actor=TEAM, return_url="https://shop.example/")
            except FulfillmentError:
                assert not attempt
        assert [kind for kind, *_rest in story.provider.effects].count("start") == 2  # the story's own, and this one
        return
    story.pay()
    if call == "fetch":
        story.provider.go_down()
        story.notify()
        InboundMessage.objects.update(next_attempt_at=timezone.now())
        from oscar_fulfillment.core import circuit

        circuit.reopen("inbox:payments:demo")
        inbox.process(source="payments:demo")
    else:
        story.notify()
        {"capture": story.capture, "refund": story.refund, "void": story.cancel}[call]()
        story.provider.go_down() if moment == "before" else story.provider.lose_answers()
        story.work()
    story.end()
    story.check()
    wanted = {"capture": 1, "refund": 1, "void": 1}.get(call, 0)
    assert [kind for kind, *_rest in story.provider.effects].count(call) == wanted


def test_the_outbox_wakes_for_operations(django_capture_on_commit_callbacks):
    story = Story(hold=True)
    story.pay()
    story.notify()
    story.capture()
    assert outbox.PUMP.due()
