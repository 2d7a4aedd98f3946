"""The order pipeline through its services: statuses, stock, history, Oscar's own records, mails."""

import pytest
from oscar.core.loading import get_model

from oscar_fulfillment.core import history
from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import Invoice, OrderFulfillment, OutboundMessage, Shipment, StatusChange
from oscar_fulfillment.services import cancelling, holds, invoicing, notes, payments, release, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

pytestmark = pytest.mark.django_db


def statuses(order):
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


def stock_of(order):
    record = order.lines.first().stockrecord
    record.refresh_from_db()
    return record.num_in_stock, record.num_allocated


def codes(error):
    return [reason.code for reason in error.value.reasons]


@pytest.mark.feature("A2")
def test_a_new_order_awaits_payment_and_is_received(order):
    assert statuses(order) == ("awaiting_payment", "received")
    assert [(c.machine, c.action, c.actor_kind) for c in order.fulfillment.history.all()] == [
        ("order", "place", "customer")
    ]


@pytest.mark.feature("Z1")
def test_a_brazilian_order_goes_from_the_checkout_to_delivered(order, team):
    assert stock_of(order) == (20, 2)
    payments.approve_payment(order=order, actor=team)
    assert statuses(order) == ("paid", "received")
    release.release_order(order=order, actor=team)
    assert statuses(order) == ("paid", "released")
    assert order.status == "In process"
    invoicing.invoice_order(order=order, actor=team, access_key=make_key(number=1234, series=1))
    assert statuses(order) == ("paid", "invoiced")
    shipping.dispatch_order(order=order, actor=team, carrier="correios", tracking_code="AA123456785BR")
    assert statuses(order) == ("paid", "dispatched")
    assert stock_of(order) == (18, 0)
    assert order.status == "Sent"
    shipping.deliver_order(order=order, actor=team)
    assert statuses(order) == ("paid", "delivered")
    order.refresh_from_db()
    assert order.status == "Completed"
    assert [c.action for c in order.fulfillment.history.order_by("sequence")] == [
        "place", "approve_payment", "release", "invoice", "dispatch", "deliver",
    ]  # fmt: skip
    assert list(history.verify(OrderFulfillment, StatusChange)) == []
    assert [e.event_type.name for e in order.shipping_events.order_by("pk")] == ["Dispatched", "Delivered"]
    assert order.payment_events.get().amount == order.total_incl_tax
    assert list(order.status_changes.order_by("pk").values_list("new_status", flat=True)) == [
        "In process", "Sent", "Completed",
    ]  # fmt: skip


@pytest.mark.feature("Z1", "D18")
def test_a_standard_order_has_no_invoice_step(team):
    order = factories.dispatched_order(currency="CHF")
    assert statuses(order) == ("paid", "dispatched")
    with pytest.raises(TransitionNotAllowed) as error:
        invoicing.invoice_order(order=order, actor=team, kind="none")
    assert codes(error) == ["not_in_flow"]


@pytest.mark.feature("A6")
def test_cancelling_frees_the_stock_and_cancels_the_payment(order, team):
    cancelling.cancel_order(order=order, actor=team, reason="Changed her mind")
    assert statuses(order) == ("cancelled", "cancelled")
    assert stock_of(order) == (20, 0)
    line = order.lines.get()
    assert (line.num_allocated, line.allocation_cancelled) == (0, True)
    assert {(c.machine, c.action) for c in order.fulfillment.history.all()} >= {
        ("shipping", "cancel"), ("payment", "cancel_payment"),
    }  # fmt: skip
    with pytest.raises(TransitionNotAllowed):
        cancelling.cancel_order(order=order, actor=team, reason="again")
    assert stock_of(order) == (20, 0)


def test_cancelling_a_paid_order_shows_that_a_refund_is_due(team):
    order = factories.released_order()
    cancelling.cancel_order(order=order, actor=team, reason="Broken")
    assert statuses(order) == ("paid", "cancelled")
    assert OrderFulfillment.objects.get(pk=order.pk).problem == "refund_due"
    assert not Shipment.objects.filter(status="pending").exists()


@pytest.mark.feature("A7")
def test_release_answers_line_by_line_and_can_go_ahead_in_part(team):
    mug, plate = factories.product("Mug", stock=5), factories.product("Plate", stock=5)
    order = factories.paid_order(lines=[(mug, 2), (plate, 4)])
    plate.stockrecords.update(num_in_stock=1)
    answers = {a.line.title: (a.asked, a.reserved, a.free, a.missing) for a in release.preview_release(order)}
    assert answers == {"Mug": (2, 2, 3, 0), "Plate": (4, 4, 0, 3)}
    with pytest.raises(TransitionNotAllowed) as error:
        release.release_order(order=order, actor=team)
    assert codes(error) == ["short"]
    assert "Plate (3 missing)" in str(error.value)
    assert statuses(order) == ("paid", "received")
    release.release_order(order=order, actor=team, in_part=True)
    assert statuses(order) == ("paid", "released")
    assert OrderFulfillment.objects.get(pk=order.pk).has_backorder
    invoicing.invoice_order(order=order, actor=team, kind="none")
    shipping.dispatch_order(order=order, actor=team)
    assert statuses(order) == ("paid", "partially_dispatched")
    plate.stockrecords.update(num_in_stock=10)
    release.release_order(order=order, actor=team)
    assert statuses(order) == ("paid", "partially_dispatched")
    with pytest.raises(TransitionNotAllowed) as error:
        shipping.dispatch_order(order=order, actor=team)
    assert codes(error) == ["not_invoiced"]
    invoicing.invoice_order(order=order, actor=team, kind="none")
    shipping.dispatch_order(order=order, actor=team)
    assert statuses(order) == ("paid", "dispatched")
    shipping.deliver_order(order=order, actor=team)
    assert statuses(order) == ("paid", "delivered")
    assert order.fulfillment.shipments.count() == 2
    plate_record = plate.stockrecords.get()
    assert (plate_record.num_in_stock, plate_record.num_allocated) == (7, 0)


