"""What comes of a return: refund by the provider, by hand or as a credit; the same goods again; nothing."""

from decimal import Decimal

import pytest

from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import CreditNote, OrderFulfillment, PaymentOperation, Return, Shipment
from oscar_fulfillment.selectors import return_money, return_units
from oscar_fulfillment.selectors.order_page import OrderPage
from oscar_fulfillment.selectors.returns import history_of, refund_operation
from oscar_fulfillment.services import (
    giving_up,
    invoicing,
    operation_runs,
    operations,
    receipts,
    return_outcomes,
    shipping,
)
from oscar_fulfillment.services.audit import audit_payments
from oscar_fulfillment.services.release import release_order
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from . import payments as at_provider
from . import returns as do
from .payments import money, open_kinds, problem
from .returns import TEAM, actions, delivered, line, received, settle, stock_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D15")]


def fresh(order):
    return type(order).objects.get(pk=order.pk)


def paid_at_provider(units=3):
    """A delivered order of three mugs at 10.00 that its provider was paid for."""
    order, payment, provider = at_provider.paid(currency="CHF", lines=[(factories.product("Mug"), units)])
    order = fresh(order)
    release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.deliver_order(order=order, actor=TEAM)
    return order, payment, provider


def refused(call, *args, **options):
    """The reasons of a refusal; nothing may have changed."""
    with pytest.raises(TransitionNotAllowed) as error:
        call(*args, **options)
    return [reason.code for reason in error.value.reasons]


def wrong(call, *args, **options):
    with pytest.raises(InvalidInput) as error:
        call(*args, **options)
    return error.value.errors


def assert_undecided(ret, before):
    now = Return.objects.get(pk=ret.pk)
    assert (now.status, now.outcome, now.refund_amount, now.closed_at) == ("received", "", None, None)
    assert actions(ret.fulfillment.order) == before


# Money back


def test_money_paid_back_by_hand_is_in_the_ledger_and_in_the_history_with_the_returns_number():
    order = delivered()
    ret = settle(received(order, 1, 1), amount="15.00", reason="One broken", reference="TED 7")
    assert (ret.status, ret.outcome, ret.refund_amount) == ("settled", "refund", Decimal("15.00"))
    assert ret.closed_at is not None
    assert money(order) == (Decimal(30), Decimal(30), Decimal(15))
    assert do.payment(order) == "partially_refunded"
    assert do.shipping(order) == "delivered"
    assert [(row.action, row.data["return"]) for row in history_of(ret)] == [
        ("refund_payment", ret.pk), ("settle_return", ret.pk), ("receive_return", ret.pk), ("request_return", ret.pk),
    ]  # fmt: skip
    row = history_of(ret)[0]
    assert (row.reason, row.data["amount"], row.data["by_hand"]) == ("Return 1: One broken", "15.00", True)
    assert do.mails(order)[-1] == "RETURN_SETTLED"
    assert not order.outbound_messages.filter(kind="FULFILLMENT_PAYMENT_REFUNDED").exists()


def test_a_provider_is_asked_for_the_refund_and_its_answer_is_on_the_return():
    order, payment, provider = paid_at_provider()
    ret = settle(received(order, 1), amount="10.00", way=str(payment.pk))
    operation = refund_operation(ret)
    assert (operation.status, operation.amount) == ("requested", Decimal("10.00"))
    assert do.payment(order) == "paid"  # granted is not executed
    operation_runs.run_operation(operation.pk)
    assert refund_operation(ret).status == "done"
    assert do.payment(order) == "partially_refunded"
    assert money(order)[2] == Decimal("10.00")
    request = next(row for row in history_of(ret) if row.action == "request_refund")
    assert (request.data["return_number"], request.reason) == (1, "Return 1")
    assert list(audit_payments()) == []


def test_a_refund_that_the_provider_refuses_later_stays_visible():
    order, payment, provider = paid_at_provider()
    ret = settle(received(order, 1), amount="10.00", way=str(payment.pk))
    provider.refuse("The card is closed")
    operation_runs.run_operation(refund_operation(ret).pk)
    assert refund_operation(ret).status == "refused"
    assert problem(order) == "refund_failed"
    assert open_kinds(order) == ["operation_failed"]
    assert Return.objects.get(pk=ret.pk).refund_amount == Decimal("10.00")
    assert return_money.most_to_grant(fresh(order)) == Decimal("30.00")


