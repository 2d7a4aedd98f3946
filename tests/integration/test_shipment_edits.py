"""Shipments that are still here: divided, put together, with their boxes and documents. Z6."""

import pytest

from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import CarrierOrder, OrderFulfillment, Parcel, ParcelLine, Return, Shipment
from oscar_fulfillment.services import cancelling, carrier_orders, invoicing, parcels, release, shipping
from oscar_fulfillment.services.shipment_edits import merge_shipments, split_shipment
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from .parcels import fake_carriers

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z6")]
TEAM = factories.TEAM


def units(shipment):
    return dict(shipment.lines.values_list("line_id", "quantity"))


def status(order):
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


def shipments(order):
    return list(Shipment.objects.filter(fulfillment=order.pk).order_by("number"))


def three_lines(**options):
    """An order of three lines (5, 3 and 1), released as a whole, and the pks of its lines."""
    lines = [(factories.product(title), count) for title, count in (("Mug", 5), ("Plate", 3), ("Bowl", 1))]
    order = factories.released_order(lines=lines, currency="CHF", **options)
    return order, list(order.lines.order_by("pk").values_list("pk", flat=True))


def allocated(order):
    return list(order.lines.order_by("pk").values_list("num_allocated", flat=True))


def test_a_part_of_a_shipment_goes_into_one_of_its_own():
    order, (mug, plate, bowl) = three_lines()
    (whole,) = shipments(order)
    change = split_shipment(order=order, shipment=whole.pk, quantities={mug: 2, bowl: 1, plate: 0}, actor=TEAM)
    first, second = shipments(order)
    assert (units(first), units(second)) == ({mug: 3, plate: 3}, {mug: 2, bowl: 1})
    assert (second.number, second.status, second.invoice_id) == (2, "pending", None)
    assert (change.action, change.data["shipments"]) == ("split_shipment", [first.pk, second.pk])
    assert change.data["lines"] == {str(mug): 2, str(bowl): 1}
    assert (status(order), allocated(order)) == ("released", [5, 3, 1])


def test_both_parts_have_the_fiscal_document_of_the_whole():
    order = factories.invoiced_order(lines=[(factories.product(), 4)])
    (whole,) = shipments(order)
    split_shipment(order=order, shipment=whole.pk, quantities={order.lines.get().pk: 1}, actor=TEAM)
    first, second = shipments(order)
    assert first.invoice_id == second.invoice_id is not None
    assert status(order) == "invoiced"
    shipping.dispatch_order(order=order, actor=TEAM, shipment=second.pk)
    assert status(order) == "partially_dispatched"


@pytest.mark.parametrize(
    ("wanted", "field", "says"),
    [
        ({}, "quantities", "Choose what goes"),
        ({0: 0}, "quantities", "Choose what goes"),
        ({0: 5, 1: 3, 2: 1}, "quantities", "Leave something"),
        ({0: 6}, "line_0", "Choose between 0 and 5."),
        ({0: -1}, "line_0", "Choose between 0 and 5."),
        ({0: 2**31}, "line_0", "Choose between 0 and 5."),
        ({None: 1}, "line_None", "This is not in the shipment."),
    ],
)
def test_a_split_that_makes_no_sense_changes_nothing(wanted, field, says):
    order, lines = three_lines()
    foreign = factories.placed_order().lines.get().pk
    quantities = {foreign if place is None else lines[place]: count for place, count in wanted.items()}
    (whole,) = shipments(order)
    with pytest.raises(InvalidInput) as error:
        split_shipment(order=order, shipment=whole.pk, quantities=quantities, actor=TEAM)
    (name, (message,)) = next(iter(error.value.errors.items()))
    expected = {"line_0": f"line_{lines[0]}", "line_None": f"line_{foreign}"}.get(field, field)
    assert (name, says in str(message)) == (expected, True)
    assert units(whole) == dict(zip(lines, [5, 3, 1], strict=True))
    assert len(shipments(order)) == 1


def test_units_that_are_packed_stay_where_their_box_is():
    order, (mug, plate, _bowl) = three_lines()
    (whole,) = shipments(order)
    box = Parcel.objects.create(shipment=whole, number=1)
    gone = Parcel.objects.create(shipment=whole, number=2, status="cancelled")
    ParcelLine.objects.create(parcel=box, line_id=mug, quantity=4)
    ParcelLine.objects.create(parcel=gone, line_id=plate, quantity=3)
    with pytest.raises(InvalidInput) as error:
        split_shipment(order=order, shipment=whole.pk, quantities={mug: 2}, actor=TEAM)
    assert "At most 1" in str(error.value.errors[f"line_{mug}"][0])
    split_shipment(order=order, shipment=whole.pk, quantities={mug: 1, plate: 3}, actor=TEAM)
    first, _second = shipments(order)
    assert list(first.parcels.all()) == [box, gone]


