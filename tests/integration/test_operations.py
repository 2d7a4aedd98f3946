"""Captures, voids and refunds: asked once, whatever breaks on the way."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import (
    AdapterUnanswered,
    AdapterUnavailable,
    InvalidInput,
    TransitionNotAllowed,
)
from oscar_fulfillment.models import FollowUp, OutboundMessage, PaymentOperation, StatusChange
from oscar_fulfillment.services import cancelling, operation_runs, release, shipping
from oscar_fulfillment.services.operation_runs import run_operation
from oscar_fulfillment.services.operations import request_capture, request_refund, request_void
from oscar_fulfillment.test import factories

from .payments import TEAM, free_stock, held, hold_method, money, open_kinds, paid, problem, statuses

pytestmark = pytest.mark.django_db
TWENTY = Decimal("20.00")


def asked():
    return PaymentOperation.objects.latest("pk")


def drain():
    return outbox.drain(destination="payments:demo")


def effects(provider, kind):
    return [amount for what, _number, amount in provider.effects if what == kind]


@pytest.mark.feature("E2")
def test_a_hold_is_captured_by_hand():
    order, payment, provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM)
    assert statuses(order)[0] == "authorized"
    assert drain()["sent"] == 1
    assert statuses(order)[0] == "paid"
    assert money(order) == (TWENTY, TWENTY, 0)
    assert effects(provider, "capture") == [TWENTY]
    assert asked().status == "done"
    assert order.payment_events.get().amount == TWENTY


def test_a_part_is_captured_and_the_rest_given_back():
    order, payment, provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM, amount=Decimal("15.00"))
    drain()
    assert money(order) == (Decimal("15.00"), Decimal("15.00"), 0)
    assert statuses(order)[0] == "authorized"  # 5.00 of the order's total are missing
    assert open_kinds(order) == ["underpaid"]


@pytest.mark.parametrize(("amount", "words"), [("20.01", "20.00 BRL is held"), ("0", "above zero"), ("-1", "above")])
def test_a_capture_outside_its_bounds_is_refused(amount, words):
    order, payment, _provider = held()
    with pytest.raises(InvalidInput, match=words):
        request_capture(order=order, payment=payment.pk, actor=TEAM, amount=Decimal(amount))
    assert not PaymentOperation.objects.exists()


def test_all_or_nothing_where_the_provider_wants_it():
    order, payment, _provider = held(method=hold_method("whole", provider_method="whole"))
    with pytest.raises(InvalidInput, match="whole held sum"):
        request_capture(order=order, payment=payment.pk, actor=TEAM, amount=Decimal("5"))


def test_nothing_is_captured_twice_at_once():
    order, payment, _provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM)
    with pytest.raises(TransitionNotAllowed, match="asked already"):
        request_capture(order=order, payment=payment.pk, actor=TEAM)


@pytest.mark.parametrize("kind", ["capture", "refund", "void"])
def test_a_lost_answer_has_one_effect(kind):
    if kind == "refund":
        order, payment, provider = paid()
        request_refund(order=order, payment=payment.pk, actor=TEAM, amount=Decimal("5"), reason="broken")
    else:
        order, payment, provider = held()
        if kind == "capture":
            request_capture(order=order, payment=payment.pk, actor=TEAM)
        else:
            request_void(order=order, payment=payment.pk, actor=TEAM, reason="not wanted")
    provider.lose_answers()
    operation = asked()
    with pytest.raises(AdapterUnanswered):
        run_operation(operation.pk)
    assert asked().status == "requested"
    run_operation(operation.pk)
    assert asked().status == "done"
    assert len(effects(provider, kind)) == 1


def test_a_worker_that_died_after_the_call_repeats_nothing(monkeypatch):
    order, payment, provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM)

    def die(**kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(operation_runs, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            run_operation(asked().pk)
    assert effects(provider, "capture") == [TWENTY]
    with pytest.raises(AdapterUnavailable, match="somebody else"):
        run_operation(asked().pk)
    PaymentOperation.objects.update(claimed_until=timezone.now())
    run_operation(asked().pk)
    assert effects(provider, "capture") == [TWENTY]
    assert statuses(order)[0] == "paid"


def test_a_provider_that_is_down_is_asked_again():
    order, payment, provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM)
    provider.go_down()
    assert drain()["pending"] == 1
    OutboundMessage.objects.update(next_attempt_at=timezone.now())
    from oscar_fulfillment.core import circuit

    circuit.reopen("outbox:payments:demo")
    assert drain()["sent"] == 1
    assert statuses(order)[0] == "paid"


def test_a_capture_the_provider_refuses_stays_visible():
    order, payment, provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM)
    provider.refuse("hold is gone")
    drain()
    assert asked().status == "refused"
    assert problem(order) == "capture_failed"
    assert open_kinds(order) == ["operation_failed"]
    assert StatusChange.objects.filter(fulfillment=order.pk, action="refuse_operation").count() == 1
    request_capture(order=order, payment=payment.pk, actor=TEAM)
    drain()
    assert (statuses(order)[0], problem(order)) == ("paid", "")


def test_an_operation_nobody_answers_waits_for_a_person():
    order, payment, provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM)
    PaymentOperation.objects.update(requested_at=timezone.now() - timedelta(hours=21))
    provider.lose_answers()
    run_operation(asked().pk)
    assert asked().status == "unknown"
    assert FollowUp.objects.get().kind == "operation_failed"


def test_a_message_given_up_leaves_the_operation_to_a_person():
    order, payment, _provider = held()
    request_capture(order=order, payment=payment.pk, actor=TEAM)
    message = OutboundMessage.objects.get(destination="payments:demo")
    message.error = "cannot be reached"
    operation_runs.message_died(message)
    assert asked().status == "unknown"
    assert problem(order) == "capture_failed"


@pytest.mark.feature("Z7")
def test_granted_is_not_executed():
    order, payment, provider = paid()
    request_refund(order=order, payment=payment.pk, actor=TEAM, amount=Decimal("5"), reason="broken")
    assert statuses(order)[0] == "paid"
    provider.refuse("account empty")
    drain()
    assert statuses(order)[0] == "paid"
    assert problem(order) == "refund_failed"
    request_refund(order=order, payment=payment.pk, actor=TEAM, amount=Decimal("5"), reason="broken")
    drain()
    assert statuses(order)[0] == "partially_refunded"
    assert money(order) == (TWENTY, TWENTY, Decimal("5.00"))
    assert problem(order) == ""


@pytest.mark.parametrize("amount", ["20.01", "0", "-3"])
def test_a_refund_outside_its_bounds_is_refused(amount):
    order, payment, _provider = paid()
    with pytest.raises(InvalidInput):
        request_refund(order=order, payment=payment.pk, actor=TEAM, amount=Decimal(amount), reason="x")


def test_giving_a_hold_back_cancels_the_order():
    order, payment, provider = held()
    before = free_stock(order)
    request_void(order=order, payment=payment.pk, actor=TEAM, reason="not wanted")
    drain()
    assert statuses(order) == ("cancelled", "cancelled")
    assert free_stock(order) == [before[0] + 2]
    assert money(order) == (0, 0, 0)


def test_cancelling_an_order_gives_its_hold_back():
    order, payment, provider = held()
    cancelling.cancel_order(order=order, actor=TEAM, reason="not wanted")
    assert statuses(order) == ("cancelled", "cancelled")
    drain()
    assert len(effects(provider, "void")) == 1
    assert money(order) == (0, 0, 0)


@pytest.mark.parametrize(("capture_at", "after"), [("dispatch", "paid"), ("by_hand", "authorized")])
def test_a_hold_is_captured_at_dispatch_where_the_method_says_so(capture_at, after):
    order, payment, provider = held(method=hold_method(f"card-{capture_at}", capture_at=capture_at), currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    drain()
    assert statuses(order) == (after, "dispatched")


def test_a_foreign_payment_is_not_this_orders():
    order, _payment, _provider = held()
    other = factories.placed_order()
    with pytest.raises(TransitionNotAllowed, match="no such payment"):
        request_capture(order=other, payment=order.fulfillment.provider_payments.get().pk, actor=TEAM)