def test_a_credit_note_for_the_next_order_is_numbered_and_counts_as_given():
    order = delivered()
    ret = settle(received(order, 1), amount="10.00", way="credit")
    note = CreditNote.objects.get()
    assert (note.amount, note.reason) == (Decimal("10.00"), "Return 1")
    assert return_money.credit_note_of(ret) == note.number
    assert do.payment(order) == "paid"
    assert return_money.most_to_grant(fresh(order)) == Decimal("20.00")
    assert wrong(settle, received(order, 2), amount="20.01")["amount"] == ["At most 20.00 CHF can go back."]


def test_shipping_costs_go_back_once_and_no_more_than_they_were():
    order = delivered()
    type(order).objects.filter(pk=order.pk).update(shipping_incl_tax=7, total_incl_tax=37)
    receipts.receive_money(order=fresh(order), actor=TEAM, amount=Decimal(7))
    ret = received(order, 1)
    before = actions(order)
    errors = wrong(settle, ret, amount="10.00", shipping_amount=Decimal("7.01"))
    assert errors == {"shipping_amount": ["At most 7.00 CHF of the shipping costs can go back."]}
    assert_undecided(ret, before)
    ret = settle(ret, amount="10.00", shipping_amount=Decimal("5.00"))
    assert (ret.refund_amount, money(order)[2]) == (Decimal("15.00"), Decimal("15.00"))
    ret = received(order, 1)
    assert "At most 2.00" in str(wrong(settle, ret, amount="10.00", shipping_amount=Decimal("2.01")))
    assert settle(ret, amount="0", shipping_amount=Decimal("2.00")).refund_amount == Decimal("2.00")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": None}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "30.01"}, "amount"),
        ({"amount": "1e9"}, "amount"),
        ({"amount": "10", "shipping_amount": Decimal(-1)}, "shipping_amount"),
        ({"amount": "10", "way": ""}, "way"),
        ({"amount": "10", "way": "magic"}, "way"),
        ({"amount": "10", "way": "9" * 30}, "way"),
        ({"amount": "10", "way": "٣"}, "way"),
        ({"amount": "10", "reason": "x" * 4001}, "reason"),
        ({"outcome": "magic"}, "outcome"),
        ({"outcome": "nothing", "reason": ""}, "reason"),
    ],
)
def test_wrong_decisions_are_refused_at_their_field_and_nothing_is_decided(given, field):
    order = delivered()
    ret = received(order, 1)
    before = actions(order)
    assert field in wrong(settle, ret, **given)
    assert_undecided(ret, before)
    assert money(order)[2] == 0


def test_where_the_money_says_no_nothing_is_decided():
    order, payment, provider = paid_at_provider()
    ret = received(order, 1)
    operations.request_refund(order=fresh(order), payment=payment.pk, amount=Decimal(5), actor=TEAM, reason="Late")
    before = actions(order)
    assert refused(settle, ret, amount="10.00", way=str(payment.pk)) == ["asked_already"]
    assert_undecided(ret, before)
    assert refused(settle, ret, amount="10.00", way="hand") == ["too_much"]  # nothing came in by hand
    assert_undecided(ret, before)
    assert refused(settle, ret, amount="10.00", way=str(payment.pk + 1)) == ["no_payment"]
    assert_undecided(ret, before)
    assert not order.outbound_messages.filter(kind="FULFILLMENT_RETURN_SETTLED").exists()


def test_another_orders_payment_pays_nothing_back():
    order, _payment, _provider = paid_at_provider()
    ret = received(order, 1)
    other = at_provider.paid(fresh=False)[1]
    assert refused(settle, ret, amount="10.00", way=str(other.pk)) == ["no_payment"]


def test_money_that_went_back_elsewhere_does_not_go_back_again():
    order = delivered()
    ret = received(order, 3)
    receipts.note_refund(order=fresh(order), actor=TEAM, amount=Decimal(30), reason="Agreed on the phone")
    before = actions(order)
    with pytest.raises(TransitionNotAllowed, match="has gone back already"):
        settle(ret, amount="10.00")
    assert_undecided(ret, before)
    assert refused(settle, ret, "exchange") == ["no_money"]
    assert_undecided(ret, before)
    assert settle(ret, "nothing", reason="Paid back on the phone").status == "settled"


def test_what_a_provider_was_asked_for_counts_as_gone():
    order, payment, _provider = paid_at_provider()
    settle(received(order, 1), amount="25.00", way=str(payment.pk))
    assert return_money.most_to_grant(fresh(order)) == Decimal("5.00")
    assert "At most 5.00" in str(wrong(settle, received(order, 1), amount="10.00", way="credit"))


def test_an_order_that_was_approved_before_there_was_a_ledger_is_refunded():
    order = delivered()
    order.sources.all().delete()
    assert return_money.most_to_grant(fresh(order)) == Decimal("30.00")
    settle(received(order, 1), amount="10.00")
    assert money(order) == (Decimal(30), Decimal(30), Decimal(10))


