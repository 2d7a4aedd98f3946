"""Goods that are not sent as they were to be: every row of the truth table, the stock, the money, the carrier. Z6."""

from decimal import Decimal

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.carriers.base import Capability
from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import (
    CarrierOrder,
    FollowUp,
    OrderFulfillment,
    OutboundMessage,
    Parcel,
    PaymentOperation,
    Return,
    Shipment,
)
from oscar_fulfillment.selectors.customer import order_journey
from oscar_fulfillment.selectors.given_up import needed, values
from oscar_fulfillment.services import (
    carrier_orders,
    editing,
    holds,
    invoicing,
    late_money,
    ledger,
    operation_runs,
    operations,
    parcels,
    payments,
    receipts,
    release,
    restoring,
    shipping,
)
from oscar_fulfillment.services.audit import audit_payments
from oscar_fulfillment.services.cancelling import cancel_order
from oscar_fulfillment.services.edit_wanted import Wanted
from oscar_fulfillment.services.giving_up import cancel_rest, cancel_shipment
from oscar_fulfillment.services.shipment_edits import split_shipment
from oscar_fulfillment.test import factories

from .parcels import fake_carriers
from .payments import held, hold_method, open_kinds

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z6")]
TEAM = factories.TEAM
WHY = {"actor": TEAM, "reason": "Broken in the store"}


def fulfillment(order):
    return OrderFulfillment.objects.select_related("order").get(pk=order.pk)


def state(order):
    row = fulfillment(order)
    return row.shipping_status, row.has_backorder


def shipments(order):
    return list(Shipment.objects.filter(fulfillment=order.pk).order_by("number"))


def stock(order):
    """(units in the house, units promised) of the order's one product, and what the line has allocated."""
    line = order.lines.get()
    record = line.stockrecord
    record.refresh_from_db()
    return record.num_in_stock, record.num_allocated or 0, line.num_allocated or 0


def parts(*counts, quantity=6, currency="CHF", make=factories.paid_order, **options):
    """An order of so many units of one line at 10.00, and its released shipments of these counts."""
    order = make(lines=[(factories.product(), quantity)], currency=currency, **options)
    line = order.lines.get().pk
    for count in counts:
        release.release_order(order=order, actor=TEAM, quantities={line: count})
    return order, shipments(order)


def send(order, shipment):
    shipping.dispatch_order(order=order, actor=TEAM, shipment=shipment.pk)


def refused(call):
    with pytest.raises(TransitionNotAllowed) as error:
        call()
    return error.value.reasons[0]


# Goods that are kept


def test_goods_that_are_kept_wait_to_be_released_again():
    order, (one,) = parts(6)
    change = cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
    assert state(order) == ("received", True)
    assert get_model("order", "Order").objects.get(pk=order.pk).status == "Received"
    assert stock(order) == (20, 6, 6)
    one.refresh_from_db()
    assert (one.status, one.is_dropped) == ("cancelled", False)
    line = str(order.lines.get().pk)
    assert change.data == {"shipments": [one.pk], "lines": {line: 6}, "keep": True}
    assert (change.from_status, change.to_status, change.reason) == ("released", "received", "Broken in the store")
    release.release_order(order=order, actor=TEAM)
    assert state(order) == ("released", False)
    assert [dict(s.lines.values_list("line_id", "quantity")) for s in shipments(order)][1] == {int(line): 6}
    send(order, shipments(order)[1])
    assert (state(order), stock(order)) == (("dispatched", False), (14, 0, 0))


def test_the_customer_is_told_once_that_the_order_is_worked_on():
    order, (one,) = parts(6)
    cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
    release.release_order(order=order, actor=TEAM)
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_CONFIRMED").count() == 1


def test_what_else_is_here_names_the_order():
    order, (one, two) = parts(2, 4)
    cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
    assert state(order) == ("released", True)
    send(order, two)
    assert state(order) == ("partially_dispatched", True)


@pytest.mark.parametrize(("invoiced", "name"), [(0, "released"), (1, "partially_invoiced"), (2, "invoiced")])
def test_the_documents_of_what_stays_name_the_order(invoiced, name):
    order, (one,) = parts(1, currency="BRL")
    line = order.lines.get().pk
    for count in range(2):
        if count < invoiced:
            release.release_order(order=order, actor=TEAM, quantities={line: 1})
            invoicing.invoice_order(order=order, actor=TEAM, kind="none")
    if invoiced < 2:
        release.release_order(order=order, actor=TEAM, quantities={line: 2})
    gone = shipments(order)[0] if invoiced == 2 else one
    release.release_order(order=order, actor=TEAM)
    if invoiced == 2:
        invoicing.invoice_order(order=order, actor=TEAM, kind="none")
    cancel_shipment(order=order, shipment=gone.pk, keep=False, **WHY)
    documents = {bool(s.invoice_id) for s in shipments(order) if s.status == "pending"}
    expected = {frozenset({False}): "released", frozenset({True}): "invoiced"}
    assert state(order)[0] == expected.get(frozenset(documents), "partially_invoiced")
    if invoiced == 2:
        assert state(order)[0] == name


