"""The clock of unpaid orders, late money and its three ways, money seen by a person."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from oscar_fulfillment.core.exceptions import AdapterUnavailable, InvalidInput, TransitionNotAllowed
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import CreditNote, FollowUp, OutboundMessage, PaymentTerms, ProviderPayment, StatusChange
from oscar_fulfillment.services import (
    cancelling,
    followups,
    hold_clock,
    payments,
    receipts,
    release,
    restoring,
    shipping,
    terms,
    unpaid,
)
from oscar_fulfillment.services.late_money import keep_as_credit
from oscar_fulfillment.test import factories

from .payments import (
    TEAM,
    begun,
    free_stock,
    held,
    hold_method,
    money,
    open_kinds,
    oscar_status,
    problem,
    refresh,
    statuses,
)

pytestmark = pytest.mark.django_db
TWENTY = Decimal("20.00")


def invoice_method(**fields):
    return factories.manual_method("invoice", reservation_days=3, **fields)


def prepayment():
    return factories.manual_method("prepayment", reminder_days=7, cancel_days=21)


def come(column, order):
    """Let a moment of an order's clock come."""
    PaymentTerms.objects.filter(pk=order.pk).update(
        **{column: timezone.now(), "next_at": timezone.now() - timedelta(seconds=1)}
    )
    return terms.run_due()


def mails(order):
    return list(OutboundMessage.objects.filter(order_id=order.pk, destination="mail").values_list("kind", flat=True))


@pytest.mark.feature("E7")
def test_an_order_on_invoice_is_reserved_for_days():
    order = factories.placed_order(method=invoice_method())
    found = PaymentTerms.objects.get(pk=order.pk)
    until = timezone.localtime(order.date_placed + timedelta(days=3)).date()
    assert timezone.localtime(found.reserved_until).date() == until
    assert found.next_at == found.call_at == found.reserved_until - timedelta(days=1)


@pytest.mark.feature("E8")
def test_on_the_last_day_a_person_is_told_to_call_and_extends():
    order = factories.placed_order(method=invoice_method())
    assert come("call_at", order) == 1
    assert open_kinds(order) == ["reservation_ends"]
    assert come("call_at", order) == 1
    assert FollowUp.objects.count() == 1
    until = timezone.now() + timedelta(days=10)
    terms.extend_reservation(order=order, actor=TEAM, until=until, reason="pays on Friday")
    assert open_kinds(order) == []
    found = PaymentTerms.objects.get(pk=order.pk)
    assert (found.reserved_until, found.cancel_at, found.extensions) == (until, until, 1)
    row = StatusChange.objects.get(fulfillment=order.pk, action="extend_reservation")
    assert row.reason == "pays on Friday"


def test_an_extension_into_the_past_or_backwards_is_refused():
    order = factories.placed_order(method=invoice_method())
    now = timezone.now()
    for until in (now - timedelta(days=1), now + timedelta(days=1), now + timedelta(days=1000)):
        with pytest.raises(InvalidInput):
            terms.extend_reservation(order=order, actor=TEAM, until=until, reason="x")
    with pytest.raises(InvalidInput):
        terms.extend_reservation(order=order, actor=TEAM, until=now + timedelta(days=9), reason=" ")


def test_an_order_without_a_reservation_cannot_be_extended():
    order = factories.placed_order()
    with pytest.raises(TransitionNotAllowed, match="no reservation"):
        terms.extend_reservation(order=order, actor=TEAM, until=timezone.now() + timedelta(days=9), reason="x")


@pytest.mark.feature("E7", "D6")
def test_an_unpaid_order_is_cancelled_with_a_mail_and_its_stock_freed():
    order = factories.placed_order(method=prepayment())
    before = free_stock(order)
    come("remind_at", order)
    assert mails(order).count("FULFILLMENT_PAYMENT_REMINDER") == 1
    come("cancel_at", order)
    assert statuses(order) == ("cancelled", "cancelled")
    assert free_stock(order) == [before[0] + 2]
    assert "FULFILLMENT_ORDER_CANCELLED" in mails(order)
    assert PaymentTerms.objects.get(pk=order.pk).next_at is None


def test_a_paid_order_is_neither_reminded_nor_cancelled():
    order = factories.placed_order(method=prepayment())
    payments.approve_payment(order=order, actor=TEAM)
    assert PaymentTerms.objects.get(pk=order.pk).next_at is None
    come("cancel_at", order)
    assert statuses(order) == ("paid", "received")
    assert "FULFILLMENT_PAYMENT_REMINDER" not in mails(order)


@pytest.mark.feature("Z7")
def test_the_provider_is_asked_before_an_automatic_cancel():
    order, payment, provider = begun(factories.gateway_method("boleto", provider_method="boleto", cancel_days=3))
    provider.pay(payment.reference)
    come("cancel_at", order)
    assert statuses(order) == ("paid", "received")


