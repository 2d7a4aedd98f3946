"""The auditor: finds nothing in a shop at work, and each kind of difference where somebody wrote behind our back."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.core import outbox
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import FollowUp, OrderFulfillment, PaymentOperation, ProviderPayment
from oscar_fulfillment.services import audit, cancelling, late_money, operations, receipts, release, shipping
from oscar_fulfillment.services.settling import settle
from oscar_fulfillment.test import factories

from .payments import TEAM, begun, held, hold_method, money, open_kinds, paid, problem, refresh, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z7")]
TWENTY = Decimal("20.00")


def found(**options):
    return [(difference.kind, str(difference)) for difference in audit.audit_payments(**options)]


def kinds(**options):
    return sorted({kind for kind, _words in found(**options)})


def test_a_shop_at_work_has_no_differences(capsys):
    order, payment, provider = held()
    operations.request_capture(order=order, payment=payment.pk, actor=TEAM, amount=Decimal("15.00"))
    outbox.drain(destination="payments:demo")
    order, payment, _provider = paid(fresh=False)
    operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=Decimal("5.00"), reason="broken")
    outbox.drain(destination="payments:demo")
    order, payment, _provider = held(fresh=False, method=hold_method())
    cancelling.cancel_order(order=order, actor=TEAM, reason="No", override=True)
    outbox.drain(destination="payments:demo")
    begun(fresh=False)
    factories.delivered_order(currency="CHF")
    factories.cancelled_order()
    factories.invoiced_order()
    order = factories.placed_order()
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("25.00"))
    late_money.keep_as_credit(order=order, actor=TEAM, amount=Decimal("5.00"), reason="next time")
    partly = factories.placed_order(currency="CHF", lines=[(factories.product(), 3)])
    receipts.receive_money(order=partly, actor=TEAM, amount=Decimal("30.00"))
    release.release_order(order=partly, actor=TEAM, quantities={partly.lines.get().pk: 1})
    shipping.dispatch_order(order=partly, actor=TEAM)
    assert found(ask_providers=True) == []
    call_command("fulfillment_audit_payments", "--ask")
    assert "All books agree." in capsys.readouterr().out
    assert OrderFulfillment.objects.count() == 9


def test_the_number_of_statements_does_not_grow_with_the_orders(django_assert_num_queries):
    begun()
    for _order in range(3):
        paid(fresh=False)
    with django_assert_num_queries(14):
        assert found() == []


def behind(change):
    """Run a change behind the services' back; the kinds of differences it makes, with the words of the first."""
    change()
    now = found()
    return sorted({kind for kind, _words in now}), now[0][1] if now else ""


def test_a_payment_and_its_source_that_differ():
    order, payment, _provider = paid()
    Source = get_model("payment", "Source")
    kinds, words = behind(lambda: Source.objects.filter(pk=payment.source_id).update(amount_debited=19))
    assert kinds == ["ledger", "status", "transactions"]
    assert order.number in words
    assert "19.00" in words


def test_a_payment_without_a_source():
    _order, payment, _provider = paid()
    assert behind(lambda: ProviderPayment.objects.filter(pk=payment.pk).update(source=None))[0] == ["ledger"]


def test_a_lost_transaction():
    _order, payment, _provider = paid()
    Transaction = get_model("payment", "Transaction")
    assert behind(lambda: Transaction.objects.filter(txn_type="Debit").delete())[0] == ["transactions"]


@pytest.mark.parametrize("status", ["awaiting_payment", "authorized", "refunded"])
def test_a_status_that_the_ledger_does_not_bear_out(status):
    order, _payment, _provider = paid()
    wrong, words = behind(lambda: OrderFulfillment.objects.update(payment_status=status))
    assert wrong == (["unseen"] if status == "refunded" else ["status"])
    assert status == "refunded" or f"“{status}”" in words


@pytest.mark.parametrize("status", ["paid", "authorized"])
def test_a_status_without_the_money(status):
    order = factories.placed_order()
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("5.00"))
    get_model("payment", "Source").objects.update(amount_allocated=0)
    assert behind(lambda: OrderFulfillment.objects.update(payment_status=status))[0] == ["status"]


def test_money_that_nobody_was_told_of():
    order, _payment, _provider = paid()
    cancelling.cancel_order(order=order, actor=TEAM, reason="No", override=True)
    assert problem(order) == "refund_due"
    assert found() == []
    wrong, words = behind(lambda: OrderFulfillment.objects.update(problem=""))
    assert wrong == ["unseen"]
    assert "20.00 BRL" in words