def test_some_have_left_and_goods_are_kept():
    order, (one, two) = parts(2, 4)
    send(order, one)
    shipping.deliver_order(order=order, actor=TEAM)
    cancel_shipment(order=order, shipment=two.pk, keep=True, **WHY)
    assert state(order) == ("partially_dispatched", True)
    assert stock(order) == (18, 4, 4)


# Goods that are dropped


def test_an_order_of_which_nothing_would_be_left_is_to_be_cancelled():
    order, (one,) = parts(6)
    reason = refused(lambda: cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY))
    assert (reason.code, str(reason.remedy)) == ("nothing_left", "Cancel this order")
    assert (state(order), stock(order)) == (("released", False), (20, 6, 6))


def test_dropped_goods_are_free_and_what_waits_goes_on_waiting():
    order, (one,) = parts(2)
    cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY)
    assert state(order) == ("received", True)
    assert stock(order) == (20, 4, 4)
    one.refresh_from_db()
    assert (one.status, one.is_dropped) == ("cancelled", True)
    release.release_order(order=order, actor=TEAM)
    assert state(order) == ("released", False)
    send(order, shipments(order)[1])
    assert (state(order), stock(order)) == (("dispatched", False), (16, 0, 0))


def test_dropped_goods_among_others_that_are_here():
    order, (one, _two) = parts(2, 4)
    cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY)
    assert (state(order), stock(order)) == (("released", False), (20, 4, 4))


@pytest.mark.parametrize("arrived", [False, True])
def test_the_last_that_is_dropped_lets_the_order_be_what_has_left(arrived):
    order, (one, two) = parts(2, 4)
    send(order, one)
    if arrived:
        shipping.deliver_order(order=order, actor=TEAM)
    assert state(order)[0] == "partially_dispatched"
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert (state(order), stock(order)) == (("delivered" if arrived else "dispatched", False), (18, 0, 0))
    oscar = get_model("order", "Order").objects.get(pk=order.pk).status
    assert oscar == ("Completed" if arrived else "Sent")


def test_the_last_but_one_that_is_dropped_leaves_an_order_sent_in_part():
    order, (one, two, _three) = parts(1, 2, 3)
    send(order, one)
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert (state(order), stock(order)) == (("partially_dispatched", False), (19, 3, 3))
    order, (one, two) = parts(1, 2)
    send(order, one)
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert (state(order), stock(order)) == (("partially_dispatched", True), (19, 3, 3))


# The rest


def test_the_rest_is_what_is_here_and_what_waits():
    order, (one, two) = parts(1, 2)
    send(order, one)
    change = cancel_rest(order=order, **WHY)
    assert (state(order), stock(order)) == (("dispatched", False), (19, 0, 0))
    assert change.data["lines"] == {str(order.lines.get().pk): 5}
    found = [(s.status, s.is_dropped, sum(line.quantity for line in s.lines.all())) for s in shipments(order)]
    assert found == [("dispatched", False, 1), ("cancelled", True, 2), ("cancelled", True, 3)]
    assert refused(lambda: cancel_rest(order=order, **WHY)).code == "already_done"


def test_goods_that_only_wait_can_be_given_up_too():
    order, (one,) = parts(1)
    send(order, one)
    shipping.deliver_order(order=order, actor=TEAM)
    cancel_rest(order=order, **WHY)
    assert (state(order), stock(order)) == (("delivered", False), (19, 0, 0))
    reason = refused(lambda: release.release_order(order=order, actor=TEAM))
    assert reason.code in ("wrong_state", "already_done")


def test_nothing_has_left_so_there_is_no_rest():
    order, _rows = parts(2, 1)
    assert refused(lambda: cancel_rest(order=order, **WHY)).code == "nothing_left"
    order, _rows = parts()
    assert refused(lambda: cancel_rest(order=order, **WHY)).code == "already_done"


def test_an_order_all_of_whose_goods_came_back_can_be_ended():
    order, (one, two) = parts(2, 4)
    send(order, one)
    Shipment.objects.filter(pk=one.pk).update(status="returned")
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert state(order) == ("returned", False)


