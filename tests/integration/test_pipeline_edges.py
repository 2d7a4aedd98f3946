"""Corners of the pipeline where a service once did the wrong thing, or easily could."""

import pytest
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import FulfillmentError, InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.core.transitions import _LostRace
from oscar_fulfillment.models import Invoice, OrderFulfillment, Shipment, StatusChange
from oscar_fulfillment.services import door, holds, invoicing, notes, payments, release, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

pytestmark = pytest.mark.django_db


def shipping_status(order):
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


def units(shipment):
    return dict(shipment.lines.values_list("line_id", "quantity"))


def test_the_rest_can_be_released_after_the_first_part_was_delivered(team):
    order = factories.paid_order(lines=[(factories.product(), 3)], currency="CHF")
    line = order.lines.get()
    release.release_order(order=order, actor=team, quantities={line.pk: 1})
    shipping.dispatch_order(order=order, actor=team)
    shipping.deliver_order(order=order, actor=team)
    assert shipping_status(order) == "partially_dispatched"
    release.release_order(order=order, actor=team)
    assert shipping_status(order) == "partially_dispatched"
    shipping.dispatch_order(order=order, actor=team)
    shipping.deliver_order(order=order, actor=team)
    assert shipping_status(order) == "delivered"


def test_a_replayed_release_in_part_answers_with_the_first_result_though_less_is_left(team):
    order = factories.paid_order(lines=[(factories.product(), 3)])
    line = order.lines.get()
    first = release.release_order(order=order, actor=team, quantities={line.pk: 2}, key="k")
    again = release.release_order(order=order, actor=team, quantities={line.pk: 2}, key="k")
    assert again.sequence == first.sequence
    assert Shipment.objects.count() == 1


def test_a_key_is_good_for_one_step_only(order, team):
    payments.approve_payment(order=order, actor=team, key="k")
    with pytest.raises(FulfillmentError) as error:
        release.release_order(order=order, actor=team, key="k")
    assert "another step" in str(error.value)
    assert shipping_status(order) == "received"


@pytest.mark.parametrize("key", ["x" * 101, "x" * 10_000, "a\x00b", "\ud800"])
def test_a_key_that_no_column_takes_still_counts_once(order, team, key):
    first = payments.approve_payment(order=order, actor=team, key=key)
    assert payments.approve_payment(order=order, actor=team, key=key).sequence == first.sequence
    assert len(first.idempotency_key) <= 100


@pytest.mark.parametrize("text", ["a\x00b", "bell\x07", "half a pair \ud83d"])
def test_text_that_cannot_be_stored_is_refused(order, team, text):
    with pytest.raises(InvalidInput):
        notes.add_note(order=order, actor=team, text=text)


def test_parts_of_two_invoices_leave_each_with_its_own(team):
    order = factories.paid_order(lines=[(factories.product(stock=9), 6)])
    line = order.lines.get()
    release.release_order(order=order, actor=team, quantities={line.pk: 3})
    invoicing.invoice_order(order=order, actor=team, access_key=make_key(number=1))
    release.release_order(order=order, actor=team)
    invoicing.invoice_order(order=order, actor=team, access_key=make_key(number=2))
    shipping.dispatch_order(order=order, actor=team, quantities={line.pk: 4})
    first, second = Invoice.objects.order_by("pk")
    found = [(s.status, s.invoice_id, units(s)) for s in Shipment.objects.order_by("number")]
    assert found == [
        ("dispatched", first.pk, {line.pk: 3}),
        ("dispatched", second.pk, {line.pk: 1}),
        ("pending", second.pk, {line.pk: 2}),
    ]


@pytest.mark.parametrize("wanted", [{}, {"own": 0}, {"own": -1}, {"own": 4}, {"own": 1, "foreign": 1}, {"foreign": 1}])
def test_what_does_not_wait_cannot_leave(team, wanted):
    order = factories.invoiced_order(lines=[(factories.product(), 3)])
    pks = {"own": order.lines.get().pk, "foreign": factories.placed_order().lines.get().pk}
    with pytest.raises(TransitionNotAllowed):
        shipping.dispatch_order(order=order, actor=team, quantities={pks[name]: qty for name, qty in wanted.items()})
    assert [(s.status, sum(units(s).values())) for s in Shipment.objects.all()] == [("pending", 3)]