def test_a_provider_that_cannot_be_asked_keeps_the_order():
    order, payment, provider = begun(factories.gateway_method("boleto", provider_method="boleto", cancel_days=3))
    provider.go_down()
    assert come("cancel_at", order) == 0
    assert statuses(order) == ("awaiting_payment", "received")
    assert PaymentTerms.objects.get(pk=order.pk).next_at > timezone.now()


def test_an_unpaid_payment_is_closed_at_the_provider_so_that_nobody_pays_later():
    order, payment, provider = begun(factories.gateway_method("boleto", provider_method="boleto", cancel_days=3))
    come("cancel_at", order)
    assert provider.payments[payment.external_id].state == PaymentState.CANCELLED
    row = StatusChange.objects.get(fulfillment=order.pk, action="cancel")
    assert "not paid in time" in row.reason
    assert ProviderPayment.objects.get().state == "cancelled"


def test_money_in_the_very_moment_of_the_cancel_wins(monkeypatch):
    order, payment, provider = begun(factories.gateway_method("boleto", provider_method="boleto", cancel_days=3))
    void = type(provider).void

    def pay_first(self, remote, *, key):
        self.pay(payment.reference)
        return void(self, remote, key=key)

    monkeypatch.setattr(type(provider), "void", pay_first)
    assert unpaid.cancel_unpaid(order=order) is False
    assert statuses(order) == ("paid", "received")


@pytest.mark.feature("E15")
def test_a_deferred_order_goes_straight_on_and_is_dunned_when_overdue():
    method = factories.manual_method("deferred", ships_before_payment=True, due_days=14)
    order = factories.placed_order(method=method, currency="CHF")
    release.release_order(order=order, actor=TEAM)
    assert statuses(order) == ("awaiting_payment", "released")
    PaymentTerms.objects.filter(pk=order.pk).update(due_at=timezone.now() - timedelta(days=1))
    come("remind_at", order)
    assert mails(order).count("FULFILLMENT_PAYMENT_REMINDER") == 1
    come("remind_at", order)
    assert open_kinds(order) == ["overdue"]
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.deliver_order(order=order, actor=TEAM)
    assert oscar_status(order) == "Sent"
    payments.approve_payment(order=order, actor=TEAM)
    assert oscar_status(order) == "Completed"
    assert open_kinds(order) == []


@pytest.mark.feature("D5")
def test_cash_on_pick_up_is_paid_when_it_is_handed_over():
    method = factories.manual_method("cash", ships_before_payment=True, paid_on_delivery=True)
    order = factories.placed_order(method=method, currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.deliver_order(order=order, actor=TEAM)
    assert statuses(order) == ("paid", "delivered")
    assert oscar_status(order) == "Completed"
    assert money(order) == (TWENTY, TWENTY, 0)


def test_a_method_that_completes_without_the_money():
    method = factories.manual_method("house", ships_before_payment=True, completes_when_paid=False)
    order = factories.placed_order(method=method, currency="CHF")
    release.release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.deliver_order(order=order, actor=TEAM)
    assert (statuses(order), oscar_status(order)) == (("awaiting_payment", "delivered"), "Completed")


@pytest.mark.feature("D6", "E10")
def test_a_bank_transfer_that_is_exact_approves():
    order = factories.placed_order(method=prepayment())
    receipts.receive_money(order=order, actor=TEAM, amount=TWENTY, reference="TED 1", key="bank-1")
    assert statuses(order) == ("paid", "received")
    receipts.receive_money(order=order, actor=TEAM, amount=TWENTY, reference="TED 1", key="bank-1")
    assert money(order) == (TWENTY, TWENTY, 0)
    assert open_kinds(order) == []


@pytest.mark.feature("D6")
def test_short_and_over_are_paths_of_their_own():
    order = factories.placed_order(method=prepayment())
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("12"), key="a-bank-entry-1")
    assert statuses(order)[0] == "awaiting_payment"
    assert open_kinds(order) == ["underpaid"]
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("10"), key="a-bank-entry-2")
    assert statuses(order)[0] == "paid"
    assert open_kinds(order) == ["overpaid"]
    receipts.note_refund(order=order, actor=TEAM, amount=Decimal("2"), reason="too much")
    assert statuses(order)[0] == "paid"
    assert open_kinds(order) == []
    assert money(order) == (Decimal("22.00"), Decimal("22.00"), Decimal("2.00"))


def test_an_approval_by_hand_books_what_was_missing():
    order = factories.placed_order()
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("12"), key="a-bank-entry-1")
    payments.approve_payment(order=order, actor=TEAM)
    assert money(order) == (TWENTY, TWENTY, 0)
    assert open_kinds(order) == []


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_no_money_is_no_receipt(amount):
    order = factories.placed_order()
    with pytest.raises(InvalidInput):
        receipts.receive_money(order=order, actor=TEAM, amount=Decimal(amount))


def late():
    """An order whose money came after it had expired."""
    order, payment, provider = begun()
    provider.change(payment.reference, state=PaymentState.EXPIRED)
    refresh(payment)
    provider.pay(payment.reference)
    refresh(payment)
    assert problem(order) == "late_money"
    order.refresh_from_db()
    return order, payment, provider