def test_a_hold_ends_with_the_last_goods_that_could_wait():
    order, (one, two) = parts(2, 2)
    send(order, one)
    holds.place_hold(order=order, actor=TEAM, code="goods", note="")
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert fulfillment(order).hold_count == 1  # two units wait
    cancel_rest(order=order, **WHY)
    assert fulfillment(order).hold_count == 0
    assert order.fulfillment.holds.get().released_by_label == "tests"


# What stands in the way


def test_goods_of_a_valid_fiscal_document_are_not_given_up():
    order = factories.invoiced_order(lines=[(factories.product(), 2)])
    (one,) = shipments(order)
    for keep in (True, False):
        reason = refused(lambda keep=keep: cancel_shipment(order=order, shipment=one.pk, keep=keep, **WHY))
        assert (reason.code, str(reason.remedy)) == ("invoice_valid", "Take the invoice back first")
    invoicing.cancel_invoice(order=order, actor=TEAM, reason="Wrong")
    cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
    assert state(order) == ("received", True)


def test_the_rest_of_a_document_of_which_goods_have_left_stays():
    order = factories.invoiced_order(lines=[(factories.product(), 3)])
    shipping.dispatch_order(order=order, actor=TEAM, quantities={order.lines.get().pk: 1})
    assert refused(lambda: cancel_rest(order=order, **WHY)).code == "invoice_valid"
    assert state(order) == ("partially_dispatched", False)


def test_no_fiscal_document_is_in_nobodys_way():
    order, (one, two) = parts(2, 4, currency="BRL")
    invoicing.invoice_order(order=order, actor=TEAM, kind="none")
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert state(order) == ("invoiced", False)
    send(order, one)
    assert state(order) == ("dispatched", False)


def test_what_has_left_is_not_taken_back():
    order, (one, two) = parts(2, 4)
    send(order, one)
    other, (theirs,) = parts(6)
    for pk in (one.pk, theirs.pk, 0):
        assert refused(lambda pk=pk: cancel_shipment(order=order, shipment=pk, keep=False, **WHY)).code == "not_pending"
    assert state(other) == ("released", False)
    assert two.pk


@pytest.mark.parametrize(("reason", "says"), [("", "say why"), ("  \n", "say why"), ("a\x00b", "cannot be stored")])
def test_a_reason_is_required(reason, says):
    order, (one, _two) = parts(2, 4)
    with pytest.raises(InvalidInput) as error:
        cancel_shipment(order=order, shipment=one.pk, keep=True, actor=TEAM, reason=reason)
    assert says in str(error.value.errors["reason"][0])
    with pytest.raises(InvalidInput) as error:
        cancel_rest(order=order, actor=TEAM, reason="x", for_customer="a\x07")
    assert "cannot be stored" in str(error.value.errors["for_customer"][0])


def test_a_form_sent_twice_cancels_once_and_a_stale_one_not_at_all():
    order, (one, two, _three) = parts(1, 2, 3)
    options = {"order": order, "shipment": one.pk, "keep": False, **WHY}
    seen = order.fulfillment.version
    first = cancel_shipment(**options, key="click")
    assert cancel_shipment(**options, key="click").sequence == first.sequence
    assert stock(order) == (20, 5, 5)
    with pytest.raises(StaleVersion):
        cancel_shipment(order=order, shipment=two.pk, keep=False, expected_version=seen, **WHY)
    assert stock(order) == (20, 5, 5)


def test_a_replacement_can_only_be_dropped():
    order, (one, two) = parts(2, 4)
    send(order, one)
    ret = Return.objects.create(fulfillment=order.fulfillment, number=1, created_at=timezone.now())
    Shipment.objects.filter(pk=two.pk).update(replaces=ret)
    call = {"order": order, "shipment": two.pk, **WHY}
    assert refused(lambda: cancel_shipment(keep=True, **call)).code == "replacement"
    cancel_shipment(keep=False, **call)
    assert values([order.pk]) == {}  # nobody paid for it twice


# Boxes, carriers, customers


def test_boxes_and_the_order_at_the_carrier_go_with_the_goods():
    with fake_carriers():
        order, (one, _two) = parts(2, 4)
        parcels.change_parcels(
            order=order, shipment=one.pk, actor=TEAM, parcels=[{"carrier": "fake", "tracking_code": "FK1"}]
        )
        carrier_orders.request_carriage(order=order, shipment=one.pk, carrier="fake", actor=TEAM)
        Parcel.objects.update(next_check_at=timezone.now())
        cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
        assert list(Parcel.objects.values_list("status", "next_check_at")) == [("cancelled", None)]
        assert CarrierOrder.objects.get().status == CarrierOrder.CANCELLING
        asked = (
            OutboundMessage.objects.filter(destination="carriers:fake").order_by("pk").values_list("kind", flat=True)
        )
        assert list(asked) == ["order", "cancel"]
        # The code is free for whoever has the box now.
        other = factories.dispatched_order(carrier="fake", tracking_code="FK1", currency="CHF")
        assert other.fulfillment.shipping_status == "dispatched"


