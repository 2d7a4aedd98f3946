"""Payments at their edges: words that contradict each other, orders that change under a payment, clocks that stick."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import get_language

from oscar_fulfillment import signals
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable, TransitionNotAllowed
from oscar_fulfillment.flows import STANDARD
from oscar_fulfillment.gateways.base import Capability, PaymentState
from oscar_fulfillment.models import (
    FollowUp,
    OrderFulfillment,
    OutboundMessage,
    PaymentOperation,
    PaymentTerms,
    ProviderPayment,
    StatusChange,
)
from oscar_fulfillment.orders_dashboard.followup_words import why
from oscar_fulfillment.selectors.paying import paying
from oscar_fulfillment.services import (
    cancelling,
    hold_clock,
    operation_runs,
    operations,
    payments,
    provider_payments,
    receipts,
    release,
    restoring,
    shipping,
    terms,
    unpaid,
)
from oscar_fulfillment.test import factories

from .payments import (
    TEAM,
    begun,
    demo,
    held,
    hold_method,
    money,
    open_kinds,
    paid,
    problem,
    refresh,
    statuses,
)

pytestmark = pytest.mark.django_db
TWENTY, FIFTEEN, FIVE = Decimal("20.00"), Decimal("15.00"), Decimal("5.00")


def mails(order):
    return list(OutboundMessage.objects.filter(order_id=order.pk, destination="mail").values_list("kind", flat=True))


def come(column, order):
    """Let a moment of an order's clock come."""
    PaymentTerms.objects.filter(pk=order.pk).update(
        **{column: timezone.now(), "next_at": timezone.now() - timedelta(seconds=1)}
    )
    return terms.run_due()


def boleto(**fields):
    return factories.gateway_method("boleto", provider_method="boleto", cancel_days=3, **fields)


def operator():
    return Actor.from_user(factories.staff_user("*"))


# What the provider says


@pytest.mark.feature("A3", "E1")
def test_a_hold_that_is_refused_afterwards_does_not_leave_the_order_authorized():
    order, payment, provider = held(method=hold_method("card-hold-again", retry_hours=4))
    provider.change(payment.reference, state=PaymentState.REFUSED, authorized=Decimal(0), reason="51")
    refresh(payment)
    assert statuses(order) == ("cancelled", "cancelled")
    assert "FULFILLMENT_PAYMENT_REFUSED" not in mails(order)


def test_a_hold_of_less_than_the_order_costs_is_shown_to_a_person():
    order, payment, provider = begun(hold_method())
    provider.pay(payment.reference, FIFTEEN)
    refresh(payment)
    assert statuses(order) == ("awaiting_payment", "received")
    found = FollowUp.objects.get(fulfillment=order.pk)
    assert (found.kind, found.data["amount"], found.data["difference"]) == ("underpaid", "15.00", "5.00")
    assert "Demo pay holds" in why(found)
    refresh(payment)
    assert FollowUp.objects.count() == 1


@pytest.mark.parametrize("state", [PaymentState.CHARGED_BACK, PaymentState.REFUNDED])
def test_a_provider_that_forgets_what_came_in_is_shown_to_a_person(state):
    order, payment, provider = paid()
    provider.change(payment.reference, state=state, captured=Decimal(0), authorized=Decimal(0))
    refresh(payment)
    assert money(order) == (TWENTY, TWENTY, 0)
    assert open_kinds(order) == ["mismatch"]
    assert problem(order) == "payment_mismatch"


def test_a_hold_for_an_order_that_is_paid_already_is_given_back():
    order, payment, provider = begun(hold_method())
    ProviderPayment.objects.filter(pk=payment.pk).update(state="refused")  # the buyer tried again
    again = provider_payments.begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    provider.pay(again.reference)
    refresh(again)
    operations.request_capture(order=order, payment=again.pk, actor=TEAM)
    operation_runs.run_operation(PaymentOperation.objects.get().pk)
    assert statuses(order)[0] == "paid"
    provider.pay(payment.reference)
    refresh(payment)
    operation = PaymentOperation.objects.get(payment=payment)
    assert (operation.kind, operation.amount) == ("void", TWENTY)
    operation_runs.run_operation(operation.pk)
    assert provider.payments[payment.external_id].state == PaymentState.CANCELLED
    assert statuses(order) == ("paid", "received")


