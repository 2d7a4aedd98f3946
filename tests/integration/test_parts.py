"""An order whose parts are at different points: released, invoiced, sent, waiting for goods."""

import pytest
from oscar.core.loading import get_model

from oscar_fulfillment.core.exceptions import TransitionNotAllowed
from oscar_fulfillment.models import Invoice, OrderFulfillment, Shipment
from oscar_fulfillment.selectors.queues import build_queues
from oscar_fulfillment.services import bulk, cancelling, invoicing, release, shipping
from oscar_fulfillment.services.shipments import name_pending
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

pytestmark = pytest.mark.django_db
TEAM = factories.TEAM


def status(order):
    return OrderFulfillment.objects.get(pk=order.pk).shipping_status


def goods_arrive(units):
    get_model("partner", "StockRecord").objects.update(num_in_stock=units)


def invoice(order, number):
    invoicing.invoice_order(order=order, actor=TEAM, access_key=make_key(number=number))
    return Invoice.objects.get(fulfillment=order.pk, number=str(number), cancelled_at=None)


def partly_invoiced(currency="BRL"):
    """Five mugs: two were there, are released and invoiced; two more came and are released; one is still missing."""
    order = factories.paid_order(lines=[(factories.product(stock=2), 5)], currency=currency)
    release.release_order(order=order, actor=TEAM, in_part=True)
    invoice(order, 1)
    goods_arrive(4)
    release.release_order(order=order, actor=TEAM, in_part=True)
    return order


def parcels(order):
    """(units, document's number, status) of each shipment."""
    return [
        (s.lines.get().quantity, s.invoice.number if s.invoice else "", s.status)
        for s in Shipment.objects.filter(fulfillment=order.pk).order_by("number")
    ]


def refusal(call, **options):
    with pytest.raises(TransitionNotAllowed) as error:
        call(actor=TEAM, **options)
    return [(r.code, str(r.message), str(r.remedy)) for r in error.value.reasons]


def queues(order):
    """The work queues this order waits in."""
    found = []
    for name, queue in build_queues([]).items():
        hits = [
            pk for q in queue.alternatives for pk in OrderFulfillment.objects.filter(q).values_list("pk", flat=True)
        ]
        assert len(hits) == len(set(hits)), f"{name} lists an order twice"
        if order.pk in hits and name in ("to-release", "to-invoice", "to-dispatch", "in-transit"):
            found.append(name)
    return found


@pytest.mark.parametrize(
    ("documents", "expected"),
    [([], "released"), ([False], "released"), ([True], "invoiced"), ([True, True], "invoiced"),
     ([True, False], "partially_invoiced"), ([False, True, False], "partially_invoiced")],
)  # fmt: skip
def test_an_order_is_named_after_its_documents(documents, expected):
    assert name_pending(documents, ("released", "partially_invoiced")) == expected
    without = "released" if expected == "partially_invoiced" else expected
    assert name_pending(documents, ("released",)) == without


def test_the_invoiced_part_leaves_before_the_rest_is_invoiced():
    order = partly_invoiced()
    assert status(order) == "partially_invoiced"
    assert parcels(order) == [(2, "1", "pending"), (2, "", "pending")]
    assert queues(order) == ["to-invoice", "to-dispatch"]
    shipping.dispatch_order(order=order, actor=TEAM)
    assert status(order) == "partially_dispatched"
    assert parcels(order) == [(2, "1", "dispatched"), (2, "", "pending")]
    assert queues(order) == ["to-invoice", "in-transit"]
    record = get_model("partner", "StockRecord").objects.get()
    assert (record.num_in_stock, record.num_allocated) == (2, 3)


def test_the_second_document_covers_only_what_has_none():
    order = partly_invoiced()
    invoice(order, 2)
    assert status(order) == "invoiced"
    assert parcels(order) == [(2, "1", "pending"), (2, "2", "pending")]
    assert queues(order) == ["to-dispatch"]
    assert refusal(invoicing.invoice_order, order=order, kind="none")[0][0] == "already_done"


def test_part_sent_part_invoiced_part_released_and_one_missing():
    order = partly_invoiced()
    shipping.dispatch_order(order=order, actor=TEAM)
    invoice(order, 2)
    assert queues(order) == ["to-dispatch", "in-transit"], "it waits for goods too, but what is here can leave"
    goods_arrive(3)
    release.release_order(order=order, actor=TEAM)
    assert parcels(order) == [(2, "1", "dispatched"), (2, "2", "pending"), (1, "", "pending")]
    assert queues(order) == ["to-invoice", "to-dispatch", "in-transit"]
    shipping.dispatch_order(order=order, actor=TEAM)
    assert parcels(order)[2] == (1, "", "pending"), "what has no document stays"
    assert refusal(shipping.dispatch_order, order=order) == [
        ("not_invoiced", "The rest of the order is not invoiced yet.", "Invoice it first")
    ]
    invoice(order, 3)
    shipping.dispatch_order(order=order, actor=TEAM)
    shipping.deliver_order(order=order, actor=TEAM)
    assert status(order) == "delivered"
    assert queues(order) == []
    record = get_model("partner", "StockRecord").objects.get()
    assert (record.num_in_stock, record.num_allocated) == (0, 0)


def test_an_order_that_only_waits_for_goods_is_in_no_queue_of_ours():
    order = factories.paid_order(lines=[(factories.product(stock=2), 5)])
    release.release_order(order=order, actor=TEAM, in_part=True)
    invoice(order, 1)
    shipping.dispatch_order(order=order, actor=TEAM)
    assert queues(order) == ["in-transit"]