def test_goods_promised_to_an_earlier_release_are_missing_for_the_next(team):
    mug = factories.product("Mug", stock=5)
    first, second = (factories.paid_order(lines=[(mug, 3)]) for _ in range(2))
    mug.stockrecords.update(num_in_stock=4)
    release.release_order(order=first, actor=team)
    assert release.preview_release(second)[0].missing == 2
    with pytest.raises(TransitionNotAllowed):
        release.release_order(order=second, actor=team)


def test_wrong_quantities_and_foreign_lines_are_refused(team):
    order, other = factories.paid_order(), factories.paid_order()
    line, foreign = order.lines.get(), other.lines.get()
    for quantities in ({line.pk: 3}, {line.pk: -1}, {foreign.pk: 1}):
        with pytest.raises(InvalidInput):
            release.release_order(order=order, actor=team, quantities=quantities)
    with pytest.raises(TransitionNotAllowed):
        release.release_order(order=order, actor=team, quantities={line.pk: 0})
    assert statuses(order) == ("paid", "received")
    assert Shipment.objects.count() == 0


@pytest.mark.feature("A4")
def test_goods_do_not_leave_before_the_payment_is_approved(order, team):
    with pytest.raises(TransitionNotAllowed) as error:
        release.release_order(order=order, actor=team)
    assert codes(error) == ["not_paid"]
    assert error.value.reasons[0].remedy == "Approve the payment"


@pytest.mark.feature("A9")
def test_series_and_number_come_from_the_key_and_must_agree(team):
    order = factories.released_order()
    key = make_key(number=77, series=3)
    with pytest.raises(InvalidInput) as error:
        invoicing.invoice_order(order=order, actor=team, access_key=key, number="78", series="3")
    assert "number" in error.value.errors
    invoicing.invoice_order(order=order, actor=team, access_key=key)
    invoice = Invoice.objects.get()
    assert (invoice.kind, invoice.number, invoice.series, invoice.access_key) == ("nfe", "77", "3", key)


@pytest.mark.feature("A9")
def test_a_key_belongs_to_one_order(team):
    first, second = factories.released_order(), factories.released_order()
    key = make_key(number=77)
    invoicing.invoice_order(order=first, actor=team, access_key=key)
    with pytest.raises(InvalidInput) as error:
        invoicing.invoice_order(order=second, actor=team, access_key=key)
    assert first.number in str(error.value)
    assert statuses(second) == ("paid", "released")
    invoicing.cancel_invoice(order=first, actor=team, reason="Wrong order")
    assert statuses(first) == ("paid", "released")
    invoicing.invoice_order(order=second, actor=team, access_key=key)
    assert statuses(second) == ("paid", "invoiced")


@pytest.mark.feature("A11")
@pytest.mark.parametrize("typed", [{"kind": "none"}, {"access_key": "0" * 44, "number": "0", "series": "000"}])
def test_no_fiscal_document_is_an_explicit_choice_and_zeros_mean_it(typed, team):
    order = factories.released_order()
    invoicing.invoice_order(order=order, actor=team, **typed)
    assert Invoice.objects.get().is_none
    assert statuses(order) == ("paid", "invoiced")


@pytest.mark.parametrize("typed", [{"access_key": ""}, {"access_key": "1" * 44}, {"access_key": "0" * 44, "number": "5"},
                                   {"kind": "else"}, {"kind": "other"}])  # fmt: skip
def test_a_wrong_invoice_changes_nothing(typed, team):
    order = factories.released_order()
    with pytest.raises(InvalidInput):
        invoicing.invoice_order(order=order, actor=team, **typed)
    assert statuses(order) == ("paid", "released")
    assert not Invoice.objects.exists()


@pytest.mark.feature("A12")
@pytest.mark.parametrize(
    ("carrier", "code"), [("nobody", "AA123456785BR"), ("correios", "AA123456780BR"), ("other", "<script>"), ("", "X1")]
)
def test_unknown_carriers_and_hostile_codes_are_refused(carrier, code, team):
    order = factories.invoiced_order()
    with pytest.raises(InvalidInput):
        shipping.dispatch_order(order=order, actor=team, carrier=carrier, tracking_code=code)
    assert statuses(order) == ("paid", "invoiced")