def test_the_failed_payment_of_a_method_the_order_left_cancels_nothing():
    order, payment, provider = begun()
    OrderFulfillment.objects.filter(pk=order.pk).update(payment_method=factories.manual_method("invoice"))
    provider.change(payment.reference, state=PaymentState.EXPIRED)
    refresh(payment)
    assert statuses(order) == ("awaiting_payment", "received")


def test_money_is_booked_although_the_step_is_vetoed():
    def veto(sender, step, order, actions, **kwargs):
        if ("payment", "approve_payment") in actions:
            raise ValidationError("Not without the boss.")

    order, payment, provider = begun()
    provider.pay(payment.reference)
    signals.validate_transition.connect(veto)
    try:
        refresh(payment)
    finally:
        signals.validate_transition.disconnect(veto)
    assert money(order) == (TWENTY, TWENTY, 0)
    assert statuses(order)[0] == "awaiting_payment"
    found = FollowUp.objects.get(fulfillment=order.pk)
    assert (found.kind, found.data["what"]) == ("mismatch", "step")
    assert why(found) == "The money of Demo pay is booked, but the order could not follow: Not without the boss."


@pytest.fixture
def plain_flow(settings):
    """A flow as a shop had it before there were holds, refunds and restoring."""
    flow = replace(
        STANDARD,
        name="PLAIN",
        payment=STANDARD.payment.without(
            "authorized", "authorize_payment", "capture_payment", "refund_payment", "reopen_payment",
            "partially_refunded", "refunded",
        ),
    )  # fmt: skip
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "FLOWS": {"PLAIN": flow}, "FLOW": "PLAIN"}
    return flow


def test_a_flow_without_holds_and_refunds_loses_no_money(plain_flow):
    order, payment, provider = held()
    assert statuses(order)[0] == "awaiting_payment"
    assert money(order) == (TWENTY, 0, 0)
    operations.request_capture(order=order, payment=payment.pk, actor=TEAM)
    operation_runs.run_operation(PaymentOperation.objects.get().pk)
    assert statuses(order)[0] == "paid"
    provider.change(payment.reference, refunded=FIVE)
    refresh(payment)
    assert money(order) == (TWENTY, TWENTY, FIVE)
    assert open_kinds(order) == ["mismatch", "mismatch"]


def test_a_flow_without_reopening_restores_the_goods_alone(plain_flow):
    order = factories.cancelled_order()
    restoring.restore_order(order=order, actor=TEAM, reason="a mistake")
    assert statuses(order) == ("cancelled", "received")


# How often the provider is asked


def test_a_payment_that_stays_pending_after_its_end_is_asked_for_less_and_less():
    order, payment, provider = begun(boleto())
    provider.change(payment.reference, expires_at=timezone.now() - timedelta(days=1))
    for _round in range(6):
        ProviderPayment.objects.filter(pk=payment.pk).update(next_check_at=timezone.now())
        assert provider_payments.reconcile() == 1
    payment.refresh_from_db()
    assert payment.next_check_at > timezone.now() + timedelta(hours=20)


def test_a_payment_is_asked_for_right_after_its_end():
    order, payment, provider = begun(boleto())
    provider.change(payment.reference, expires_at=timezone.now() + timedelta(seconds=20))
    ProviderPayment.objects.filter(pk=payment.pk).update(checks=4)
    payment = refresh(payment)
    assert payment.next_check_at < timezone.now() + timedelta(minutes=3)


def test_a_provider_that_is_down_is_asked_once_in_a_run():
    _order, first, provider = begun()
    _order, second, _provider = begun(fresh=False)
    ProviderPayment.objects.update(next_check_at=timezone.now())
    provider.calls.clear()
    provider.go_down(5)
    assert provider_payments.reconcile() == 1
    assert provider.calls == ["fetch"]
    assert ProviderPayment.objects.filter(next_check_at__lte=timezone.now()).count() == 1


def test_asking_stops_when_the_time_of_the_task_is_used_up():
    begun()
    ProviderPayment.objects.update(next_check_at=timezone.now())
    assert provider_payments.reconcile(budget=0) == 0
    assert provider_payments.reconcile() == 1