def test_without_documents_the_rest_waits_for_dispatch_at_once():
    order = factories.paid_order(lines=[(factories.product(stock=2), 5)], currency="CHF")
    release.release_order(order=order, actor=TEAM, in_part=True)
    shipping.dispatch_order(order=order, actor=TEAM)
    assert queues(order) == ["in-transit"]
    goods_arrive(3)
    release.release_order(order=order, actor=TEAM)
    assert queues(order) == ["to-dispatch", "in-transit"]


def test_one_of_two_documents_is_taken_back_and_the_other_stays():
    order = partly_invoiced()
    second = invoice(order, 2)
    change = invoicing.cancel_invoice(order=order, actor=TEAM, reason="Wrong key", invoice=second.pk)
    assert change.data["invoices"] == [second.pk]
    assert status(order) == "partially_invoiced"
    assert parcels(order) == [(2, "1", "pending"), (2, "", "pending")]
    assert refusal(invoicing.cancel_invoice, order=order, reason="x", invoice=second.pk) == [
        ("no_invoice", "This invoice is not valid any more.", "")
    ]
    invoice(order, 3)
    assert status(order) == "invoiced"


def test_every_document_is_taken_back_where_none_is_chosen():
    order = partly_invoiced()
    invoicing.cancel_invoice(order=order, actor=TEAM, reason="Wrong price")
    assert status(order) == "released"
    assert parcels(order) == [(2, "", "pending"), (2, "", "pending")]
    again = invoice(order, 1)
    assert parcels(order) == [(2, "1", "pending"), (2, "1", "pending")]
    assert Invoice.objects.filter(access_key=again.access_key).count() == 2


def test_a_wrong_document_of_the_rest_is_taken_back_after_a_part_has_left():
    order = partly_invoiced()
    first = Invoice.objects.get()
    shipping.dispatch_order(order=order, actor=TEAM)
    assert refusal(invoicing.cancel_invoice, order=order, reason="x") == [
        ("invoice_used", "No invoice of this order is left whose goods are all still here.", "")
    ]
    invoice(order, 2)
    assert refusal(invoicing.cancel_invoice, order=order, reason="x", invoice=first.pk) == [
        ("invoice_used", "Goods have left the house with this invoice.", "")
    ]
    invoicing.cancel_invoice(order=order, actor=TEAM, reason="Typed wrongly")
    assert status(order) == "partially_dispatched"
    assert parcels(order) == [(2, "1", "dispatched"), (2, "", "pending")]
    first.refresh_from_db()
    assert first.cancelled_at is None


def test_a_document_whose_goods_left_in_part_stays():
    order = factories.paid_order(lines=[(factories.product(stock=5), 5)])
    release.release_order(order=order, actor=TEAM)
    invoice(order, 1)
    line = order.lines.get()
    shipping.dispatch_order(order=order, actor=TEAM, quantities={line.pk: 2})
    assert parcels(order) == [(2, "1", "dispatched"), (3, "1", "pending")]
    assert refusal(invoicing.cancel_invoice, order=order, reason="x")[0][0] == "invoice_used"


def test_a_foreign_document_is_not_taken_back():
    order, other = partly_invoiced(), factories.invoiced_order()
    theirs = Invoice.objects.get(fulfillment=other.pk)
    assert refusal(invoicing.cancel_invoice, order=order, reason="x", invoice=theirs.pk)[0][0] == "no_invoice"
    theirs.refresh_from_db()
    assert theirs.cancelled_at is None


def test_cancelling_needs_the_documents_of_every_part_back_first():
    order = partly_invoiced()
    assert refusal(cancelling.cancel_order, order=order, reason="No wish") == [
        ("invoice_valid", "The order has a valid fiscal document.", "Take the invoice back first")
    ]
    invoicing.cancel_invoice(order=order, actor=TEAM, reason="Cancelled at the tax office")
    cancelling.cancel_order(order=order, actor=TEAM, reason="No wish")
    assert status(order) == "cancelled"
    assert {s for _units, _number, s in parcels(order)} == {"cancelled"}
    record = get_model("partner", "StockRecord").objects.get()
    assert (record.num_in_stock, record.num_allocated) == (4, 0)


def test_what_was_decided_to_have_no_document_does_not_stop_a_cancellation():
    order = factories.paid_order(lines=[(factories.product(stock=2), 5)])
    release.release_order(order=order, actor=TEAM, in_part=True)
    invoicing.invoice_order(order=order, actor=TEAM, kind="none")
    goods_arrive(5)
    release.release_order(order=order, actor=TEAM)
    assert status(order) == "partially_invoiced"
    cancelling.cancel_order(order=order, actor=TEAM, reason="No wish")
    assert status(order) == "cancelled"


@pytest.mark.parametrize(
    ("action", "after"),
    [("dispatch", "partially_dispatched"), ("invoice", "invoiced"), ("release", "partially_invoiced")],
)
def test_bulk_steps_take_such_an_order_on(action, after):
    order = partly_invoiced()
    goods_arrive(5)
    user = factories.staff_user("*")
    job = bulk.submit(action=action, orders=[(order.pk, order.number)], user=user, key=f"bulk {action}")
    assert (job.done_count, job.refused_count) == (1, 0)
    assert status(order) == after


def test_a_hold_takes_it_out_of_the_queues_and_stops_its_parts():
    from oscar_fulfillment.services import holds

    order = partly_invoiced()
    holds.place_hold(order=order, actor=TEAM, code="address")
    assert queues(order) == []
    assert refusal(shipping.dispatch_order, order=order)[0][0] == "on_hold"
    assert refusal(invoicing.invoice_order, order=order, kind="none")[0][0] == "on_hold"


def test_oscars_status_says_in_process():
    assert get_model("order", "Order").objects.get(pk=partly_invoiced().pk).status == "In process"
