"""The REST API: fiscal documents and tracking that an ERP sends, in our names and in VTEX's, in any order and twice."""

import pytest

from oscar_fulfillment.models import Export, FollowUp, Invoice, OutsideChange, Parcel, Shipment, TrackingEvent
from oscar_fulfillment.services import cancelling, release
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key
from oscar_fulfillment.test.nfe import make_note

from .api import Caller, problem

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A10", "A8")]

ZEROS = "0" * 44


@pytest.fixture
def erp(db):
    return Caller()


def statuses(order):
    order.fulfillment.refresh_from_db()
    return order.fulfillment.payment_status, order.fulfillment.shipping_status


def vtex(order, *, number=7, **more):
    """The document as VTEX's callers write it."""
    items = [{"id": line.partner_sku, "price": 1000, "quantity": line.quantity} for line in order.lines.all()]
    return {
        "type": "Output", "issuanceDate": "2026-11-20T10:00:00-03:00", "invoiceNumber": str(number),
        "invoiceKey": make_key(number=number), "invoiceValue": str(int(order.total_incl_tax * 100)), "items": items,
        "invoiceUrl": "https://erp.example/danfe/7", **more,
    }  # fmt: skip


def test_the_note_of_an_erp_makes_the_order_invoiced_by_itself(erp):
    order = factories.released_order()
    erp.offered()
    answer = erp.post(f"/orders/{order.number}/invoice", {"access_key": make_key(number=7), "value": "20.00"})
    assert answer.status_code == 200, answer.content
    assert answer.json()["result"] == "applied"
    assert answer.json()["shipping_status"] == "invoiced"
    assert statuses(order) == ("paid", "invoiced")
    row = Invoice.objects.get()
    assert (row.kind, row.number, row.series, row.access_key) == ("nfe", "7", "1", make_key(number=7))
    assert Shipment.objects.get().invoice == row
    change = order.fulfillment.history.first()
    assert (change.action, change.actor_kind, change.actor_label) == ("invoice", "provider", "erp")
    assert OutsideChange.objects.get().status == "applied"
    assert Export.objects.get().status == Export.ACKNOWLEDGED


def test_the_same_in_the_names_of_vtex(erp):
    order = factories.released_order()
    answer = erp.post(f"/orders/{order.number}/invoice", vtex(order))
    assert answer.json()["orderId"] == order.number
    assert statuses(order)[1] == "invoiced"
    data = order.fulfillment.history.first().data
    assert (data["value"], data["url"]) == ("20", "https://erp.example/danfe/7")


@pytest.mark.feature("A11")
@pytest.mark.parametrize(
    "body",
    [
        {"invoiceNumber": "0", "invoiceKey": ZEROS, "invoiceValue": "2000"},
        {"number": "000", "series": "0", "access_key": ZEROS},
        {"number": "0", "series": "0"},
    ],
)
def test_zeros_mean_no_fiscal_document(erp, body):
    order = factories.released_order()
    assert erp.post(f"/orders/{order.number}/invoice", body).status_code == 200
    assert Invoice.objects.get().kind == "none"
    assert statuses(order)[1] == "invoiced"


def test_the_same_note_again_is_answered_as_the_first(erp):
    order = factories.released_order()
    first = erp.post(f"/orders/{order.number}/invoice", vtex(order)).json()
    assert erp.post(f"/orders/{order.number}/invoice", vtex(order)).json() == first
    assert Invoice.objects.count() == 1
    fewer = {name: value for name, value in vtex(order).items() if name != "items"}
    assert erp.post(f"/orders/{order.number}/invoice", fewer).json()["result"] in ("known", "applied")
    assert Invoice.objects.count() == 1