@pytest.mark.feature("Z7")
def test_a_payment_of_nobody_is_shown_again_once_it_brings_money():
    _order, payment, provider = begun()
    provider.change(payment.reference, reference="", external_id="P9")
    provider.payments["P9"] = provider.payments.pop(payment.external_id)
    ask = {"provider": "demo", "external_id": "P9", "reference": ""}
    provider_payments.process_notification(**ask)
    FollowUp.objects.update(closed_at=timezone.now())
    provider_payments.process_notification(**ask)
    assert open_kinds() == []
    provider.change("P9", state=PaymentState.CAPTURED, captured=TWENTY)
    provider_payments.process_notification(**ask)
    provider_payments.process_notification(**ask)
    assert open_kinds() == ["unknown_payment"]


# Orders that are off


def test_a_partly_paid_order_that_is_cancelled_tells_the_customer_of_the_refund():
    from oscar_fulfillment.services import mails as mail_service

    order = factories.placed_order()
    receipts.receive_money(order=order, actor=TEAM, amount=FIVE)
    cancelling.cancel_order(order=order, actor=TEAM, reason="too late")
    fresh = type(order).objects.get(pk=order.pk)
    about = mail_service._about("FULFILLMENT_ORDER_CANCELLED", fresh, {})
    assert about["is_paid"] is True


def test_a_charge_that_was_asked_for_is_dropped_when_the_order_is_cancelled_before():
    order, payment, provider = held()
    operations.request_capture(order=order, payment=payment.pk, actor=TEAM)
    cancelling.cancel_order(order=order, actor=operator(), reason="customer called", override=True)
    capture = PaymentOperation.objects.get(kind="capture")
    assert operation_runs.run_operation(capture.pk).status == "refused"
    void = PaymentOperation.objects.get(kind="void")
    operation_runs.run_operation(void.pk)
    assert [effect[0] for effect in provider.effects] == ["start", "void"]
    assert ProviderPayment.objects.get().state == "cancelled"
    assert open_kinds(order) == []


@pytest.mark.feature("A5", "Z7")
def test_money_the_shop_did_not_know_of_is_seen_when_the_payment_is_to_be_closed():
    order, payment, provider = begun()
    provider.pay(payment.reference)
    cancelling.cancel_order(order=order, actor=operator(), reason="customer called", override=True)
    operation_runs.run_operation(PaymentOperation.objects.get().pk)
    assert money(order) == (TWENTY, TWENTY, 0)
    assert problem(order) == "late_money"
    assert "late_money" in open_kinds(order)


def test_what_a_provider_cannot_close_is_not_asked_for(monkeypatch):
    methods = {"boleto": ("Boleto", frozenset({Capability.FIND, Capability.NOTIFY}))}
    order, payment, provider = begun(boleto())
    monkeypatch.setattr(type(provider), "methods", methods)
    come("cancel_at", order)
    assert statuses(order) == ("cancelled", "cancelled")
    assert PaymentOperation.objects.count() == 0
    assert open_kinds(order) == []


@pytest.mark.feature("A5")
def test_an_approval_over_the_providers_head_closes_what_is_open_there():
    order, payment, provider = begun()
    payments.approve_payment(order=order, actor=operator(), reason="paid at the counter", override=True)
    operation = PaymentOperation.objects.get()
    assert operation.kind == "void"
    operation_runs.run_operation(operation.pk)
    assert provider.payments[payment.external_id].state == PaymentState.CANCELLED
    assert statuses(order) == ("paid", "received")


# Money that goes back, or comes again


@pytest.mark.feature("Z7")
def test_a_part_that_went_back_leaves_the_rest_due():
    order, payment, provider = paid()
    cancelling.cancel_order(order=order, actor=TEAM, reason="sold out")
    assert problem(order) == "refund_due"
    provider.change(payment.reference, refunded=FIVE)
    refresh(payment)
    assert problem(order) == "refund_due"
    provider.change(payment.reference, refunded=TWENTY, state=PaymentState.REFUNDED)
    refresh(payment)
    assert problem(order) == ""


