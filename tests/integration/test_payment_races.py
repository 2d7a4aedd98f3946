"""Payments at the same moment: threads with connections of their own, a provider that takes its time, PostgreSQL.

Each race has one outcome that counts, nobody meets a deadlock, and afterwards the auditor agrees with the provider's
books, the ledger, the stock and the histories. ``RACE_ROUNDS`` (a percentage) shortens or lengthens the runs.
"""

# ruff: noqa: B023 (every race ends within its round, so a callable may look at the round's order)

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.core import history
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterUnavailable, FulfillmentError
from oscar_fulfillment.models import (
    CreditNote,
    FollowUp,
    OrderFulfillment,
    OutboundMessage,
    PaymentOperation,
    ProviderPayment,
    StatusChange,
)
from oscar_fulfillment.services import (
    audit,
    cancelling,
    door,
    followups,
    late_money,
    operation_runs,
    operations,
    payments,
    placing,
    provider_payments,
    receipts,
    release,
    restoring,
    shipping,
    terms,
    unpaid,
)
from oscar_fulfillment.test import factories

from .payments import demo, hold_method, money, open_kinds, statuses

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.feature("Z16", "A3", "E2")]

TEN, TEAM = Decimal("10.00"), factories.TEAM
DONE = "done"


def rounds(number):
    return range(max(number * int(os.environ.get("RACE_ROUNDS", "100")) // 100, 1))


@pytest.fixture
def race():
    """Run callables at the same moment, each in a thread; answers with DONE and the result, or the error's class and
    the error. What is no refusal of ours (a deadlock, an integrity error) is raised."""
    assert connection.vendor == "postgresql", "races are run on PostgreSQL: DB=postgres"
    pool = ThreadPoolExecutor(8)

    def race(*calls):
        barrier = threading.Barrier(len(calls))

        def run(call):
            barrier.wait(30)
            try:
                return DONE, call()
            except FulfillmentError as error:
                return type(error).__name__, error

        return list(pool.map(run, calls))

    yield race
    barrier = threading.Barrier(8)
    list(pool.map(lambda _number: (barrier.wait(30), connections.close_all()), range(8)))
    pool.shutdown()


@pytest.fixture
def provider(monkeypatch):
    """The provider in memory; each call takes up to four milliseconds, so that the others come in between."""
    found = demo()
    call = type(found)._call

    def slow(self, name):
        call(self, name)
        time.sleep(random.random() / 250)

    monkeypatch.setattr(type(found), "_call", slow)
    return found


@pytest.fixture(autouse=True)
def agreed(db):
    """After the race all books agree, the provider's too, and the histories are whole."""
    yield
    assert [str(difference) for difference in audit.audit_payments(ask_providers=True)] == []
    assert list(history.verify(OrderFulfillment, StatusChange)) == []


@pytest.fixture
def records(db):
    return [factories.product(f"Product {number}", stock=100_000).stockrecords.get() for number in range(3)]


@pytest.fixture
def method(db):
    return factories.gateway_method(retry_hours=0)


def placed(method, records, quantities=(1,)):
    """An order of 10.00 as placing leaves it, without the basket."""
    Order, Line = get_model("order", "Order"), get_model("order", "Line")
    with transaction.atomic():
        order = Order.objects.create(number=f"R{random.getrandbits(48)}", status="Received", total_incl_tax=10,
                                     total_excl_tax=10, currency="BRL")  # fmt: skip
        for record, quantity in zip(records, quantities, strict=False):
            Line.objects.create(
                order=order, stockrecord=record, product_id=record.product_id, partner_id=record.partner_id,
                partner_name="", partner_sku=record.partner_sku, title="Mug", quantity=quantity,
                num_allocated=quantity, line_price_incl_tax=10, line_price_excl_tax=10,
                line_price_before_discounts_incl_tax=10, line_price_before_discounts_excl_tax=10,
            )  # fmt: skip
        for record, quantity in sorted(zip(records, quantities, strict=False), key=lambda pair: pair[0].pk):
            type(record).objects.filter(pk=record.pk).update(num_allocated=Coalesce(F("num_allocated"), 0) + quantity)
        placing.record_placement(order=order, flow="STANDARD", payment_method=method)
    return order


def fresh(order):
    return get_model("order", "Order").objects.get(pk=order.pk)


def begun(order):
    return provider_payments.begin_payment(order=fresh(order), actor=TEAM, return_url="https://shop.example/")


def refresh(payment):
    return provider_payments.refresh_payment(payment=ProviderPayment.objects.get(pk=payment.pk))


def held(method, records, provider, **options):
    order = placed(method, records, **options)
    payment = begun(order)
    provider.pay(payment.reference)
    return order, refresh(payment)


paid = held  # by a method that does not hold


def run(pk):
    """A worker's tries until it has an answer, as the outbox makes them."""
    for _try in range(200):
        try:
            return operation_runs.run_operation(pk)
        except AdapterUnavailable:
            time.sleep(0.003)
    raise AssertionError("no answer")


def work_off():
    """Until nothing is asked for: a charge that is dropped asks for the hold to be given back."""
    while pks := list(PaymentOperation.objects.filter(status="requested").values_list("pk", flat=True)):
        for pk in pks:
            run(pk)


def effects(provider, kind, payment):
    return [sum_ for what, number, sum_ in provider.effects if what == kind and number == payment.external_id]


def steps(order, *actions):
    return StatusChange.objects.filter(fulfillment=order.pk, action__in=actions).count()


def done(outcomes):
    return [result for kind, result in outcomes if kind == DONE]


# One piece of news, several workers


def test_a_notification_processed_by_four_is_booked_once(race, provider, method, records):
    for _round in rounds(60):
        order = placed(method, records)
        payment = begun(order)
        provider.pay(payment.reference)

        def process(order=order, payment=payment):
            return provider_payments.process_notification(
                provider="demo", external_id=payment.external_id, reference=""
            )

        assert done(race(*[process] * 4)) == ["processed"] * 4
        assert statuses(order) == ("paid", "received")
        assert money(order) == (TEN, TEN, 0)
        assert steps(order, "approve_payment") == 1
        assert order.payment_events.count() == 1
        assert OutboundMessage.objects.filter(order_id=order.pk, kind="FULFILLMENT_PAYMENT_APPROVED").count() == 1


def test_four_clicks_begin_one_payment(race, provider, method, records):
    for _round in rounds(60):
        order = placed(method, records)
        outcomes = race(*[lambda order=order: begun(order)] * 4)
        assert len(done(outcomes)) == 4
        payment = ProviderPayment.objects.get(fulfillment=order.pk)
        assert {found.pk for found in done(outcomes)} == {payment.pk}
        assert {found.redirect_url for found in done(outcomes)} == {payment.redirect_url}
        assert effects(provider, "start", payment) == [TEN]
        assert len([p for p in provider.payments.values() if p.reference == payment.reference]) == 1
        assert open_kinds(order) == []


@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
def test_an_operation_run_by_four_workers_is_done_once(race, provider, records, kind):
    method = factories.gateway_method() if kind == "refund" else hold_method()
    for _round in rounds(40):
        order, payment = held(method, records, provider)
        asked = {"actor": TEAM, "order": fresh(order), "payment": payment.pk}
        if kind == "capture":
            operations.request_capture(**asked)
        elif kind == "void":
            operations.request_void(**asked, reason="No")
        else:
            operations.request_refund(**asked, reason="No", amount=Decimal("4.00"))
        operation = PaymentOperation.objects.get(payment=payment)
        outcomes = race(*[lambda operation=operation: operation_runs.run_operation(operation.pk)] * 4)
        assert {kind for kind, _result in outcomes} <= {DONE, "AdapterUnavailable"}
        assert len(effects(provider, kind, payment)) == 1
        operation.refresh_from_db()
        assert (operation.status, operation.attempts) == ("done", 1)
        wanted = {"capture": "paid", "void": "cancelled", "refund": "partially_refunded"}
        assert statuses(order)[0] == wanted[kind]


def test_a_receipt_sent_four_times_is_booked_once(race, records):
    method = factories.manual_method()
    for number in rounds(60):
        order = placed(method, records)
        amount = Decimal(("10.00", "4.00", "13.00")[number % 3])
        if number % 2:
            cancelling.cancel_order(order=fresh(order), actor=TEAM, reason="No", notify=False)

        def receive(order=order, amount=amount):
            return receipts.receive_money(order=fresh(order), actor=TEAM, amount=amount, key="statement-1-7")

        outcomes = race(*[receive] * 4)
        assert len({change.pk for change in done(outcomes)}) == 1
        assert len(done(outcomes)) == 4
        assert money(order) == (amount, amount, 0)
        assert len(open_kinds(order)) == (1 if number % 2 else number % 3 and 1)


# One wins


def test_two_refunds_at_once_stay_within_what_came_in(race, provider, method, records):
    for _round in rounds(40):
        order, payment = paid(method, records, provider)

        def ask(order=order, payment=payment):
            return operations.request_refund(
                order=fresh(order), payment=payment.pk, actor=TEAM, amount=Decimal("6.00"), reason="broken"
            )

        def work(payment=payment):
            for pk in PaymentOperation.objects.filter(payment=payment).values_list("pk", flat=True):
                run(pk)

        assert 1 <= len(done(race(ask, ask, ask, work))) - 1 <= 1
        work_off()
        assert len(done(race(ask, ask))) == 0  # 4.00 are left
        assert effects(provider, "refund", payment) == [Decimal("6.00")]
        assert money(order) == (TEN, TEN, Decimal("6.00"))


def test_capture_by_hand_at_dispatch_and_void_are_one(race, provider, records):
    """Either the money is taken and the goods leave, or it is given back and they stay."""
    method = hold_method(capture_at="dispatch")
    for _round in rounds(60):
        order, payment = held(method, records, provider)
        release.release_order(order=fresh(order), actor=TEAM, notify=False)

        def capture(order=order, payment=payment):
            return operations.request_capture(order=fresh(order), payment=payment.pk, actor=TEAM)

        def void(order=order, payment=payment):
            return operations.request_void(order=fresh(order), payment=payment.pk, actor=TEAM, reason="No")

        def dispatch(order=order):
            return shipping.dispatch_order(order=fresh(order), actor=TEAM, notify=False)

        race(capture, capture, void, void, dispatch, dispatch)
        operation = PaymentOperation.objects.get(payment=payment)
        work_off()
        assert len(effects(provider, "capture", payment)) + len(effects(provider, "void", payment)) == 1
        if operation.kind == "capture":
            assert statuses(order)[0] == "paid"
        else:
            assert statuses(order) == ("cancelled", "cancelled")
        assert open_kinds(order) == []


def test_a_follow_up_is_closed_by_one(race, records):
    method = factories.manual_method()
    for number in rounds(60):
        order = placed(method, records) if number % 2 else None
        followups.open_followup(kind="call", key=f"call:{number}", fulfillment_id=order and order.pk)
        found = FollowUp.objects.get(key=f"call:{number}")

        def close(outcome, found=found):
            row = FollowUp.objects.get(pk=found.pk)
            return followups.close_followup(followup=row, actor=TEAM, outcome=outcome)

        outcomes = race(lambda: close("reached"), lambda: close("not_reached"), lambda: close("done"))
        assert sorted(kind for kind, _result in outcomes) == ["FollowUpClosed", "FollowUpClosed", DONE]
        found.refresh_from_db()
        assert found.outcome == done(outcomes)[0].outcome


def test_what_is_too_much_is_kept_as_credit_once(race, records):
    method = factories.manual_method()
    for _round in rounds(60):
        order = placed(method, records)
        receipts.receive_money(order=fresh(order), actor=TEAM, amount=Decimal("15.00"))

        def keep(order=order):
            return late_money.keep_as_credit(order=fresh(order), actor=TEAM, amount=Decimal("3.00"), reason="next time")

        def give_back(order=order):
            return receipts.note_refund(order=fresh(order), actor=TEAM, amount=Decimal("5.00"), reason="sent back")

        race(keep, keep, keep, give_back)
        kept = sum(CreditNote.objects.filter(fulfillment=order.pk).values_list("amount", flat=True))
        assert kept in (Decimal(0), Decimal("3.00"))
        assert kept or money(order)[2] == Decimal("5.00")


# The end of an order


def test_money_and_the_end_of_the_time_to_pay_never_miss_each_other(race, records):
    """Either the money came first, and the order stands; or the order is off, and the money is shown as late."""
    method = factories.manual_method("prepaid", cancel_days=3)
    seen = set()
    for number in rounds(100):
        order = placed(method, records)

        def receive(order=order):
            return receipts.receive_money(order=fresh(order), actor=TEAM, amount=TEN, key="statement")

        def approve(order=order):
            return payments.approve_payment(order=fresh(order), actor=TEAM, notify=False)

        def end(order=order):
            return unpaid.cancel_unpaid(order=fresh(order))

        race(receive if number % 2 else approve, end, end)
        now = statuses(order)
        seen.add(now)
        assert now in (("paid", "received"), ("cancelled", "cancelled"))
        if now[0] == "cancelled" and number % 2:
            assert open_kinds(order) == ["late_money"]
    assert len(seen) == 2 or len(rounds(100)) < 50


def test_a_captured_payment_is_not_cancelled_for_being_unpaid(race, provider, method, records):
    for _round in rounds(60):
        order = placed(method, records)
        payment = begun(order)
        provider.pay(payment.reference)
        calls = [lambda: refresh(payment), lambda: unpaid.cancel_unpaid(order=fresh(order))] * 2
        outcomes = race(*calls)
        assert len(done(outcomes)) == 4
        assert statuses(order) == ("paid", "received")
        assert money(order) == (TEN, TEN, 0)


def test_paying_while_the_order_ends_in_every_way(race, provider, method, records):
    """The buyer pays at the very moment when a person cancels, approves, restores, and the clock runs out."""
    person = Actor.from_user(factories.staff_user())
    for number in rounds(100):
        order = placed(method, records)
        payment = begun(order)

        def pay(payment=payment):
            with provider._books:
                if provider.payments[payment.external_id].state == "pending":
                    provider.pay(payment.reference)
            return refresh(payment)

        def cancel(order=order):
            return cancelling.cancel_order(order=fresh(order), actor=person, reason="No", override=True, notify=False)

        def approve(order=order):
            return payments.approve_payment(
                order=fresh(order), actor=person, reason="Seen", override=True, notify=False
            )

        def restore(order=order):
            return restoring.restore_order(order=fresh(order), actor=person, reason="Yes", notify=False)

        calls = [pay, cancel, lambda: unpaid.cancel_unpaid(order=fresh(order)), approve, restore, work_off]
        random.Random(number).shuffle(calls)
        race(*calls)
        work_off()
        refresh(payment)
        remote = provider.payments[payment.external_id]
        row = ProviderPayment.objects.get(pk=payment.pk)
        assert (row.state, row.captured) == (remote.state, remote.captured)
        if statuses(order) == ("cancelled", "cancelled") and remote.captured:
            assert set(open_kinds(order)) & {"late_money", "overpaid"}
        assert len(effects(provider, "void", payment)) <= 1


def test_a_hold_and_its_end_race_to_one_outcome(race, provider, records):
    method = hold_method(capture_at="dispatch")
    person = Actor.from_user(factories.staff_user())
    for number in rounds(60):
        order, payment = held(method, records, provider)
        calls = [
            lambda: refresh(payment),
            lambda: cancelling.cancel_order(order=fresh(order), actor=person, reason="No", override=True, notify=False),
            lambda: operations.request_capture(order=fresh(order), payment=payment.pk, actor=person),
            lambda: restoring.restore_order(order=fresh(order), actor=person, reason="Yes", notify=False),
            work_off,
            work_off,
        ]
        random.Random(number).shuffle(calls)
        race(*calls)
        work_off()
        captured, voided = (len(effects(provider, kind, payment)) for kind in ("capture", "void"))
        assert captured + voided == 1 or (captured + voided == 0 and statuses(order)[0] == "authorized")
        if captured and statuses(order)[1] == "cancelled":
            assert open_kinds(order) == ["late_money"] or OrderFulfillment.objects.get(pk=order.pk).problem


def test_reminders_and_calls_are_once_for_four_clocks(race, records):
    method = factories.manual_method("reserved", reservation_days=3, reminder_days=1)
    for _round in rounds(30):
        order = placed(method, records)
        past = timezone.now() - timedelta(minutes=1)
        row = OrderFulfillment.objects.get(pk=order.pk)
        terms.set_terms(row, remind_at=past, call_at=past)
        race(*[terms.run_due] * 4)
        terms.run_due()
        assert steps(order, "remind", "reservation_ends") == 2
        assert open_kinds(order) == ["reservation_ends"]


# Everything at once


def test_crossing_orders_that_share_their_stock_never_deadlock(race, provider, records):
    """S1: eight threads on orders that share stock, single steps and bulk steps, money, cancellation and dispatch."""
    hold, card, cash = (
        hold_method(capture_at="dispatch"), factories.gateway_method(retry_hours=0),
        factories.manual_method("prepaid", cancel_days=3),
    )  # fmt: skip
    for number in rounds(300):
        chance = random.Random(number)
        orders, at_provider = [], {}
        for index, method in enumerate((hold, card, cash, hold)):
            crossing = records if index % 2 else records[::-1]
            order = placed(method, crossing, quantities=(1, 2))
            orders.append(order)
            if method is not cash:
                payment = at_provider[order.pk] = begun(order)
                if chance.random() < 0.7:
                    provider.pay(payment.reference)
                    if chance.random() < 0.6:
                        refresh(payment)
                        if chance.random() < 0.6:
                            release.release_order(order=fresh(order), actor=TEAM, notify=False)
        pks = [order.pk for order in orders]
        plans = [[(chance.choice(orders), chance.random()) for _n in range(3)] for _thread in range(8)]

        def bulk(move, effect, backwards, **context):
            mine = pks[::-1] if backwards else pks
            return door.move_many(mine, move, actor=TEAM, effect=effect, context={"notify": False, **context})

        def act(order, what, backwards):
            payment = at_provider.get(order.pk)
            if payment is not None and what < 0.25:
                refresh(payment)
            elif what < 0.35:
                cancelling.cancel_order(order=fresh(order), actor=TEAM, reason="No", notify=False)
            elif what < 0.45:
                bulk(cancelling.CANCEL, cancelling.cancel_effect, backwards)
            elif what < 0.55:
                bulk(
                    shipping.DISPATCH, shipping.dispatch_effect, backwards,
                    parcels=[],
                )  # fmt: skip
            elif what < 0.6:
                restoring.restore_order(order=fresh(order), actor=TEAM, reason="Yes", notify=False)
            elif what < 0.68:
                unpaid.cancel_unpaid(order=fresh(order))
            elif what < 0.76:
                payments.approve_payment(order=fresh(order), actor=TEAM, notify=False)
            elif what < 0.82:
                receipts.receive_money(order=fresh(order), actor=TEAM, amount=Decimal("5.00"), notify=False)
            elif payment is not None and what < 0.88:
                operations.request_capture(order=fresh(order), payment=payment.pk, actor=TEAM)
            elif payment is not None and what < 0.94:
                operations.request_refund(
                    order=fresh(order), payment=payment.pk, actor=TEAM, amount=Decimal("3.00"), reason="No"
                )
            elif payment is not None:
                operations.request_void(order=fresh(order), payment=payment.pk, actor=TEAM, reason="No")
            else:
                release.release_order(order=fresh(order), actor=TEAM, notify=False)

        def work(thread):
            for order, what in plans[thread]:
                try:
                    act(order, what, thread % 2)
                    if thread < 2:
                        work_off()
                except FulfillmentError:
                    pass

        outcomes = race(*[lambda thread=thread: work(thread) for thread in range(8)])
        assert len(done(outcomes)) == 8
        work_off()
        for payment in at_provider.values():
            refresh(payment)
            assert len(effects(provider, "capture", payment)) <= 1
            assert len(effects(provider, "void", payment)) <= 1
            refunds = PaymentOperation.objects.filter(payment=payment, kind="refund", status="done")
            assert len(effects(provider, "refund", payment)) == refunds.count()