def test_allocations_that_do_not_fit_the_order():
    order = factories.placed_order()
    line, record = order.lines.get(), order.lines.get().stockrecord
    assert behind(lambda: order.lines.update(num_allocated=1))[0] == ["stock"]
    assert len(found()) == 2  # the line, and the sum of the lines
    order.lines.update(num_allocated=line.quantity)
    assert behind(lambda: type(record).objects.filter(pk=record.pk).update(num_allocated=F("num_allocated") + 1))[
        0
    ] == ["stock"]


def test_an_operation_that_nobody_answers():
    order, payment, _provider = held()
    operations.request_capture(order=order, payment=payment.pk, actor=TEAM)
    assert found() == []
    PaymentOperation.objects.update(requested_at=timezone.now() - timedelta(minutes=61))
    assert kinds() == ["operation"]
    assert found(patience=timedelta(hours=2)) == []
    with pytest.raises(CommandError, match="1 difference") as caught:
        call_command("fulfillment_audit_payments")
    assert caught.value.returncode == 1
    call_command("fulfillment_audit_payments", "--patience", "120")


def test_the_provider_holds_something_else():
    _order, payment, provider = begun()
    assert kinds(ask_providers=True) == []
    provider.pay(payment.reference)
    assert kinds() == []
    assert kinds(ask_providers=True) == ["provider"]
    provider.go_down(2)
    assert "cannot be reached" in found(ask_providers=True)[0][1]
    refresh(payment)
    assert kinds(ask_providers=True) == []


def test_what_is_settled_while_the_auditor_looks_is_no_difference(monkeypatch):
    """The pages are read without locks; what differs there is looked at again."""
    order, payment, _provider = paid()
    Source = get_model("payment", "Source")
    Source.objects.filter(pk=payment.source_id).update(amount_refunded=1)
    read = audit._read

    def settled_meanwhile(pks):
        books = read(pks)
        Source.objects.filter(pk=payment.source_id).update(amount_refunded=0)
        return books

    monkeypatch.setattr(audit, "_read", settled_meanwhile)
    assert found() == []


# What the auditor found


def test_a_part_of_the_money_of_a_cancelled_order_is_shown():
    order = factories.placed_order()
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("7.50"))
    assert open_kinds(order) == ["underpaid"]
    cancelling.cancel_order(order=order, actor=TEAM, reason="No")
    assert statuses(order) == ("cancelled", "cancelled")
    assert (problem(order), open_kinds(order)) == ("refund_due", ["late_money"])
    assert late_money.excess(get_model("order", "Order").objects.get(pk=order.pk)) == Decimal("7.50")
    assert found() == []
    receipts.note_refund(order=order, actor=TEAM, amount=Decimal("7.50"), reason="sent back")
    assert (problem(order), open_kinds(order)) == ("", [])
    assert found() == []


def test_a_part_that_went_back_leaves_the_rest_shown():
    order, payment, _provider = paid()
    cancelling.cancel_order(order=order, actor=TEAM, reason="No", override=True)
    for amount, shown in (("3.00", "refund_due"), ("17.00", "")):
        operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=Decimal(amount), reason="No")
        outbox.drain(destination="payments:demo")
        assert problem(order) == shown
        assert found() == []


def test_money_for_an_order_that_was_refunded_is_shown():
    order, payment, provider = paid()
    operations.request_refund(order=order, payment=payment.pk, actor=TEAM, amount=TWENTY, reason="broken")
    outbox.drain(destination="payments:demo")
    assert statuses(order)[0] == "refunded"
    receipts.receive_money(order=order, actor=TEAM, amount=TWENTY, reference="again")
    assert statuses(order)[0] == "refunded"
    assert open_kinds(order) == ["overpaid"]
    assert FollowUp.objects.get(kind="overpaid").data["difference"] == "20.00"
    assert found() == []
    assert money(order) == (Decimal("40.00"), Decimal("40.00"), TWENTY)
    receipts.note_refund(order=order, actor=TEAM, amount=TWENTY, reason="sent back")
    assert open_kinds(order) == []
    assert found() == []


def test_a_hold_that_ended_after_the_goods_left_is_known():
    order, payment, provider = held(method=hold_method())
    release.release_order(order=order, actor=TEAM)
    OrderFulfillment.objects.update(shipping_status="dispatched")
    order.lines.update(num_allocated=0)
    get_model("partner", "StockRecord").objects.update(num_allocated=0)
    provider.change(payment.reference, state=PaymentState.EXPIRED, authorized=Decimal(0))
    settle(payment_id=payment.pk, remote=provider.fetch(payment.external_id), actor=TEAM)
    assert statuses(order)[0] == "authorized"
    assert open_kinds(order) == ["payment_lost"]
    assert found() == []