@pytest.mark.feature("Z7")
def test_late_money_restores_the_order_where_the_stock_allows():
    order, _payment, _provider = late()
    before = free_stock(order)
    restoring.restore_order(order=order, actor=TEAM, reason="paid late")
    assert statuses(order) == ("paid", "received")
    assert free_stock(order) == [before[0] - 2]
    assert (problem(order), open_kinds(order)) == ("", [])


def test_an_order_is_not_restored_beyond_the_stock():
    order, _payment, _provider = late()
    record = order.lines.get().stockrecord
    record.num_in_stock = 1
    record.save()
    with pytest.raises(TransitionNotAllowed, match="Not enough in stock"):
        restoring.restore_order(order=order, actor=TEAM, reason="paid late")
    assert statuses(order) == ("cancelled", "cancelled")
    assert open_kinds(order) == ["late_money"]


@pytest.mark.feature("Z7")
def test_late_money_is_refunded():
    from oscar_fulfillment.core import outbox
    from oscar_fulfillment.services.operations import request_refund

    order, payment, _provider = late()
    request_refund(order=order, payment=payment.pk, actor=TEAM, amount=TWENTY, reason="too late")
    outbox.drain(destination="payments:demo")
    assert money(order) == (TWENTY, TWENTY, TWENTY)
    assert (problem(order), open_kinds(order)) == ("", [])


@pytest.mark.feature("Z7")
def test_late_money_is_kept_as_a_credit_note():
    order, _payment, _provider = late()
    with pytest.raises(TransitionNotAllowed):
        keep_as_credit(order=order, actor=TEAM, amount=Decimal("20.01"), reason="asked for")
    keep_as_credit(order=order, actor=TEAM, amount=TWENTY, reason="asked for", key="once-and-only")
    keep_as_credit(order=order, actor=TEAM, amount=TWENTY, reason="asked for", key="once-and-only")
    assert CreditNote.objects.get().amount == TWENTY
    assert (problem(order), open_kinds(order)) == ("", [])


def test_late_money_by_bank_is_paid_back_by_hand():
    order = factories.placed_order(method=prepayment())
    cancelling.cancel_order(order=order, actor=TEAM, reason="unpaid")
    receipts.receive_money(order=order, actor=TEAM, amount=TWENTY, key="a-bank-entry-9")
    assert open_kinds(order) == ["late_money"]
    receipts.note_refund(order=order, actor=TEAM, amount=TWENTY, reason="too late")
    assert statuses(order)[0] == "cancelled"
    assert (problem(order), open_kinds(order)) == ("", [])
    with pytest.raises(TransitionNotAllowed, match="At most 0"):
        receipts.note_refund(order=order, actor=TEAM, amount=Decimal("1"), reason="again")


def test_an_unpaid_order_is_restored_with_a_new_clock():
    order = factories.placed_order(method=prepayment())
    come("cancel_at", order)
    restoring.restore_order(order=order, actor=TEAM, reason="will pay")
    assert statuses(order) == ("awaiting_payment", "received")
    assert PaymentTerms.objects.get(pk=order.pk).next_at > timezone.now()


@pytest.mark.feature("E2")
def test_the_end_of_a_hold_is_announced_once():
    order, payment, _provider = held()
    assert hold_clock.watch_holds() == 0
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=40))
    assert hold_clock.watch_holds() == 1
    assert hold_clock.watch_holds() == 0
    assert open_kinds(order) == ["hold_ends"]
    assert FollowUp.objects.get().due_at == ProviderPayment.objects.get().hold_expires_at


def test_a_hold_is_charged_before_its_end_where_the_method_says_so():
    from oscar_fulfillment.core import outbox

    order, payment, _provider = held(method=hold_method("card-take", hold_end="capture"))
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=5))
    assert hold_clock.watch_holds() == 1
    assert hold_clock.watch_holds() == 0
    outbox.drain(destination="payments:demo")
    assert statuses(order)[0] == "paid"


def test_a_follow_up_is_assigned_and_closed_once():
    order = factories.placed_order(method=invoice_method())
    come("call_at", order)
    found, staff = FollowUp.objects.get(), factories.staff_user()
    followups.assign_followup(followup=found, actor=TEAM, assignee=staff)
    followups.close_followup(followup=found, actor=TEAM, outcome="reached", note="pays tomorrow")
    with pytest.raises(followups.FollowUpClosed):
        followups.close_followup(followup=found, actor=TEAM, outcome="reached")
    found.refresh_from_db()
    assert (found.assignee, found.outcome, found.outcome_note) == (staff, "reached", "pays tomorrow")
    assert StatusChange.objects.filter(fulfillment=order.pk, action="close_followup").count() == 1
    with pytest.raises(InvalidInput):
        followups.close_followup(followup=found, actor=TEAM, outcome="magic")


def test_a_provider_down_during_cancel_unpaid_raises():
    order, _payment, provider = begun(factories.gateway_method("boleto", provider_method="boleto", cancel_days=3))
    provider.go_down()
    with pytest.raises(AdapterUnavailable):
        unpaid.cancel_unpaid(order=order)