def test_a_part_of_too_much_that_went_back_leaves_the_rest_to_do():
    order, payment, provider = begun()
    provider.pay(payment.reference, Decimal("30"))
    refresh(payment)
    provider.change(payment.reference, refunded=FIVE)
    refresh(payment)
    assert open_kinds(order) == ["overpaid"]
    provider.change(payment.reference, refunded=Decimal("10"))
    refresh(payment)
    assert open_kinds(order) == []


def test_money_after_a_full_refund_is_seen():
    order, payment, provider = paid()
    provider.change(payment.reference, refunded=TWENTY, state=PaymentState.REFUNDED)
    refresh(payment)
    receipts.receive_money(order=order, actor=Actor.system("bank"), amount=TWENTY)
    assert statuses(order)[0] == "refunded"
    assert open_kinds(order) == ["overpaid"]


def test_money_that_makes_a_partly_refunded_order_whole_is_no_refund():
    order, payment, provider = paid()
    provider.change(payment.reference, refunded=FIVE)
    refresh(payment)
    assert mails(order).count("FULFILLMENT_PAYMENT_REFUNDED") == 1
    receipts.receive_money(order=order, actor=Actor.system("bank"), amount=FIVE)
    assert statuses(order)[0] == "paid"
    assert mails(order).count("FULFILLMENT_PAYMENT_REFUNDED") == 1


@pytest.mark.feature("Z7")
def test_refunds_of_an_order_paid_from_two_sides():
    order, payment, provider = begun()
    provider.pay(payment.reference, FIFTEEN)
    refresh(payment)
    receipts.receive_money(order=order, actor=Actor.system("bank"), amount=FIVE)
    assert statuses(order)[0] == "paid"
    receipts.note_refund(order=order, actor=TEAM, amount=FIVE, reason="damaged")
    assert statuses(order)[0] == "partially_refunded"
    operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=FIFTEEN, reason="returned")
    operation_runs.run_operation(PaymentOperation.objects.get().pk)
    assert statuses(order)[0] == "refunded"
    assert money(order) == (TWENTY, TWENTY, TWENTY)


@pytest.mark.feature("D13")
def test_an_order_that_was_paid_back_waits_for_no_payout():
    order, payment, provider = paid(method=factories.gateway_method("card-payout", awaits_payout=True))
    provider.change(payment.reference, refunded=FIVE)
    refresh(payment)
    assert OrderFulfillment.objects.get(pk=order.pk).awaits_payout
    provider.change(payment.reference, refunded=TWENTY, state=PaymentState.REFUNDED)
    refresh(payment)
    assert not OrderFulfillment.objects.get(pk=order.pk).awaits_payout


def test_a_refund_the_provider_still_works_on_is_not_asked_for_after_the_keys_life(monkeypatch):
    order, payment, provider = paid()
    slow = provider.refund

    def accept(remote, amount, *, key, reason="", items=()):
        done = slow(remote, amount, key=key)
        provider.change(payment.reference, refunded=Decimal(0), state=PaymentState.CAPTURED)
        return replace(done, state="pending")

    monkeypatch.setattr(provider, "refund", accept)
    operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=FIVE, reason="damaged")
    operation = PaymentOperation.objects.get()
    with pytest.raises(AdapterUnavailable):
        operation_runs.run_operation(operation.pk)
    PaymentOperation.objects.update(requested_at=timezone.now() - timedelta(hours=30))
    assert operation_runs.run_operation(operation.pk).status == "unknown"
    assert [effect[0] for effect in provider.effects].count("refund") == 1
    assert open_kinds(order) == ["operation_failed"]


# The clock


@pytest.mark.feature("Z7")
def test_a_payment_in_review_is_not_cancelled_by_the_clock():
    order, payment, provider = begun(boleto())
    provider.change(payment.reference, state=PaymentState.IN_REVIEW)
    assert come("cancel_at", order) == 0
    assert statuses(order) == ("awaiting_payment", "received")
    assert PaymentTerms.objects.get(pk=order.pk).next_at > timezone.now()


