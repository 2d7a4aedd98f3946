"""Returned goods are received: counted line by line, into the stock or not; shipments and statuses follow."""

import pytest
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import InvalidInput, StaleVersion, TransitionNotAllowed
from oscar_fulfillment.models import OrderFulfillment, Parcel, Return, Shipment
from oscar_fulfillment.services import inspecting, shipping
from oscar_fulfillment.services.audit import audit_payments
from oscar_fulfillment.services.shipments import resolve_shipping_status
from oscar_fulfillment.test import factories

from . import returns as do
from .returns import TEAM, actions, approved, ask, delivered, line, receive, stock_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D15")]


def test_good_units_go_into_the_stock_and_damaged_ones_do_not():
    order = delivered()
    assert stock_of(order) == (17, 0)
    pk = line(order).pk
    ret = inspecting.receive_return(
        ret=approved(order, 3), lines={pk: (2, 1, "Handle broken")}, actor=TEAM, note="Parcel was wet"
    )
    assert stock_of(order) == (19, 0)
    (row,) = ret.lines.all()
    assert (row.restocked, row.damaged, row.received, row.note) == (2, 1, 3, "Handle broken")
    assert (ret.status, ret.staff_note) == ("received", "Parcel was wet")
    assert ret.received_at is not None
    change = OrderFulfillment.objects.get(pk=order.pk).history.first()
    assert (change.action, change.from_status, change.to_status) == ("receive_return", "delivered", "returned")
    assert change.data == {
        "return": ret.pk, "return_number": 1, "lines": {str(pk): 3}, "damaged": 1,
        "shipments": [Shipment.objects.get().pk],
    }  # fmt: skip
    assert do.shipping_events(order) == [{"Mug": 3}]
    assert do.mails(order)[-1] == "RETURN_RECEIVED"


def test_a_part_comes_back_and_the_order_stays_what_it_is():
    order = delivered()
    receive(approved(order, 2), 1, 1)
    assert do.back(order) == [("delivered", 3, 2)]
    assert do.shipping(order) == "delivered"
    assert get_model("order", "Order").objects.get(pk=order.pk).status == "Completed"


def test_the_oldest_shipment_is_counted_first_and_is_returned_when_all_of_it_is_back():
    order = factories.released_order(currency="CHF", lines=[(factories.product("Mug"), 3)])
    for code, units in (("X-1", 2), ("X-2", 1)):
        shipping.dispatch_order(
            order=order, actor=TEAM, carrier="other", tracking_code=code, quantities={line(order).pk: units}
        )
        order.refresh_from_db()
    receive(approved(order, 1))
    assert do.back(order) == [("dispatched", 2, 1), ("dispatched", 1, 0)]
    receive(approved(order, 1))
    assert do.back(order) == [("returned", 2, 2), ("dispatched", 1, 0)]
    assert do.shipping(order) == "dispatched"
    assert dict(Parcel.objects.values_list("tracking_code", "status")) == {"X-1": "returned", "X-2": "dispatched"}
    receive(approved(order, 1))
    assert do.shipping(order) == "returned"
    assert set(Parcel.objects.values_list("status", flat=True)) == {"returned"}


def test_a_shipment_with_another_article_out_there_is_not_returned():
    order = delivered(("Mug", "10.00", 1), ("Plate", "5.00", 1))
    receive(approved(order))
    assert {status for status, *_units in do.back(order)} == {"delivered"}
    do.receive(approved(order, title="Plate"), title="Plate")
    assert do.shipping(order) == "returned"


@pytest.mark.parametrize(
    ("statuses", "has_backorder", "expected"),
    [
        (["returned"], False, "returned"),
        (["returned"], True, "partially_dispatched"),
        (["returned", "returned"], False, "returned"),
        (["returned", "delivered"], False, "delivered"),
        (["returned", "dispatched"], False, "dispatched"),
        (["returned", "pending"], False, "partially_dispatched"),
        (["returned", "cancelled"], False, "returned"),
        (["delivered", "pending"], True, "partially_dispatched"),
        (["pending"], False, "as it was"),
        ([], False, "as it was"),
    ],
)
def test_the_orders_status_is_resolved_from_its_shipments(statuses, has_backorder, expected):
    assert resolve_shipping_status(statuses, has_backorder=has_backorder, pending="as it was") == expected


def test_less_than_announced_is_fine():
    order = delivered()
    ret = receive(approved(order, 3), 1)
    assert (ret.status, ret.lines.get().received) == ("received", 1)
    assert do.back(order) == [("delivered", 3, 1)]