# What is proposed


def test_what_is_proposed_is_the_price_after_discounts_and_adds_up_over_partial_returns():
    order = delivered(("Mug", "10.00", 3))
    order.lines.update(line_price_incl_tax=Decimal("10.00"))
    values = []
    for _time in range(3):
        ret = received(order, 1)
        (worth,) = return_units.worth_of(ret)
        values.append(worth.value)
        settle(ret, amount=str(worth.value))
    assert values == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
    assert [return_units.worth_of(ret)[0].value for ret in Return.objects.order_by("pk")] == values


def test_units_that_were_exchanged_are_worth_their_price_again():
    order = delivered(("Mug", "10.00", 1))
    settle(received(order, 1), "exchange")
    shipping.dispatch_order(order=fresh(order), actor=TEAM)
    (worth,) = return_units.worth_of(received(order, 1))
    assert worth.value == Decimal("10.00")


def test_before_the_goods_are_here_the_value_is_that_of_what_is_announced():
    order = delivered()
    ret = do.approved(order, 2)
    assert [each.value for each in return_units.worth_of(ret)] == [Decimal("20.00")]
    ret = do.receive(ret, 1)
    assert [each.value for each in return_units.worth_of(ret)] == [Decimal("10.00")]


def test_the_ways_back_are_the_providers_by_hand_and_a_credit():
    order, payment, _provider = paid_at_provider()
    ways = return_money.refund_ways(OrderPage(fresh(order)).money)
    assert [(way.code, way.most) for way in ways] == [(str(payment.pk), Decimal(30)), ("credit", Decimal(30))]
    order = delivered()
    assert [way.code for way in return_money.refund_ways(OrderPage(fresh(order)).money)] == ["hand", "credit"]
    unpaid = factories.placed_order()
    assert return_money.refund_ways(OrderPage(fresh(unpaid)).money) == []


# Other goods


def test_an_exchange_reserves_the_goods_and_goes_out_by_the_usual_steps():
    order = delivered()
    ret = settle(received(order, 1, 1), "exchange")
    assert (ret.status, ret.outcome, ret.refund_amount) == ("settled", "exchange", None)
    shipment = Shipment.objects.get(status="pending")
    assert shipment.replaces == ret
    assert [(each.line.title, each.quantity) for each in shipment.lines.all()] == [("Mug", 2)]
    assert do.shipping(order) == "partially_dispatched"
    assert stock_of(order) == (18, 2)
    assert actions(order)[-2:] == ["settle_return", "send_replacement"]
    order = fresh(order)
    # It is no part of what was ordered: nothing of it is released again.
    assert not order.fulfillment.has_backorder
    assert refused(release_order, order=order, actor=TEAM) == ["all_released"]
    shipping.dispatch_order(order=order, actor=TEAM, carrier="other", tracking_code="X-9")
    shipping.deliver_order(order=order, actor=TEAM)
    assert (do.shipping(order), stock_of(order)) == ("delivered", (16, 0))
    assert do.payment(order) == "paid"


def test_in_a_flow_that_invoices_the_replacement_needs_its_document():
    order = delivered(currency="BRL")
    settle(received(order, 1), "exchange")
    order = fresh(order)
    assert refused(shipping.dispatch_order, order=order, actor=TEAM) == ["not_invoiced"]
    invoicing.invoice_order(order=order, actor=TEAM, access_key=make_key(number=4242))
    shipping.dispatch_order(order=order, actor=TEAM)
    assert do.shipping(order) == "dispatched"


def test_goods_that_are_short_refuse_the_exchange_and_nothing_is_decided():
    order = delivered()
    ret = received(order, 0, 2)
    line(order).stockrecord.__class__.objects.update(num_in_stock=1, num_allocated=0)
    before = actions(order)
    with pytest.raises(TransitionNotAllowed, match=r"Not enough in stock: Mug \(1 missing\)"):
        settle(ret, "exchange")
    assert_undecided(ret, before)
    assert not Shipment.objects.filter(status="pending").exists()
    assert stock_of(order) == (1, 0)


def test_a_unit_that_went_back_into_the_stock_may_be_what_is_sent_again():
    order = delivered()
    ret = received(order, 1)
    line(order).stockrecord.__class__.objects.update(num_in_stock=1)
    settle(ret, "exchange")
    assert stock_of(order) == (1, 1)