@pytest.mark.feature("D6")
def test_an_order_that_is_paid_in_part_is_not_cancelled_by_the_clock():
    order = factories.placed_order(method=factories.manual_method("prepayment", cancel_days=21))
    receipts.receive_money(order=order, actor=TEAM, amount=FIFTEEN)
    come("cancel_at", order)
    assert statuses(order) == ("awaiting_payment", "received")
    assert open_kinds(order) == ["payment_lost", "underpaid"]
    assert why(FollowUp.objects.get(kind="payment_lost")).startswith("Its time to be paid is over")
    assert PaymentTerms.objects.get(pk=order.pk).next_at is None


def test_a_payment_the_provider_has_forgotten_keeps_no_order_alive():
    order, payment, provider = begun(boleto())
    del provider.payments[payment.external_id]
    come("cancel_at", order)
    assert statuses(order) == ("cancelled", "cancelled")


def test_an_order_the_clock_cannot_cancel_is_given_to_a_person():
    method = factories.manual_method("trust", ships_before_payment=True, cancel_days=5)
    order = factories.placed_order(method=method, currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    come("cancel_at", order)
    assert statuses(order) == ("awaiting_payment", "dispatched")
    assert open_kinds(order) == ["payment_lost"]
    assert PaymentTerms.objects.get(pk=order.pk).next_at is None


def test_a_provider_that_cannot_be_asked_for_a_day_is_shown_to_a_person(settings):
    order, payment, provider = begun(boleto())
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "GATEWAYS": {}}
    assert come("cancel_at", order) == 0
    assert open_kinds(order) == []
    late = timezone.now() - timedelta(days=2)
    PaymentTerms.objects.filter(pk=order.pk).update(cancel_at=late, next_at=late)
    assert terms.run_due() == 0
    assert open_kinds(order) == ["payment_lost"]
    assert "demo" in FollowUp.objects.get().data["why"]


@pytest.mark.feature("E7")
def test_the_last_day_of_a_reservation_is_a_whole_day(settings):
    settings.TIME_ZONE = "America/Sao_Paulo"
    with timezone.override("America/Sao_Paulo"):
        order = factories.placed_order(method=factories.manual_method("invoice", reservation_days=3))
        found = PaymentTerms.objects.get(pk=order.pk)
        until = timezone.localtime(found.reserved_until)
        assert until.date() == timezone.localtime(order.date_placed).date() + timedelta(days=3)
        assert (until.hour, until.minute, until.second) == (23, 59, 59)
        assert found.cancel_at == found.reserved_until
        # Told to call as the last day begins.
        assert found.call_at == found.reserved_until - timedelta(days=1)


def test_an_extension_does_not_bring_the_cancellation_forward():
    order = factories.placed_order(method=factories.manual_method("invoice", reservation_days=3, cancel_days=14))
    cancel_at = PaymentTerms.objects.get(pk=order.pk).cancel_at
    terms.extend_reservation(order=order, actor=TEAM, until=timezone.now() + timedelta(days=6), reason="Friday")
    assert PaymentTerms.objects.get(pk=order.pk).cancel_at == cancel_at


@pytest.mark.feature("E8")
def test_a_restored_order_is_called_about_again():
    order = factories.placed_order(method=factories.manual_method("invoice", reservation_days=3))
    come("call_at", order)
    cancelling.cancel_order(order=order, actor=TEAM, reason="a mistake")
    assert open_kinds(order) == []
    restoring.restore_order(order=order, actor=TEAM, reason="a mistake")
    come("call_at", order)
    assert open_kinds(order) == ["reservation_ends"]


@pytest.mark.feature("E15")
def test_nobody_is_reminded_of_goods_that_came_back():
    method = factories.manual_method("deferred", ships_before_payment=True, due_days=14)
    order = factories.placed_order(method=method, currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.return_order(order=order, actor=TEAM, reason="refused at the door")
    come("remind_at", order)
    assert "FULFILLMENT_PAYMENT_REMINDER" not in mails(order)
    assert PaymentTerms.objects.get(pk=order.pk).next_at is None


def test_a_refusal_does_not_shorten_the_clock_and_more_refusals_do_not_stretch_it():
    method = factories.gateway_method("card-again", retry_hours=2, cancel_days=3)
    order, payment, provider = begun(method)
    agreed = PaymentTerms.objects.get(pk=order.pk).cancel_at
    provider.change(payment.reference, state=PaymentState.REFUSED)
    refresh(payment)
    assert PaymentTerms.objects.get(pk=order.pk).cancel_at == agreed
    soon = timezone.now() + timedelta(minutes=5)
    PaymentTerms.objects.filter(pk=order.pk).update(cancel_at=soon)
    again = provider_payments.begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    provider.change(again.reference, state=PaymentState.REFUSED)
    refresh(again)
    assert PaymentTerms.objects.get(pk=order.pk).cancel_at == soon


# Holds


def make_holds(count, hours, **fields):
    first, payment, provider = held(**fields)
    yield first, payment
    for _each in range(count - 1):
        yield held(fresh=False, **fields)[:2]


def test_holds_that_were_warned_of_do_not_hide_the_others():
    pairs = list(make_holds(3, 24))
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=24))
    assert [hold_clock.watch_holds(limit=1) for _run in range(4)] == [1, 1, 1, 0]
    assert [open_kinds(order) for order, _payment in pairs] == [["hold_ends"]] * 3