def test_the_same_note_with_another_total_is_refused(erp):
    order = factories.released_order()
    erp.post(f"/orders/{order.number}/invoice", vtex(order))
    found = problem(erp.post(f"/orders/{order.number}/invoice", vtex(order, invoiceValue="1999")), 422, "invalid")
    assert found["errors"][0]["field"] == "invoiceValue"
    assert Invoice.objects.count() == 1
    assert FollowUp.objects.filter(kind="outside_refused", closed_at=None).count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"access_key": make_key(number=7), "series": "2"}, "series"),
        ({"access_key": make_key(number=7), "number": "8"}, "number"),
        ({"invoiceKey": make_key(number=7), "invoiceNumber": "8"}, "invoiceNumber"),
        ({"invoiceKey": make_key(number=7)[:-1] + "x"}, "invoiceKey"),
        ({"invoiceKey": make_key(number=7, check_digit=9)}, "invoiceKey"),
        ({"access_key": make_key(number=7), "value": "19.00"}, "value"),
        ({"access_key": make_key(number=7), "items": [{"sku": "nothing", "quantity": 1}]}, "items"),
        ({"access_key": make_key(number=7), "invoiceKey": make_key(number=8)}, "access_key"),
        ({"access_key": make_key(number=7), "value": "20.00", "invoiceValue": "20"}, "value"),
        ({"access_key": make_key(number=7), "items": [{"quantity": 1}]}, "items/0"),
        ({"type": "Input", "number": "7"}, "type"),
        ({"series": "1"}, "number"),
    ],
)
def test_what_does_not_hold_is_refused_by_field(erp, body, field):
    order = factories.released_order()
    found = problem(erp.post(f"/orders/{order.number}/invoice", body), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [field]
    assert (statuses(order)[1], Invoice.objects.count()) == ("released", 0)


def test_a_key_of_another_order_is_refused(erp):
    order, other = factories.invoiced_order(), factories.released_order()
    used = order.fulfillment.invoices.get().access_key
    problem(erp.post(f"/orders/{other.number}/invoice", {"access_key": used}), 422, "invalid")


def test_the_xml_goes_before_what_was_typed(erp):
    order = factories.released_order(fulfillment={"tax_id_kind": "cpf", "tax_id": "52998224725"})
    note = make_note(number=31, order=order, buyer="52998224725").decode()
    answer = erp.post(f"/orders/{order.number}/invoice", vtex(order, number=7, embeddedInvoice=note))
    assert answer.status_code == 200, answer.content
    assert Invoice.objects.get().number == "31"
    again = erp.post(f"/orders/{order.number}/invoice", vtex(order, number=7, embeddedInvoice=note))
    assert again.json() == answer.json()


def test_an_xml_that_does_not_hold_changes_nothing(erp):
    order = factories.released_order()
    found = problem(erp.post(f"/orders/{order.number}/invoice", {"xml": "<nfe>&lol;</nfe>"}), 422, "invalid")
    assert found["errors"][0]["field"] == "xml"
    assert statuses(order)[1] == "released"


# ---- Out of order ----


def test_a_note_before_the_release_is_refused_and_taken_after_it(erp):
    order = factories.paid_order()
    found = problem(erp.post(f"/orders/{order.number}/invoice", vtex(order)), 409, "not-now")
    assert found["errors"][0]["code"]
    assert FollowUp.objects.filter(closed_at=None).count() == 1
    release.release_order(order=order, actor=factories.TEAM)
    assert erp.post(f"/orders/{order.number}/invoice", vtex(order)).json()["result"] == "applied"
    assert OutsideChange.objects.count() == 1
    assert not FollowUp.objects.filter(kind="outside_refused", closed_at=None).exists()


def test_the_same_holds_with_an_idempotency_key(erp):
    order = factories.paid_order()
    problem(erp.post(f"/orders/{order.number}/invoice", vtex(order), Idempotency_Key="k"), 409, "not-now")
    release.release_order(order=order, actor=factories.TEAM)
    assert erp.post(f"/orders/{order.number}/invoice", vtex(order), Idempotency_Key="k").status_code == 200


def test_tracking_before_the_note_is_refused_and_taken_after_it(erp):
    order = factories.released_order()
    body = {"tracking_code": "AA123456785BR", "carrier": "correios"}
    problem(erp.post(f"/orders/{order.number}/tracking", body), 409, "not-now")
    erp.post(f"/orders/{order.number}/invoice", vtex(order))
    assert erp.post(f"/orders/{order.number}/tracking", body).json()["shipping_status"] == "dispatched"
    assert Parcel.objects.get().tracking_code == "AA123456785BR"


def test_a_note_of_a_cancelled_order_is_refused(erp):
    order = factories.placed_order()
    cancelling.cancel_order(order=order, actor=factories.TEAM, reason="x")
    problem(erp.post(f"/orders/{order.number}/invoice", vtex(order)), 409, "not-now")
    assert Invoice.objects.count() == 0


# ---- Tracking ----


def test_tracking_with_the_note_dispatches_too(erp):
    order = factories.released_order()
    body = vtex(order, courier="Correios", trackingNumber="AA123456785BR", trackingUrl="https://t.example/1")
    assert erp.post(f"/orders/{order.number}/invoice", body).json()["shipping_status"] == "dispatched"
    parcel = Parcel.objects.get()
    assert (parcel.carrier, parcel.tracking_code) == ("correios", "AA123456785BR")
    assert erp.post(f"/orders/{order.number}/invoice", body).json()["shipping_status"] == "dispatched"
    assert Parcel.objects.count() == 1


def test_tracking_with_the_note_needs_both_scopes():
    erp = Caller(scopes=["invoices:write"])
    order = factories.released_order()
    problem(erp.post(f"/orders/{order.number}/invoice", vtex(order, trackingNumber="AA123456785BR")), 403, "forbidden")
    assert statuses(order)[1] == "released"
    assert erp.post(f"/orders/{order.number}/invoice", vtex(order, courier="Correios")).status_code == 200


def test_tracking_by_the_number_of_the_note_then_events_and_the_delivery(erp):
    order = factories.released_order()
    erp.post(f"/orders/{order.number}/invoice", vtex(order))
    at = f"/orders/{order.number}/invoice/7"
    code = {"courier": "Correios", "trackingNumber": "AA123456785BR", "dispatchedDate": "2026-11-21"}
    assert erp.patch(at, code).json()["shipping_status"] == "dispatched"
    assert erp.patch(at, code).json()["result"] == "applied"
    said = {"description": "Left the centre", "date": "2026-11-22", "city": "Campinas", "state": "SP"}
    for _time in range(2):
        answer = erp.put(f"{at}/tracking", {"isDelivered": False, "events": [said]})
        assert answer.status_code == 200, answer.content
    event = TrackingEvent.objects.get()
    assert (event.text, event.place, event.state) == ("Left the centre", "Campinas, SP", "info")
    done = {"isDelivered": True, "deliveredDate": "2026-11-24T15:00:00Z", "events": [said]}
    assert erp.put(f"{at}/tracking", done).json()["shipping_status"] == "delivered"
    assert erp.put(f"{at}/tracking", done).status_code == 200
    assert Shipment.objects.get().delivered_at.isoformat() == "2026-11-24T15:00:00+00:00"
    problem(erp.patch(f"/orders/{order.number}/invoice/8", code), 404, "not-found")


def test_a_document_of_some_units_and_only_its_goods_leave(erp):
    goods = factories.product(stock=20)
    order = factories.released_order(currency="CHF", lines=[(goods, 3)])
    sku = goods.stockrecords.get().partner_sku
    answer = erp.post(f"/orders/{order.number}/invoice", {"number": "A-1", "items": [{"sku": sku, "quantity": 1}]})
    # The short flow knows no invoices: it says so, and nothing has changed.
    problem(answer, 409, "not-now")
    assert Shipment.objects.filter(status="pending").count() == 1


def test_documents_of_parts_send_only_their_own_goods(erp):
    goods = factories.product(stock=20)
    order = factories.released_order(lines=[(goods, 3)])
    sku, at = goods.stockrecords.get().partner_sku, f"/orders/{order.number}/invoice"
    body = {"access_key": make_key(number=7), "value": "10.00", "items": [{"sku": sku, "quantity": 1}]}
    assert erp.post(at, body).json()["shipping_status"] == "partially_invoiced"
    code = {"courier": "Correios", "trackingNumber": "AA123456785BR"}
    assert erp.patch(f"{at}/7", code).json()["shipping_status"] == "partially_dispatched"
    rest = {"access_key": make_key(number=8), "items": [{"sku": sku, "quantity": 2}]}
    assert erp.post(at, rest).status_code == 200
    assert Shipment.objects.get(invoice__number="8").status == "pending"
    assert erp.put(f"{at}/7/tracking", {"isDelivered": True}).status_code == 200
    assert Shipment.objects.get(invoice__number="7").status == "delivered"
    assert erp.patch(f"{at}/8", {"dispatchedDate": "2026-11-21"}).json()["shipping_status"] in (
        "dispatched",
        "delivered",
    )


def test_an_order_without_a_document_is_dispatched_in_the_short_flow(erp):
    order = factories.released_order(currency="CHF")
    answer = erp.post(f"/orders/{order.number}/tracking", {"dispatched_at": "2026-11-21T10:00:00Z"})
    assert answer.json()["shipping_status"] == "dispatched"
    assert erp.post(f"/orders/{order.number}/tracking", {"delivered": True}).json()["shipping_status"] == "delivered"


def test_what_says_nothing_is_refused(erp):
    order = factories.invoiced_order()
    for path, body in (
        (f"/orders/{order.number}/tracking", {}),
        (f"/orders/{order.number}/tracking", {"carrier": "x"}),
    ):
        problem(erp.post(path, body), 422, "invalid")
    found = {"isDelivered": False, "events": [{"description": "x", "date": "2199-01-01"}]}
    problem(erp.post(f"/orders/{order.number}/tracking", found), 422, "invalid")