def everything():
    names = [("order", "Line"), ("order", "ShippingEvent"), ("partner", "StockRecord"), ("order", "Order")]
    models = [get_model(*name) for name in names] + [OrderFulfillment, Return, Shipment]
    return [list(model.objects.order_by("pk").values()) for model in models]


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ((2, 1, ""), "“Mug”: 3 received, but 2 announced. Open another return for the others."),
        ((3, 0, ""), "3 received, but 2 announced"),
        ((2**40, 0, ""), "but 2 announced"),
        ((0, 0, ""), "at least one unit"),
        ((-1, 2, ""), "Enter a number of units"),
        ((1, -1, ""), "Enter a number of units"),
        ((1, 0, "x" * 501), "At most 500 characters"),
        ((1, 0, "bell \x07"), "cannot be stored"),
    ],
)
def test_what_cannot_have_come_is_refused_and_nothing_is_written(units, words):
    order = delivered()
    ret = approved(order, 2)
    before = everything()
    with pytest.raises(InvalidInput) as error:
        inspecting.receive_return(ret=ret, lines={line(order).pk: units}, actor=TEAM)
    assert words in str(error.value)
    assert everything() == before


def test_an_article_that_was_not_announced_is_refused():
    order, other = delivered(("Mug", "10.00", 1), ("Plate", "5.00", 1)), delivered()
    ret = approved(order)
    for foreign in (line(order, "Plate").pk, line(other).pk):
        with pytest.raises(InvalidInput) as error:
            inspecting.receive_return(ret=ret, lines={foreign: (1, 0, "")}, actor=TEAM)
        assert "1 received, but 0 announced" in str(error.value)
    nothing_of_it = {line(order).pk: (1, 0, ""), line(order, "Plate").pk: (0, 0, "not in the parcel")}
    assert inspecting.receive_return(ret=ret, lines=nothing_of_it, actor=TEAM).status == "received"


def test_a_return_is_received_once_also_by_a_form_sent_twice():
    order = delivered()
    ret = approved(order)
    first = receive(ret, key="form-1")
    assert receive(ret, key="form-1") == first
    assert stock_of(order) == (18, 0)
    with pytest.raises(TransitionNotAllowed, match="Received and inspected"):
        receive(ret)
    assert stock_of(order) == (18, 0)


def test_a_stale_form_receives_nothing():
    order = delivered()
    ret, seen = approved(order), OrderFulfillment.objects.get(pk=order.pk).version
    ask(order)
    with pytest.raises(StaleVersion):
        receive(ret, expected_version=seen)
    assert stock_of(order) == (17, 0)


def test_a_parcel_that_simply_arrives_is_a_return_of_its_own():
    order = delivered()
    pk = line(order).pk
    given = {"order": order, "lines": {pk: (1, 1, "Scratched")}, "actor": TEAM, "reasons": {pk: "wrong_size"}}
    ret = inspecting.receive_unannounced(**given, note="No slip inside", key="form-1")
    assert inspecting.receive_unannounced(**given, key="form-1") == ret
    (row,) = ret.lines.all()
    assert (ret.status, ret.by_customer, row.quantity, row.received, row.reason) == (
        "received", False, 2, 2, "wrong_size",
    )  # fmt: skip
    assert (stock_of(order), do.back(order)) == ((18, 0), [("delivered", 3, 2)])
    assert actions(order)[-1] == "receive_return"


@pytest.mark.parametrize("units", [(4, 0, ""), (0, 0, "")])
def test_a_parcel_cannot_bring_more_than_was_sent(units):
    order = delivered()
    with pytest.raises(InvalidInput):
        inspecting.receive_unannounced(order=order, lines={line(order).pk: units}, actor=TEAM)
    assert not Return.objects.exists()


def test_an_unannounced_parcel_takes_no_units_of_an_open_return():
    order = delivered()
    approved(order, 2)
    with pytest.raises(InvalidInput, match="At most 1"):
        inspecting.receive_unannounced(order=order, lines={line(order).pk: (2, 0, "")}, actor=TEAM)


def test_goods_whose_stock_is_not_counted_come_back_all_the_same():
    product = factories.product("Mug")
    order = factories.delivered_order(currency="CHF", lines=[(product, 2)])
    product.product_class.track_stock = False
    product.product_class.save()
    before = stock_of(order)
    assert do.received(order, 2).status == "received"
    assert stock_of(order) == before
    assert do.shipping(order) == "returned"


def test_a_line_whose_stock_record_is_gone_comes_back_all_the_same():
    order = delivered()
    line(order).stockrecord.delete()
    assert do.received(order, 3).status == "received"
    assert do.shipping(order) == "returned"


def test_a_flow_without_the_step_says_so(settings):
    settings.OSCAR_FULFILLMENT = {
        **settings.OSCAR_FULFILLMENT,
        "FLOWS": {"PLUGIN": "tests.plugin.flow.FLOW", "NONE": {"WITHOUT": ["receive_return", "send_replacement"]}},
    }
    order = delivered(fulfillment={"flow": "NONE"})
    ret = approved(order)
    with pytest.raises(TransitionNotAllowed, match="receive_return"):
        receive(ret)


def test_the_books_agree_after_a_return_and_its_replacement():
    order = delivered()
    do.settle(do.received(order, 1, 1), "exchange")
    assert list(audit_payments()) == []
    order.refresh_from_db()
    shipping.dispatch_order(order=order, actor=TEAM)
    assert list(audit_payments()) == []
    do.settle(do.received(order, 1), amount="10.00")
    assert list(audit_payments()) == []