def test_one_hold_that_fails_does_not_stop_the_watch(monkeypatch):
    pairs = list(make_holds(2, 1, method=hold_method("card-take", hold_end="capture")))
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=1))
    ask = operations.request_capture

    def break_first(*, order, **options):
        if order.pk == pairs[0][0].pk:
            raise RuntimeError("broken")
        return ask(order=order, **options)

    monkeypatch.setattr(hold_clock, "request_capture", break_first)
    assert hold_clock.watch_holds() == 1
    assert PaymentOperation.objects.get().payment == pairs[1][1]


def test_a_hold_below_what_the_order_costs_now_is_charged_before_it_ends():
    order, payment, provider = held(method=hold_method("card-take", hold_end="capture"))
    type(order).objects.filter(pk=order.pk).update(total_incl_tax=Decimal("24"))
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=1))
    assert hold_clock.watch_holds() == 1
    assert PaymentOperation.objects.get().amount == TWENTY


# Orders that cost nothing


@pytest.mark.parametrize("method", ["manual", "gateway"])
def test_an_order_that_costs_nothing_is_paid(method):
    chosen = factories.gateway_method(cancel_days=3) if method == "gateway" else factories.manual_method(cancel_days=3)
    order = factories.placed_order(lines=[(factories.product(price="0.00"), 1)], method=chosen)
    assert statuses(order) == ("paid", "received")
    assert not PaymentTerms.objects.exists()
    release.release_order(order=order, actor=TEAM)


# What a person does meanwhile


def test_what_the_buyers_bank_took_back_is_not_refunded_once_more():
    order, payment, provider = paid()
    provider.change(payment.reference, state=PaymentState.CHARGED_BACK)
    refresh(payment)
    with pytest.raises(TransitionNotAllowed, match="bank has taken"):
        operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=FIVE, reason="angry")
    assert not PaymentOperation.objects.exists()


@pytest.mark.feature("E8", "Z7")
def test_an_extension_agreed_while_the_provider_is_asked_wins(monkeypatch):
    method = factories.gateway_method("pix", provider_method="boleto", reservation_days=1)
    order, payment, provider = begun(method)
    fetch = provider.fetch

    def call_meanwhile(external_id):
        until = timezone.now() + timedelta(days=9)
        terms.extend_reservation(order=order, actor=TEAM, until=until, reason="pays on Friday")
        return fetch(external_id)

    past = timezone.now() - timedelta(minutes=1)
    PaymentTerms.objects.filter(pk=order.pk).update(reserved_until=past, cancel_at=past, next_at=past, call_at=None)
    monkeypatch.setattr(provider, "fetch", call_meanwhile)
    assert terms.run_due() == 0
    assert statuses(order) == ("awaiting_payment", "received")
    assert PaymentTerms.objects.get(pk=order.pk).next_at > timezone.now() + timedelta(days=7)