def test_a_replacement_comes_back_too():
    order = delivered(("Mug", "10.00", 1))
    settle(received(order, 0, 1), "exchange")
    shipping.dispatch_order(order=fresh(order), actor=TEAM)
    assert do.back(order) == [("returned", 1, 1), ("dispatched", 1, 0)]
    ret = settle(received(order, 1), amount="10.00")
    assert (do.shipping(order), do.payment(order), ret.number) == ("returned", "refunded", 2)


def test_a_replacement_that_is_cancelled_leaves_the_return_to_be_decided_again():
    order = delivered()
    ret = settle(received(order, 1), "exchange")
    shipment = Shipment.objects.get(replaces=ret)
    assert return_outcomes.reopen_returns([shipment]) == []  # it still goes out
    Shipment.objects.filter(pk=shipment.pk).update(status="cancelled")
    assert return_outcomes.reopen_returns([shipment]) == [ret]
    again = Return.objects.get(pk=ret.pk)
    assert (again.status, again.outcome, again.closed_at) == ("received", "", None)
    assert settle(again, amount="10.00").status == "settled"
    assert return_outcomes.reopen_returns([Shipment.objects.exclude(pk=shipment.pk).get()]) == []


def test_the_step_that_cancels_a_shipment_opens_the_return_again():
    order = delivered()
    ret = settle(received(order, 1), "exchange")
    shipment = Shipment.objects.get(replaces=ret)
    giving_up.cancel_shipment(order=fresh(order), shipment=shipment.pk, keep=False, reason="Sold out", actor=TEAM)
    assert Return.objects.get(pk=ret.pk).status == "received"
    assert (do.shipping(order), stock_of(order), problem(order)) == ("delivered", (18, 0), "")
    assert list(audit_payments()) == []


def test_a_refund_for_goods_leaves_the_follow_up_about_what_was_paid_too_much():
    order = delivered()
    receipts.receive_money(order=fresh(order), actor=TEAM, amount=Decimal(10))
    assert open_kinds(order) == ["overpaid"]
    settle(received(order, 1), amount="10.00")
    assert open_kinds(order) == ["overpaid"]


# Nothing


def test_nothing_needs_a_reason_and_is_told_to_the_customer():
    order = delivered()
    ret = settle(received(order, 1), "nothing", reason="Used for months")
    assert (ret.status, ret.outcome, ret.answer, ret.refund_amount) == ("settled", "nothing", "Used for months", None)
    assert money(order)[2] == 0


@pytest.mark.parametrize("outcome", ["nothing"])
def test_who_sent_everything_back_unpaid_owes_nothing(outcome):
    method = factories.manual_method("invoice", ships_before_payment=True, due_days=30)
    order = factories.placed_order(currency="CHF", lines=[(factories.product("Mug"), 2)], method=method)
    release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    first, second = received(order, 1), received(order, 1)
    assert do.shipping(order) == "returned"
    assert refused(settle, first, amount="10.00") == ["nothing_in"]
    settle(first, outcome, reason="Unpaid")
    assert do.payment(order) == "awaiting_payment"  # the other one may still be exchanged
    settle(second, outcome, reason="Unpaid")
    assert do.payment(order) == "cancelled"


def test_who_sent_a_part_back_unpaid_still_owes_the_order():
    method = factories.manual_method("invoice", ships_before_payment=True, due_days=30)
    order = factories.placed_order(currency="CHF", lines=[(factories.product("Mug"), 2)], method=method)
    release_order(order=order, actor=TEAM)
    shipping.dispatch_order(order=order, actor=TEAM)
    settle(received(order, 1), "nothing", reason="Unpaid")
    assert do.payment(order) == "awaiting_payment"
    settle(received(order, 1), "exchange")
    assert do.shipping(order) == "partially_dispatched"


# Once


@pytest.mark.parametrize(
    "given", [{"amount": "10.00"}, {"outcome": "exchange"}, {"outcome": "nothing", "reason": "No"}]
)
def test_a_decision_is_made_once_also_by_a_form_sent_twice(given):
    order = delivered()
    ret = received(order, 1)
    first = settle(ret, key="form-1", **given)
    before = actions(order), money(order), stock_of(order)
    assert settle(ret, key="form-1", **given) == first
    assert (actions(order), money(order), stock_of(order)) == before
    with pytest.raises(TransitionNotAllowed, match="Settled"):
        settle(ret, "nothing", reason="Again")
    assert (actions(order), money(order), stock_of(order)) == before


def test_a_stale_form_decides_nothing():
    order = delivered()
    ret, seen = received(order, 1), OrderFulfillment.objects.get(pk=order.pk).version
    do.ask(order)
    with pytest.raises(StaleVersion):
        settle(ret, amount="10.00", expected_version=seen)
    assert PaymentOperation.objects.count() == 0
    assert money(order)[2] == 0