def test_an_order_refused_in_a_batch_keeps_its_shipments_whole(team):
    mug = factories.product(stock=9)
    orders = [factories.released_order(lines=[(mug, 3)], currency="CHF") for _ in range(2)]
    mug.stockrecords.update(num_in_stock=2)
    wanted = {order.lines.get().pk: 2 for order in orders}
    context = {"parcels": [], "quantities": wanted}
    steps = door.move_many(
        [o.pk for o in orders], shipping.DISPATCH, actor=team, effect=shipping.dispatch_effect, context=context
    )
    assert [[r.code for r in s.reasons] for s in steps] == [["short"], ["short"]]
    assert Shipment.objects.filter(status="pending").count() == 2


def test_a_note_between_read_and_write_does_not_refuse_a_step(order, team, monkeypatch):
    """Without a lock the compare-and-set notices it; the step is then asked again, and done."""
    original, once = payments.approve_effect, []

    def slow(steps):
        if not once:
            once.append(1)
            OrderFulfillment.objects.filter(pk=order.pk).update(version=7)
        original(steps)

    monkeypatch.setattr(payments, "approve_effect", slow)
    # The rival's version stays (it is inside our own roll-back here, so it is gone when asked again).
    payments.approve_payment(order=order, actor=team)
    assert OrderFulfillment.objects.get(pk=order.pk).payment_status == "paid"
    assert order.payment_events.count() == 1


def test_whoever_loses_again_under_lock_is_told_that_it_is_stale(order, team, monkeypatch):
    def rival(steps):
        OrderFulfillment.objects.filter(pk=order.pk).update(version=7)

    monkeypatch.setattr(payments, "approve_effect", rival)
    with pytest.raises(StaleVersion) as error:
        payments.approve_payment(order=order, actor=team)
    assert isinstance(error.value, _LostRace)
    assert error.value.change.action == "place"
    assert OrderFulfillment.objects.get(pk=order.pk).version == 1


def test_oscars_status_is_mended_when_another_plugin_wrote_over_it(order, team):
    Order, Change = get_model("order", "Order"), get_model("order", "OrderStatusChange")
    payments.approve_payment(order=order, actor=team)
    Order.objects.filter(pk=order.pk).update(status="Completed")
    release.release_order(order=order, actor=team)
    assert Order.objects.get(pk=order.pk).status == "In process"
    assert list(Change.objects.values_list("old_status", "new_status")) == [("Completed", "In process")]


def test_an_order_object_read_long_ago_does_not_fool_the_projection(team):
    """PostgreSQL may hand us the joined order as it was before a wait for our row."""
    order = factories.paid_order(currency="CHF")
    release.release_order(order=order, actor=team)
    fulfillment = OrderFulfillment.objects.select_related("order").get(pk=order.pk)
    fulfillment.order.status = "Received"
    step = door.Step(fulfillment, [], team, None, {}, targets={"shipping": "released"})
    door._follow([step])
    assert get_model("order", "OrderStatusChange").objects.count() == 1
    assert fulfillment.order.status == "In process"


def test_two_holds_and_a_batch_of_unknown_orders(team):
    order = factories.paid_order()
    holds.place_hold(order=order, actor=team, code="fraud", key="h")
    assert holds.place_hold(order=order, actor=team, code="fraud", key="h").sequence == order.fulfillment.version
    steps = door.move_many([order.pk, 10**9], release.RELEASE, actor=team, effect=release.release_effect)
    assert [(s.subject.pk, [r.code for r in s.reasons]) for s in steps] == [(order.pk, ["on_hold"])]


def test_an_order_without_a_fulfillment_row_is_not_there(team):
    order = factories.placed_order()
    other = get_model("order", "Order").objects.create(number="old", total_incl_tax=1, total_excl_tax=1)
    assert order.pk != other.pk
    with pytest.raises(OrderFulfillment.DoesNotExist):
        payments.approve_payment(order=other, actor=team)
    assert StatusChange.objects.count() == 1