def test_a_pick_up_code_opens_nothing_any_more():
    order, (one, _two) = parts(2, 4)
    Shipment.objects.filter(pk=one.pk).update(ready_at=timezone.now(), pickup_code="4711")
    cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
    one.refresh_from_db()
    assert (one.pickup_code, one.ready_at) == ("", None)


def test_the_customer_is_told_in_the_shops_words_where_there_are_any():
    order, (one, two, _three) = parts(1, 2, 3)
    send(order, one)
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert not OutboundMessage.objects.filter(kind="FULFILLMENT_CUSTOMER_NOTE").exists()
    cancel_rest(order=order, for_customer="Sorry, <b>it broke</b>.", **WHY)
    message = OutboundMessage.objects.get(kind="FULFILLMENT_CUSTOMER_NOTE")
    assert order.notes.get(pk=message.payload["note_id"]).message == "Sorry, <b>it broke</b>."
    told = [(h.code, h.text) for h in order_journey(get_model("order", "Order").objects.get(pk=order.pk)).happenings]
    assert ("cancel_shipment", "Sorry, <b>it broke</b>.") in told
    assert sum(code == "cancel_shipment" for code, _text in told) == 1
    assert "Broken in the store" not in str(told)


# Money


def test_money_that_is_in_for_dropped_goods_is_to_be_paid_back():
    order, (one, two) = parts(2, 4)
    send(order, one)
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    row = fulfillment(order)
    assert row.problem == "refund_due"
    followup = FollowUp.objects.get(fulfillment=order.pk)
    assert followup.kind == "overpaid"
    assert {name: followup.data[name] for name in ("received", "expected", "difference", "currency")} == {
        "received": "60.00", "expected": "20.00", "difference": "40.00", "currency": "CHF",
    }  # fmt: skip
    assert late_money.excess(row.order) == Decimal("40.00")
    receipts.note_refund(order=row.order, actor=TEAM, amount=Decimal("15.00"), reason="A part")
    assert fulfillment(order).problem == "refund_due"
    receipts.note_refund(order=row.order, actor=TEAM, amount=Decimal("25.00"), reason="The rest")
    row = fulfillment(order)
    assert (row.payment_status, row.problem) == ("partially_refunded", "")
    assert FollowUp.objects.get(fulfillment=order.pk).outcome == "refunded"
    assert list(audit_payments()) == []


def test_it_can_be_kept_as_a_credit_note():
    order, (one, _two) = parts(2, 4)
    cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY)
    late_money.keep_as_credit(order=order, actor=TEAM, amount=Decimal("20.00"), reason="As agreed")
    assert fulfillment(order).problem == ""
    assert list(audit_payments()) == []
    # The next part: only what is still too much.
    order.fulfillment.refresh_from_db()
    send(order, shipments(order)[1])
    assert late_money.excess(order) == 0


def test_goods_that_are_kept_are_still_paid_for():
    order, (one, _two) = parts(2, 4)
    cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
    assert (fulfillment(order).problem, FollowUp.objects.count()) == ("", 0)
    assert late_money.excess(order) == 0


def test_an_order_that_is_paid_later_costs_what_was_sent():
    method = factories.manual_method("invoice", ships_before_payment=True)
    order, (one, two) = parts(2, 4, make=factories.placed_order, method=method)
    send(order, one)
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    assert (fulfillment(order).problem, FollowUp.objects.count()) == ("", 0)
    order = fulfillment(order).order
    assert needed(order.fulfillment) == Decimal("20.00")
    payments.approve_payment(order=order, actor=TEAM)
    assert ledger.totals(order.pk).net == Decimal("20.00")
    assert late_money.excess(order) == 0
    assert list(audit_payments()) == []


def test_a_transfer_of_what_was_sent_pays_an_order():
    method = factories.manual_method("invoice", ships_before_payment=True)
    order, (one, two) = parts(2, 4, make=factories.placed_order, method=method)
    send(order, one)
    cancel_shipment(order=order, shipment=two.pk, keep=False, **WHY)
    receipts.receive_money(order=order, actor=TEAM, amount=Decimal("20.00"), reference="TED")
    assert (fulfillment(order).payment_status, FollowUp.objects.count()) == ("paid", 0)
    assert list(audit_payments()) == []


