"""Payments at a provider: what the provider says, booked and followed by the order."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from oscar_fulfillment.core.exceptions import AdapterUnanswered, AdapterUnavailable
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import (
    FollowUp,
    OrderFulfillment,
    OutboundMessage,
    PaymentTerms,
    ProviderPayment,
    StatusChange,
)
from oscar_fulfillment.services import cancelling, provider_payments
from oscar_fulfillment.services.provider_payments import PaymentImpossible, begin_payment
from oscar_fulfillment.test import factories

from .payments import (
    TEAM,
    begun,
    demo,
    free_stock,
    held,
    hold_method,
    money,
    open_kinds,
    oscar_status,
    paid,
    problem,
    refresh,
    statuses,
    version,
)

pytestmark = pytest.mark.django_db
TWENTY = Decimal("20.00")


def mails(order):
    return list(OutboundMessage.objects.filter(order_id=order.pk, destination="mail").values_list("kind", flat=True))


@pytest.mark.feature("A3", "D8")
def test_a_payment_that_is_in_approves_the_order():
    order, payment, _provider = paid()
    assert statuses(order) == ("paid", "received")
    assert money(order) == (TWENTY, TWENTY, 0)
    assert "FULFILLMENT_PAYMENT_APPROVED" in mails(order)
    row = StatusChange.objects.get(fulfillment=order.pk, action="approve_payment")
    assert (row.actor_kind, row.actor_label, row.data["external_id"]) == ("provider", "demo", payment.external_id)
    assert order.payment_events.get().amount == TWENTY


@pytest.mark.feature("A3")
@pytest.mark.parametrize("state", ["refused", "refused_antifraud", "expired"])
def test_a_payment_that_failed_cancels_the_order_and_frees_its_stock(state):
    order, payment, provider = begun()
    before = free_stock(order)
    provider.change(payment.reference, state=PaymentState(state), reason="05")
    refresh(payment)
    assert statuses(order) == ("cancelled", "cancelled")
    assert free_stock(order) == [before[0] + 2]
    assert "FULFILLMENT_ORDER_CANCELLED" in mails(order)


def test_a_second_word_of_the_same_changes_nothing():
    order, payment, _provider = paid()
    seen = version(order)
    refresh(payment)
    assert version(order) == seen
    assert money(order) == (TWENTY, TWENTY, 0)


def test_old_news_after_new_ones_are_ignored():
    order, payment, provider = begun()
    pending = provider.fetch(payment.external_id)
    provider.pay(payment.reference)
    refresh(payment)
    from oscar_fulfillment.services.settling import settle

    settle(payment_id=payment.pk, remote=pending, actor=TEAM)
    assert statuses(order) == ("paid", "received")
    payment.refresh_from_db()
    assert payment.state == "captured"


@pytest.mark.feature("E1")
def test_a_hold_authorizes_and_captures_nothing():
    order, payment, _provider = held()
    assert statuses(order) == ("authorized", "received")
    assert money(order) == (TWENTY, 0, 0)
    assert payment.held == TWENTY
    assert payment.hold_expires_at > timezone.now() + timedelta(days=6)


def test_a_payment_in_review_does_not_approve():
    order, payment, provider = begun()
    provider.change(payment.reference, state=PaymentState.IN_REVIEW)
    refresh(payment)
    assert statuses(order) == ("awaiting_payment", "received")


def test_a_sum_in_another_currency_is_never_booked():
    order, payment, provider = begun()
    provider.pay(payment.reference)
    provider.change(payment.reference, currency="USD")
    refresh(payment)
    assert statuses(order) == ("awaiting_payment", "received")
    assert money(order) == (0, 0, 0)
    assert problem(order) == "payment_mismatch"
    assert open_kinds(order) == ["mismatch"]
    refresh(payment)
    assert FollowUp.objects.count() == 1


def test_too_little_waits_and_says_what_is_missing():
    order, payment, provider = begun()
    provider.pay(payment.reference, Decimal("19.99"))
    refresh(payment)
    assert statuses(order) == ("awaiting_payment", "received")
    assert money(order)[1] == Decimal("19.99")
    assert FollowUp.objects.get(kind="underpaid").data["difference"] == "0.01"


def test_too_much_approves_and_says_what_is_too_much():
    order, payment, provider = begun()
    provider.pay(payment.reference, Decimal("25.00"))
    refresh(payment)
    assert statuses(order) == ("paid", "received")
    assert FollowUp.objects.get(kind="overpaid").data["difference"] == "5.00"


def test_a_payment_made_twice_is_seen():
    order, payment, provider = paid()
    provider.pay(payment.reference)
    refresh(payment)
    assert money(order)[1] == 2 * TWENTY
    assert open_kinds(order) == ["overpaid"]


@pytest.mark.feature("Z7")
def test_money_after_the_cancellation_is_a_follow_up_not_an_approval():
    order, payment, provider = begun()
    provider.change(payment.reference, state=PaymentState.EXPIRED)
    refresh(payment)
    assert statuses(order) == ("cancelled", "cancelled")
    provider.pay(payment.reference)
    refresh(payment)
    assert statuses(order) == ("cancelled", "cancelled")
    assert problem(order) == "late_money"
    assert open_kinds(order) == ["late_money"]
    assert money(order)[1] == TWENTY


def test_a_refund_at_the_provider_refunds_the_order():
    order, payment, provider = paid()
    provider.change(payment.reference, refunded=Decimal("5.00"))
    refresh(payment)
    assert statuses(order)[0] == "partially_refunded"
    provider.change(payment.reference, refunded=TWENTY, state=PaymentState.REFUNDED)
    refresh(payment)
    assert statuses(order)[0] == "refunded"
    assert money(order) == (TWENTY, TWENTY, TWENTY)


def test_a_charge_back_is_a_problem_and_a_follow_up():
    order, payment, provider = paid()
    provider.change(payment.reference, state=PaymentState.CHARGED_BACK)
    refresh(payment)
    assert problem(order) == "charge_back"
    assert open_kinds(order) == ["charge_back"]


def test_a_word_we_do_not_know_is_kept_and_shown():
    order, payment, provider = held()
    provider.change(payment.reference, state=PaymentState.UNKNOWN, raw_status="quantum", authorized=Decimal(0))
    payment = refresh(payment)
    assert (payment.state, payment.raw_status, payment.held) == ("authorized", "quantum", TWENTY)
    assert statuses(order)[0] == "authorized"
    assert open_kinds(order) == ["mismatch"]


def test_a_lost_hold_after_the_goods_left_is_a_follow_up():
    from oscar_fulfillment.services import release, shipping

    order, payment, provider = held(currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    provider.change(payment.reference, state=PaymentState.EXPIRED, authorized=Decimal(0))
    refresh(payment)
    assert statuses(order) == ("authorized", "dispatched")
    assert open_kinds(order) == ["payment_lost"]


def test_a_refusal_may_be_tried_again_where_the_method_says_so():
    method = factories.gateway_method("card-again", retry_hours=2)
    order, payment, provider = begun(method)
    provider.change(payment.reference, state=PaymentState.REFUSED)
    refresh(payment)
    assert statuses(order) == ("awaiting_payment", "received")
    assert "FULFILLMENT_PAYMENT_REFUSED" in mails(order)
    assert PaymentTerms.objects.get(pk=order.pk).cancel_at > timezone.now() + timedelta(hours=1)
    again = begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    assert again.pk != payment.pk
    provider.pay(again.reference)
    refresh(again)
    assert statuses(order) == ("paid", "received")


def test_a_second_click_begins_no_second_payment():
    order, payment, provider = begun()
    assert begin_payment(order=order, actor=TEAM, return_url="https://shop.example/").pk == payment.pk
    assert [kind for kind, *_rest in provider.effects] == ["start"]


def test_a_lost_answer_begins_no_second_payment():
    provider = demo()
    order = factories.placed_order(method=factories.gateway_method())
    provider.lose_answers()
    with pytest.raises(AdapterUnanswered):
        begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    assert statuses(order) == ("awaiting_payment", "received")
    payment = begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    assert payment.redirect_url == "https://pay.example/P1"
    assert len(provider.payments) == ProviderPayment.objects.count() == 1


def test_a_provider_that_is_down_leaves_the_order_as_it_is():
    provider = demo()
    order = factories.placed_order(method=factories.gateway_method())
    provider.go_down()
    with pytest.raises(AdapterUnavailable):
        begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    assert statuses(order) == ("awaiting_payment", "received")


def test_a_provider_that_says_no_is_told_to_the_buyer():
    provider = demo()
    order = factories.placed_order(method=factories.gateway_method())
    provider.refuse("blocked")
    with pytest.raises(PaymentImpossible):
        begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")
    assert ProviderPayment.objects.get().state == "refused"
    assert begin_payment(order=order, actor=TEAM, return_url="https://shop.example/").external_id


@pytest.mark.parametrize("situation", ["manual", "paid", "cancelled"])
def test_nothing_is_begun_where_there_is_nothing_to_pay(situation):
    demo()
    if situation == "manual":
        order = factories.placed_order()
    else:
        order, _payment, _provider = paid() if situation == "paid" else begun()
        if situation == "cancelled":
            cancelling.cancel_order(order=order, actor=TEAM, reason="no")
            ProviderPayment.objects.update(state="cancelled")
    with pytest.raises(PaymentImpossible):
        begin_payment(order=order, actor=TEAM, return_url="https://shop.example/")


@pytest.mark.feature("D13")
def test_a_card_order_is_completed_only_after_its_payout():
    from oscar_fulfillment.services import payouts, release, shipping

    method = factories.gateway_method("card-payout", awaits_payout=True)
    order, _payment, _provider = paid(method=method, currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.deliver_order(order=order, actor=TEAM)
    assert oscar_status(order) == "Sent"
    payouts.confirm_payout(order=order, actor=TEAM, reference="PO-1")
    assert oscar_status(order) == "Completed"
    assert OrderFulfillment.objects.get(pk=order.pk).awaits_payout is False


def test_payments_that_say_nothing_are_asked_for():
    order, payment, provider = begun()
    provider.pay(payment.reference)
    assert provider_payments.reconcile() == 0
    ProviderPayment.objects.update(next_check_at=timezone.now())
    assert provider_payments.reconcile() == 1
    assert statuses(order) == ("paid", "received")
    assert ProviderPayment.objects.get().next_check_at is None


def test_a_payment_of_nobody_is_shown_to_a_person():
    order, payment, provider = begun()
    provider.change(payment.reference, reference="somebody-else")
    ProviderPayment.objects.all().delete()
    assert provider_payments.process_notification(provider="demo", external_id="P1", reference="") == "processed"
    assert open_kinds() == ["unknown_payment"]
    assert FollowUp.objects.get().data["amount"] == "20.00"


def test_a_hold_that_comes_after_the_cancellation_is_given_back_by_itself():
    from oscar_fulfillment.core import outbox

    order, payment, provider = begun(hold_method())
    provider.go_down()
    cancelling.cancel_order(order=order, actor=TEAM, reason="changed my mind")
    provider.go_down(0)
    provider.pay(payment.reference)
    outbox.drain(destination="payments:demo")
    assert provider.payments[payment.external_id].state == PaymentState.CANCELLED
    assert statuses(order) == ("cancelled", "cancelled")