def test_what_has_left_is_neither_divided_nor_put_together():
    order, (mug, *_rest) = three_lines()
    (whole,) = shipments(order)
    split_shipment(order=order, shipment=whole.pk, quantities={mug: 1}, actor=TEAM)
    first, second = shipments(order)
    shipping.dispatch_order(order=order, actor=TEAM, shipment=first.pk)
    for attempt in (
        lambda: split_shipment(order=order, shipment=first.pk, quantities={mug: 1}, actor=TEAM),
        lambda: merge_shipments(order=order, shipments=[first.pk, second.pk], actor=TEAM),
    ):
        with pytest.raises(TransitionNotAllowed) as error:
            attempt()
        assert [reason.code for reason in error.value.reasons] == ["not_pending"]


def test_another_orders_shipment_is_not_found():
    order, (mug, *_rest) = three_lines()
    other, _lines = three_lines()
    theirs, mine = shipments(other)[0].pk, shipments(order)[0].pk
    for attempt in (
        lambda: split_shipment(order=order, shipment=theirs, quantities={mug: 1}, actor=TEAM),
        lambda: merge_shipments(order=order, shipments=[theirs, mine], actor=TEAM),
    ):
        with pytest.raises(TransitionNotAllowed):
            attempt()
    assert [units(s) for s in shipments(other)] == [dict(zip(_lines, [5, 3, 1], strict=True))]


def test_a_form_sent_twice_splits_once_and_a_stale_one_not_at_all():
    order, (mug, *_rest) = three_lines()
    (whole,) = shipments(order)
    seen = order.fulfillment.version
    options = {"order": order, "shipment": whole.pk, "quantities": {mug: 1}, "actor": TEAM}
    first = split_shipment(**options, key="click")
    assert split_shipment(**options, key="click").sequence == first.sequence
    assert len(shipments(order)) == 2
    with pytest.raises(StaleVersion):
        split_shipment(**options, expected_version=seen)
    assert len(shipments(order)) == 2


def test_shipments_are_put_together_with_their_boxes():
    order, (mug, plate, bowl) = three_lines()
    (whole,) = shipments(order)
    split_shipment(order=order, shipment=whole.pk, quantities={mug: 2}, actor=TEAM)
    split_shipment(order=order, shipment=whole.pk, quantities={mug: 1, plate: 1}, actor=TEAM)
    first, second, third = shipments(order)
    parcels.change_parcels(
        order=order, shipment=first.pk, actor=TEAM, parcels=[{"carrier": "other", "tracking_code": "A1"}]
    )
    parcels.change_parcels(
        order=order, shipment=third.pk, actor=TEAM,
        parcels=[{"carrier": "other", "tracking_code": "C1"}, {"carrier": "other", "tracking_code": "C2"}],
    )  # fmt: skip
    change = merge_shipments(order=order, shipments=[third.pk, first.pk, second.pk, first.pk], actor=TEAM)
    merged, *emptied = shipments(order)
    assert units(merged) == {mug: 5, plate: 3, bowl: 1}
    assert [(box.number, box.tracking_code) for box in merged.parcels.all()] == [(1, "A1"), (2, "C1"), (3, "C2")]
    assert [(s.status, s.is_dropped, units(s)) for s in emptied] == [("cancelled", False, {})] * 2
    assert change.data == {"shipments": [first.pk, second.pk, third.pk], "into": first.pk}
    assert (status(order), allocated(order)) == ("released", [5, 3, 1])
    # Nothing is lost, and nothing waits: the whole goes out at once.
    shipping.dispatch_order(order=order, actor=TEAM, shipment=merged.pk)
    assert (status(order), allocated(order)) == ("dispatched", [0, 0, 0])


@pytest.mark.parametrize("chosen", [[], [1], [1, 1]])
def test_one_shipment_cannot_be_put_together(chosen):
    order, _lines = three_lines()
    with pytest.raises(InvalidInput) as error:
        merge_shipments(order=order, shipments=[shipments(order)[0].pk for _each in chosen], actor=TEAM)
    assert list(error.value.errors) == ["shipments"]