@pytest.mark.feature("Z3")
def test_a_stale_form_is_refused_and_told_who_changed_what(order, team):
    seen = order.fulfillment.version
    ana = factories.Actor.from_user(factories.staff_user(first_name="Ana"))
    payments.approve_payment(order=order, actor=ana, expected_version=seen)
    with pytest.raises(StaleVersion) as error:
        cancelling.cancel_order(order=order, actor=team, reason="x", expected_version=seen)
    assert (error.value.change.action, error.value.change.actor_label) == ("approve_payment", "Ana")
    assert statuses(order) == ("paid", "received")


def test_a_note_does_not_make_a_form_stale(order, team):
    seen = order.fulfillment.version
    notes.add_note(order=order, actor=team, text="Called her")
    payments.approve_payment(order=order, actor=team, expected_version=seen)
    assert statuses(order) == ("paid", "received")


@pytest.mark.feature("Z3")
def test_the_same_key_twice_returns_the_first_result(order, team):
    first = payments.approve_payment(order=order, actor=team, key="k1", expected_version=1)
    again = payments.approve_payment(order=order, actor=team, key="k1", expected_version=1)
    assert first.sequence == again.sequence == 2
    assert order.payment_events.count() == 1
    note = notes.add_note(order=order, actor=team, text="Hi", key="k2")
    assert notes.add_note(order=order, actor=team, text="Hi", key="k2").sequence == note.sequence
    assert order.notes.count() == 1


@pytest.mark.feature("Z1")
def test_any_open_hold_stops_the_goods_until_the_last_is_released(team):
    order = factories.paid_order()
    holds.place_hold(order=order, actor=team, code="address", note="No house number")
    holds.place_hold(order=order, actor=team, code="fraud")
    with pytest.raises(TransitionNotAllowed) as error:
        holds.place_hold(order=order, actor=team, code="fraud")
    assert codes(error) == ["held_already"]
    for hold in order.fulfillment.holds.all():
        with pytest.raises(TransitionNotAllowed) as error:
            release.release_order(order=order, actor=team)
        assert codes(error) == ["on_hold"]
        holds.release_hold(order=order, actor=team, hold=hold.pk)
    release.release_order(order=order, actor=team)
    assert statuses(order) == ("paid", "released")


@pytest.mark.feature("Z4")
def test_a_changed_row_breaks_the_chain(order, team):
    from django.db import connection

    payments.approve_payment(order=order, actor=team)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE oscar_fulfillment_statuschange SET reason = 'forged' WHERE sequence = 1")
    flaws = list(history.verify(OrderFulfillment, StatusChange))
    assert [(f.sequence, f.problem) for f in flaws] == [(1, "the row was changed")]


@pytest.mark.feature("E4")
def test_mails_of_every_step_wait_in_the_outbox(team):
    factories.delivered_order()
    kinds = OutboundMessage.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == [
        "ORDER_PLACED", "FULFILLMENT_OPERATOR_NEW_ORDER", "FULFILLMENT_PAYMENT_APPROVED",
        "FULFILLMENT_ORDER_CONFIRMED", "FULFILLMENT_ORDER_DISPATCHED", "FULFILLMENT_ORDER_DELIVERED",
    ]  # fmt: skip


def test_returned_goods_are_counted_again(team):
    order = factories.delivered_order()
    shipping.return_order(order=order, actor=team, reason="Refused at the door")
    assert statuses(order) == ("paid", "returned")
    assert stock_of(order) == (20, 0)


def test_an_order_of_the_provider_is_not_approved_by_hand_without_a_reason():
    order = factories.placed_order(method=factories.gateway_method())
    ana = factories.Actor.from_user(factories.staff_user())
    with pytest.raises(TransitionNotAllowed) as error:
        payments.approve_payment(order=order, actor=ana)
    assert codes(error) == ["run_by_provider"]
    with pytest.raises(InvalidInput):
        payments.approve_payment(order=order, actor=ana, override=True)
    payments.approve_payment(order=order, actor=ana, override=True, reason="Seen on the statement")
    change = order.fulfillment.history.first()
    assert (change.reason, change.data["override"]) == ("Seen on the statement", True)


def test_oscars_set_status_goes_through_our_door():
    order = factories.released_order(currency="CHF")
    fresh = get_model("order", "Order").objects.get(pk=order.pk)
    fresh.set_status("Sent")
    assert statuses(order) == ("paid", "dispatched")
    assert stock_of(order) == (18, 0)
    with pytest.raises(TransitionNotAllowed):
        fresh.set_status("Cancelled")


def test_a_part_of_a_shipment_can_leave_first(team):
    order = factories.invoiced_order(lines=[(factories.product(stock=9), 3)])
    line = order.lines.get()
    shipping.dispatch_order(order=order, actor=team, quantities={line.pk: 1})
    assert statuses(order) == ("paid", "partially_dispatched")
    assert stock_of(order) == (8, 2)
    shipping.dispatch_order(order=order, actor=team)
    assert statuses(order) == ("paid", "dispatched")
    assert stock_of(order) == (6, 0)