@pytest.mark.feature("D15", "E15")
@pytest.mark.parametrize("is_held", [True, False])
def test_goods_that_came_back_unpaid_are_not_to_be_paid(is_held):
    if is_held:
        order, payment, provider = held(currency="CHF")
    else:
        method = factories.manual_method("deferred", ships_before_payment=True, due_days=14)
        order = factories.placed_order(method=method, currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.return_order(order=order, actor=TEAM, reason="refused at the door")
    assert statuses(order) == ("cancelled", "returned")
    assert [operation.kind for operation in PaymentOperation.objects.all()] == (["void"] if is_held else [])


def test_goods_that_came_back_paid_keep_their_money_until_it_is_refunded():
    order = factories.dispatched_order(currency="CHF")
    shipping.return_order(order=order, actor=TEAM, reason="refused at the door")
    assert statuses(order) == ("paid", "returned")


@pytest.mark.feature("D5")
def test_cash_at_the_door_ends_what_was_to_be_done_about_it():
    method = factories.manual_method("cash", ships_before_payment=True, paid_on_delivery=True, cancel_days=30)
    order = factories.placed_order(method=method, currency="CHF")
    receipts.receive_money(order=order, actor=TEAM, amount=FIVE)
    assert open_kinds(order) == ["underpaid"]
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.deliver_order(order=order, actor=TEAM)
    assert statuses(order) == ("paid", "delivered")
    assert money(order) == (TWENTY, TWENTY, 0)
    assert open_kinds(order) == []
    assert PaymentTerms.objects.get(pk=order.pk).next_at is None


@pytest.mark.parametrize("state", ["refunded", "charged_back"])
def test_the_code_of_a_payment_that_is_over_is_not_shown_again(state):
    order, payment, _provider = begun()
    ProviderPayment.objects.update(state=state, instructions={"pix_code": "00020126"})
    found = paying(type(order).objects.get(pk=order.pk))
    assert (found.state, found.instructions) == ("ready", [])


# What counts only later


@pytest.mark.feature("A3")
@pytest.mark.parametrize("sums", [{"captured": TWENTY}, {"authorized": TWENTY}])
def test_money_in_review_does_not_let_the_goods_go(sums):
    order, payment, provider = begun(hold_method() if "authorized" in sums else None)
    provider.change(payment.reference, state=PaymentState.IN_REVIEW, **sums)
    payment = refresh(payment)
    assert statuses(order) == ("awaiting_payment", "received")
    assert (money(order), payment.refundable, payment.held) == ((0, 0, 0), 0, 0)
    provider.pay(payment.reference, TWENTY - sums.get("captured", 0))
    payment = refresh(payment)
    assert statuses(order)[0] == ("authorized" if "authorized" in sums else "paid")


@pytest.mark.feature("E15")
def test_a_deferred_order_reminded_before_its_day_is_dunned_after_it():
    method = factories.manual_method("deferred", ships_before_payment=True, due_days=14, reminder_days=10)
    order = factories.placed_order(method=method, currency="CHF")
    come("remind_at", order)
    found = PaymentTerms.objects.get(pk=order.pk)
    assert found.next_at == found.remind_at == found.due_at + timedelta(days=1)
    PaymentTerms.objects.filter(pk=order.pk).update(due_at=timezone.now() - timedelta(days=1))
    come("remind_at", order)
    assert mails(order).count("FULFILLMENT_PAYMENT_REMINDER") == 2
    assert open_kinds(order) == ["overdue"]


def test_the_reason_of_the_clock_is_in_the_customers_language(monkeypatch):
    monkeypatch.setattr(unpaid, "_", lambda text: f"{text} [{get_language()}]")
    method = factories.manual_method("prepayment", cancel_days=21)
    order = factories.placed_order(method=method, fulfillment={"language": "fr"})
    come("cancel_at", order)
    assert StatusChange.objects.get(fulfillment=order.pk, action="cancel").reason.endswith("[fr]")


def test_a_flow_without_partial_refunds_still_books_them(settings):
    flow = replace(STANDARD, name="WHOLE", payment=STANDARD.payment.without("partially_refunded"))
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "FLOWS": {"WHOLE": flow}, "FLOW": "WHOLE"}
    order, payment, provider = paid()
    provider.change(payment.reference, refunded=FIVE)
    refresh(payment)
    assert money(order) == (TWENTY, TWENTY, FIVE)
    assert (statuses(order)[0], open_kinds(order)) == ("paid", ["mismatch"])
    provider.change(payment.reference, refunded=TWENTY, state=PaymentState.REFUNDED)
    refresh(payment)
    assert statuses(order)[0] == "refunded"