def test_shipments_of_different_documents_stay_apart():
    order = factories.paid_order(lines=[(factories.product(), 3)])
    line = order.lines.get().pk
    for count in range(3):
        release.release_order(order=order, actor=TEAM, quantities={line: 1})
        if count < 2:
            invoicing.invoice_order(order=order, actor=TEAM, access_key=make_key(number=count + 1))
    first, second, third = (shipment.pk for shipment in shipments(order))
    for pair in ([first, second], [second, third]):
        with pytest.raises(TransitionNotAllowed) as error:
            merge_shipments(order=order, shipments=pair, actor=TEAM)
        assert error.value.reasons[0].code == "other_invoice"
    assert status(order) == "partially_invoiced"


def test_a_replacement_is_not_put_together_with_what_was_ordered_and_its_parts_stay_replacements():
    order, (mug, *_rest) = three_lines()
    (whole,) = shipments(order)
    split_shipment(order=order, shipment=whole.pk, quantities={mug: 2}, actor=TEAM)
    first, second = shipments(order)
    ret = Return.objects.create(fulfillment=order.fulfillment, number=1, created_at=order.date_placed)
    Shipment.objects.filter(pk=second.pk).update(replaces=ret)
    with pytest.raises(TransitionNotAllowed) as error:
        merge_shipments(order=order, shipments=[first.pk, second.pk], actor=TEAM)
    assert error.value.reasons[0].code == "other_return"
    split_shipment(order=order, shipment=second.pk, quantities={mug: 1}, actor=TEAM)
    assert [s.replaces_id for s in shipments(order)] == [None, ret.pk, ret.pk]
    # The same where a part of it leaves.
    Shipment.objects.filter(pk=first.pk).update(replaces=ret)
    shipping.dispatch_order(order=order, actor=TEAM, shipment=first.pk, quantities={mug: 1})
    assert {s.replaces_id for s in shipments(order)} == {ret.pk}


def test_goods_whose_carriage_is_ordered_stay_as_they_are():
    with fake_carriers():
        order, (mug, *_rest) = three_lines()
        (whole,) = shipments(order)
        split_shipment(order=order, shipment=whole.pk, quantities={mug: 1}, actor=TEAM)
        first, second = shipments(order)
        carrier_orders.request_carriage(order=order, shipment=second.pk, carrier="fake", actor=TEAM)
        for attempt in (
            lambda: split_shipment(order=order, shipment=second.pk, quantities={mug: 1}, actor=TEAM),
            lambda: merge_shipments(order=order, shipments=[first.pk, second.pk], actor=TEAM),
        ):
            with pytest.raises((TransitionNotAllowed, InvalidInput)) as error:
                attempt()
            assert error.value.reasons[0].code == "carriage_ordered"
        CarrierOrder.objects.update(status=CarrierOrder.REFUSED)
        merge_shipments(order=order, shipments=[first.pk, second.pk], actor=TEAM)
        assert CarrierOrder.objects.get().shipment_id == first.pk  # its history stays with the goods
        again = carrier_orders.request_carriage(order=order, shipment=first.pk, carrier="fake", actor=TEAM)
        assert CarrierOrder.objects.filter(reference=again.data["reference"]).count() == 1


def test_the_shipment_that_the_customer_may_collect_takes_the_others_in():
    order, (mug, *_rest) = three_lines()
    (whole,) = shipments(order)
    for _part in range(2):
        split_shipment(order=order, shipment=whole.pk, quantities={mug: 1}, actor=TEAM)
    first, second, third = shipments(order)
    Shipment.objects.filter(pk=second.pk).update(ready_at=order.date_placed, pickup_code="4711")
    merge_shipments(order=order, shipments=[first.pk, second.pk], actor=TEAM)
    second.refresh_from_db()
    assert (second.status, second.pickup_code, units(second)[mug]) == ("pending", "4711", 4)
    Shipment.objects.filter(pk=third.pk).update(ready_at=order.date_placed, pickup_code="4712")
    with pytest.raises(TransitionNotAllowed) as error:
        merge_shipments(order=order, shipments=[second.pk, third.pk], actor=TEAM)
    assert error.value.reasons[0].code == "ready_already"


def test_an_order_that_was_cancelled_has_nothing_to_divide():
    order, (mug, *_rest) = three_lines()
    cancelling.cancel_order(order=order, actor=TEAM, reason="No")
    with pytest.raises(TransitionNotAllowed):
        split_shipment(order=order, shipment=shipments(order)[0].pk, quantities={mug: 1}, actor=TEAM)