@pytest.mark.parametrize("whole", [False, True])
def test_a_hold_is_charged_for_what_is_sent(whole):
    """All of it where the provider takes all or nothing: then a person pays the rest back."""
    options = {"provider_method": "whole"} if whole else {}
    method = hold_method(f"card-{whole}", capture_at="dispatch", **options)
    order, payment, _provider = held(method=method, currency="CHF")  # two units of 10.00
    line = order.lines.get().pk
    for _part in range(2):
        release.release_order(order=order, actor=TEAM, quantities={line: 1})
    one, two = shipments(order)
    cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY)
    assert fulfillment(order).problem == ""
    send(order, two)
    assert PaymentOperation.objects.get().amount == Decimal("20.00" if whole else "10.00")
    operation_runs.run_operation(PaymentOperation.objects.get().pk)
    row = fulfillment(order)
    assert (row.payment_status, row.shipping_status) == ("paid", "dispatched")
    assert late_money.excess(row.order) == Decimal("10.00" if whole else "0")
    assert open_kinds(order) == (["overpaid"] if whole else [])
    assert list(audit_payments()) == []
    assert payment.pk


def test_a_person_is_offered_to_charge_what_is_sent():
    order, payment, _provider = held(currency="CHF")
    line = order.lines.get().pk
    for _part in range(2):
        release.release_order(order=order, actor=TEAM, quantities={line: 1})
    cancel_shipment(order=order, shipment=shipments(order)[0].pk, keep=False, **WHY)
    operations.request_capture(order=order, payment=payment.pk, actor=TEAM)
    assert PaymentOperation.objects.get().amount == Decimal("10.00")


# The order afterwards


def test_an_order_that_is_cancelled_and_restored_does_not_get_back_what_was_given_up():
    order, (one,) = parts(2)
    cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY)
    cancel_order(order=order, actor=TEAM, reason="No")
    assert stock(order) == (20, 0, 0)
    restoring.restore_order(order=order, actor=TEAM, reason="Yes")
    assert stock(order) == (20, 4, 4)
    release.release_order(order=order, actor=TEAM)
    assert [line.quantity for line in shipments(order)[-1].lines.all()] == [4]
    assert list(audit_payments()) == []


def test_an_order_a_part_of_which_was_given_up_is_not_edited():
    method = factories.manual_method("invoice", ships_before_payment=True)
    order, (one,) = parts(2, make=factories.placed_order, method=method)
    cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY)
    wanted = Wanted(quantities={order.lines.get().pk: 1})
    assert refused(lambda: editing.apply_edit(order=order, actor=TEAM, wanted=wanted)).code == "given_up"


def test_a_shipment_is_split_and_the_worse_half_given_up():
    order, (one,) = parts(6)
    line = order.lines.get().pk
    split_shipment(order=order, shipment=one.pk, quantities={line: 1}, actor=TEAM)
    cancel_shipment(order=order, shipment=shipments(order)[1].pk, keep=False, **WHY)
    assert (state(order), stock(order)) == (("released", False), (20, 5, 5))
    send(order, one)
    assert (state(order), stock(order)) == (("dispatched", False), (15, 0, 0))


def test_goods_whose_stock_is_not_counted_are_given_up_too():
    product = factories.product()
    product.product_class.track_stock = False
    product.product_class.save()
    order = factories.paid_order(lines=[(product, 3), (factories.product(), 1)], currency="CHF")
    mug = order.lines.get(product=product).pk
    release.release_order(order=order, actor=TEAM)
    split_shipment(order=order, shipment=shipments(order)[0].pk, quantities={mug: 3}, actor=TEAM)
    cancel_shipment(order=order, shipment=shipments(order)[1].pk, keep=False, **WHY)
    assert state(order) == ("released", False)


def test_an_order_at_which_nothing_came_in_by_the_ledger_has_its_total():
    """Approved before there was a ledger."""
    order, (one, _two) = parts(2, 4)
    order.sources.all().delete()
    OrderFulfillment.objects.update(has_money=False)
    cancel_shipment(order=order, shipment=one.pk, keep=False, **WHY)
    assert fulfillment(order).problem == "refund_due"
    assert FollowUp.objects.get().data["difference"] == "20.00"


def test_a_carrier_that_takes_no_orders_hinders_nothing():
    with fake_carriers(fake={"able": [Capability.TRACK]}):
        order, (one, _two) = parts(2, 4)
        cancel_shipment(order=order, shipment=one.pk, keep=True, **WHY)
        assert not OutboundMessage.objects.filter(destination="carriers:fake").exists()