def test_an_order_is_not_restored_while_its_hold_is_being_given_back():
    order, payment, _provider = held()
    cancelling.cancel_order(order=order, actor=operator(), reason="a mistake", override=True)
    with pytest.raises(TransitionNotAllowed, match="answer is pending"):
        restoring.restore_order(order=order, actor=TEAM, reason="a mistake")
    operation_runs.run_operation(PaymentOperation.objects.get().pk)
    restoring.restore_order(order=order, actor=TEAM, reason="a mistake")
    assert statuses(order) == ("awaiting_payment", "received")


@pytest.mark.feature("D13", "Z7")
def test_late_money_that_restores_an_order_is_paid_out_and_noted_like_any_other():
    order, payment, provider = begun(boleto(awaits_payout=True))
    come("cancel_at", order)
    provider.change(payment.reference, state=PaymentState.CAPTURED, captured=TWENTY)
    refresh(payment)
    assert problem(order) == "late_money"
    restoring.restore_order(order=order, actor=TEAM, reason="paid after all")
    assert statuses(order) == ("paid", "received")
    assert OrderFulfillment.objects.get(pk=order.pk).awaits_payout
    assert order.payment_events.get().amount == TWENTY


def test_a_payment_the_provider_has_forgotten_is_given_up_after_a_day():
    order, payment, provider = begun()
    provider.payments["elsewhere"] = provider.payments.pop(payment.external_id)
    with pytest.raises(AdapterRejected, match="no such payment"):
        refresh(payment)
    assert ProviderPayment.objects.get().state == "pending"
    ProviderPayment.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert provider_payments.reconcile() == 0
    ProviderPayment.objects.update(next_check_at=timezone.now())
    assert provider_payments.reconcile() == 1
    payment.refresh_from_db()
    assert (payment.state, payment.next_check_at) == ("expired", None)
    assert statuses(order) == ("awaiting_payment", "received")
    again = provider_payments.begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    assert again.pk != payment.pk


def test_a_hold_the_provider_has_forgotten_is_not_called_expired():
    order, payment, provider = held()
    del provider.payments[payment.external_id]
    ProviderPayment.objects.update(created_at=timezone.now() - timedelta(days=2))
    with pytest.raises(AdapterRejected, match="no such payment"):
        refresh(payment)
    assert ProviderPayment.objects.get().state == "authorized"
    assert statuses(order)[0] == "authorized"


def test_a_payment_begun_while_the_order_is_cancelled_is_closed(monkeypatch):
    provider = demo()
    order = factories.placed_order(method=factories.gateway_method())
    start = provider.start

    def cancel_meanwhile(request, *, key):
        cancelling.cancel_order(order=order, actor=operator(), reason="customer called", override=True)
        operation_runs.run_operation(PaymentOperation.objects.get().pk)  # nothing is there to be closed yet
        return start(request, key=key)

    monkeypatch.setattr(provider, "start", cancel_meanwhile)
    with pytest.raises(provider_payments.PaymentImpossible):
        provider_payments.begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    operation = PaymentOperation.objects.get(status="requested")
    operation_runs.run_operation(operation.pk)
    assert [payment.state for payment in provider.payments.values()] == ["cancelled"]


def test_the_page_asks_for_what_is_missing():
    order, payment, provider = begun()
    assert paying(order).amount == TWENTY
    provider.pay(payment.reference, FIFTEEN)
    refresh(payment)
    ProviderPayment.objects.update(state="refunded")
    fresh = type(order).objects.get(pk=order.pk)
    assert (paying(fresh).state, paying(fresh).amount) == ("ready", FIVE)


def test_the_reminders_of_a_restored_order_begin_anew():
    method = factories.manual_method("deferred", ships_before_payment=True, due_days=14)
    order = factories.placed_order(method=method, currency="CHF")
    PaymentTerms.objects.update(reminders=2)
    cancelling.cancel_order(order=order, actor=TEAM, reason="a mistake")
    restoring.restore_order(order=order, actor=TEAM, reason="a mistake")
    PaymentTerms.objects.update(due_at=timezone.now() - timedelta(days=1))
    come("remind_at", order)
    assert mails(order).count("FULFILLMENT_PAYMENT_REMINDER") == 1
    assert open_kinds(order) == []
