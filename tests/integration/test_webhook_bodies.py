"""What a webhook says: plain data, small, nothing of the buyer's unless asked for, and the same at every try."""

import json
from datetime import datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from oscar_fulfillment.models import CarrierOrder, OutboundMessage, Return, ReturnLine
from oscar_fulfillment.services import holds, payments, shipping, tracking, webhook_bodies, webhook_events
from oscar_fulfillment.services.webhook_bodies import LARGEST, make_body
from oscar_fulfillment.test import factories
from tests.integration.parcels import box, fake_carriers, on_the_way, told

from .webhooks import make, rows

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z15")]

PERSONAL = (
    "Ana", "Souza", "ana@example.com", "Rua A", "01310-100", "11144477735", "Caio Duarte", "refused by her",
)  # fmt: skip


def body(endpoint, kind=None, **lookup):
    """The body of its newest message of this kind, as data."""
    found = rows(endpoint, **({"kind": kind} if kind else {}), **lookup).last()
    return json.loads(make_body(found, endpoint))


def order_of_ana(**options):
    return factories.placed_order(
        fulfillment={"tax_id": "11144477735", "tax_id_kind": "cpf", "language": "pt"}, **options
    )


def test_what_happened_and_how_the_order_stands(team):
    endpoint = make()
    factories.product("Warm-up")
    mug = factories.product("Mug", "10.00", sku="MUG-1")
    order = order_of_ana(lines=[(mug, 3)])
    payments.approve_payment(order=order, actor=team)
    found = body(endpoint, "payment.approved")
    assert found["type"] == "payment.approved"
    assert found["api_version"] == "1"
    row = order.fulfillment.history.get(action="approve_payment")
    assert datetime.fromisoformat(found["timestamp"]) == row.created_at.replace(
        microsecond=row.created_at.microsecond // 1000 * 1000
    )
    assert found["timestamp"].endswith("Z")
    assert found["data"]["change"] == {
        "sequence": 2, "machine": "payment", "action": "approve_payment", "from": "awaiting_payment", "to": "paid",
        "at": found["timestamp"], "by": "system",
    }  # fmt: skip
    told_ = found["data"]["order"]
    line = told_.pop("lines")[0]
    assert line == {
        "id": order.lines.get().pk, "sku": "MUG-1", "upc": mug.upc, "title": "Mug", "quantity": 3,
        "price_incl_tax": "30.00", "price_excl_tax": "30.00",
    }  # fmt: skip
    assert told_ == {
        "id": order.pk, "number": order.number, "version": 2,
        "placed_at": webhook_bodies.moment(order.date_placed), "flow": "BRAZIL", "status": order.status,
        "payment_status": "paid", "shipping_status": "received", "is_on_hold": False, "has_backorder": False,
        "problem": None, "payment_method": "deposit", "shipping_method": "free-shipping", "currency": "BRL",
        "total_incl_tax": "30.00", "total_excl_tax": "30.00", "shipping_incl_tax": "0.00",
        "shipping_excl_tax": "0.00", "lines_left_out": 0, "shipments": [], "shipments_left_out": 0, "invoices": [],
    }  # fmt: skip


def test_the_first_event_holds_the_lines_though_they_are_written_after_it():
    endpoint = make()
    order = order_of_ana()
    assert [line["quantity"] for line in body(endpoint, "order.recorded")["data"]["order"]["lines"]] == [2]
    assert body(endpoint, "order.recorded")["data"]["order"]["number"] == order.number


def test_a_status_change_holds_every_row_of_its_step(team):
    endpoint = make()
    factories.cancelled_order()
    data = body(endpoint, "order.status_changed")["data"]
    assert [(row["machine"], row["to"]) for row in data["changes"]] == [
        ("shipping", "cancelled"), ("payment", "cancelled"),
    ]  # fmt: skip
    assert data["change"] == data["changes"][0]


def test_shipments_with_their_parcels_and_documents():
    endpoint = make()
    order = factories.dispatched_order(carrier="correios", tracking_code="AA123456785BR")
    data = body(endpoint, "shipment.dispatched")["data"]
    (shipment,) = data["order"]["shipments"]
    assert data["shipments"] == [shipment["id"]]
    assert shipment["status"] == "dispatched"
    assert shipment["dispatched_at"].endswith("Z")
    assert shipment["lines"] == [{"line": order.lines.get().pk, "quantity": 2}]
    (parcel,) = shipment["parcels"]
    assert (parcel["carrier"], parcel["tracking_code"]) == ("correios", "AA123456785BR")
    assert "AA123456785BR" in parcel["tracking_url"]
    (invoice,) = data["order"]["invoices"]
    assert len(invoice["access_key"]) == 44
    assert shipment["invoice"] == invoice["id"]
    assert invoice["is_cancelled"] is False


def whole_story(team):
    """Everything that can be personal, in every event that is told."""
    from oscar_fulfillment.core.actors import Actor

    caio = factories.staff_user(first_name="Caio", last_name="Duarte")
    with fake_carriers():
        order = on_the_way(fulfillment={"tax_id": "11144477735", "tax_id_kind": "cpf"})
        tracking.record_events([(box(order).pk, [told("in_transit", -60, text="Seen by Ana Souza", place="Rua A")])])
        held = factories.placed_order(number=f"{order.number}-2")
        holds.place_hold(order=held, actor=Actor.from_user(caio), code="fraud", note="refused by her")
        shipping.return_order(order=order, actor=Actor.from_user(caio), reason="refused by her")
    webhook_events.tell_death(OutboundMessage(destination="mail", kind="x", error="no such address: ana@example.com",
                                              created_at=timezone.now(), order_id=order.pk))  # fmt: skip
    return order


def test_nothing_of_the_buyers_or_the_staffs_is_told(team):
    endpoint = make()
    order = whole_story(team)
    texts = [make_body(message, endpoint) for message in rows(endpoint)]
    assert len(texts) >= 12
    assert {json.loads(text)["type"] for text in texts} >= {"parcel.tracked", "message.died", "hold.placed"}
    for text in texts:
        assert not [word for word in PERSONAL if word in text]
        assert "customer" not in json.loads(text)["data"]
        assert order.number in text


def test_where_it_is_wanted_the_buyers_data_is_told(team):
    endpoint = make(includes_customer=True)
    whole_story(team)
    customer = body(endpoint, "order.returned")["data"]["customer"]
    assert (customer["name"], customer["email"], customer["tax_id"]) == ("Ana Souza", "ana@example.com", "11144477735")
    assert customer["is_guest"] is True
    assert customer["shipping_address"]["line1"] == "Rua A, 1"
    assert customer["shipping_address"]["country"] == "BR"
    assert customer["billing_address"] is None
    assert body(endpoint, "order.returned")["data"]["change"]["reason"] == "refused by her"
    parcel = body(endpoint, "parcel.tracked")["data"]["parcel"]
    assert parcel["tracking"]["text"] == "Seen by Ana Souza"
    assert "ana@example.com" in body(endpoint, "message.died")["data"]["message"]["error"]


def test_a_parcel_is_told_as_it_was_when_the_carrier_spoke():
    endpoint = make(all_events=False, events=["parcel.tracked"])
    with fake_carriers():
        order = on_the_way()
        parcel = box(order)
        tracking.record_events([(parcel.pk, [told("in_transit", -60)])])
        tracking.record_events([(parcel.pk, [told("delivered", -5)])])
        first = json.loads(make_body(rows(endpoint).first(), endpoint))["data"]
    assert first["parcel"]["id"] == parcel.pk
    assert first["parcel"]["shipment"] == parcel.shipment_id
    assert first["parcel"]["tracking"]["state"] == "in_transit"
    assert first["parcel"]["tracking_state"] == "delivered"
    assert first["order"]["number"] == order.number
    assert "change" not in first


def told_by_hand(endpoint, kind, order, **facts):
    return OutboundMessage.objects.create(
        destination=endpoint.lane, kind=kind, key=f"msg_{kind}", order=order,
        payload={"order": order.pk, "sequence": 1, "facts": facts},
    )  # fmt: skip


def test_a_return_is_told_with_its_lines():
    endpoint = make(includes_customer=True)
    order = factories.delivered_order()
    ret = Return.objects.create(
        fulfillment=order.fulfillment, number=1, status="settled", outcome="refund", refund_amount=Decimal("5.00"),
        created_at=timezone.now(), customer_note="Broken",
    )  # fmt: skip
    ReturnLine.objects.create(of=ret, line=order.lines.get(), quantity=1, reason="damaged", damaged=1)
    message = told_by_hand(endpoint, "return.settled", order, return_id=ret.pk)
    found = json.loads(make_body(message, endpoint))["data"]
    assert found["return"] == {
        "id": ret.pk, "number": 1, "status": "settled", "wants": "refund", "outcome": "refund", "by_customer": False,
        "refund_amount": "5.00", "tracking_code": None, "customer_note": "Broken",
        "lines": [{"line": order.lines.get().pk, "quantity": 1, "reason": "damaged", "restocked": 0, "damaged": 1}],
    }  # fmt: skip
    assert "return_id" not in found
    endpoint.includes_customer = False
    assert "Broken" not in make_body(message, endpoint)
    ret.delete()
    assert json.loads(make_body(message, endpoint))["data"]["return"] is None


def test_carriage_is_told_with_its_number(team):
    endpoint = make()
    order = factories.released_order()
    carriage = CarrierOrder(carrier="cdek", reference="R1", tracking_code="123")
    facts = webhook_events.plain_facts({"carrier_order": carriage})
    message = told_by_hand(endpoint, "shipment.carriage_ordered", order, **facts)
    found = json.loads(make_body(message, endpoint))["data"]
    assert found["carriage"] == {"carrier": "cdek", "reference": "R1", "tracking_code": "123"}


def test_an_order_that_is_gone_is_none_and_no_error():
    endpoint = make(includes_customer=True)
    order = factories.placed_order()
    message = rows(endpoint).get()
    order.delete()
    message.refresh_from_db()
    found = json.loads(make_body(message, endpoint))
    assert found["data"] == {"change": None, "order": None, "customer": None}
    assert datetime.fromisoformat(found["timestamp"])


@pytest.mark.parametrize("title", ["x" * 255, "Ж" * 255, '"\\' * 127, "\u2028<script>" * 25])
def test_a_large_order_is_cut_to_fit_and_says_so(title):
    endpoint = make(includes_customer=True)
    order = factories.dispatched_order(lines=[(factories.product(stock=5), 1) for _ in range(120)])
    order.lines.update(title=title)
    text = make_body(rows(endpoint, kind="shipment.dispatched").get(), endpoint)
    assert len(text.encode()) <= LARGEST
    told_ = json.loads(text)["data"]["order"]
    assert 0 < len(told_["lines"]) < 120
    assert len(told_["lines"]) + told_["lines_left_out"] == 120
    assert len(told_["shipments"]) + told_["shipments_left_out"] == 1
    assert told_["lines"][0]["id"] == order.lines.order_by("pk").first().pk
    assert told_["lines"][0]["title"] == title


def test_many_short_lines_are_all_told():
    endpoint = make()
    factories.placed_order(lines=[(factories.product("Mug"), 1) for _ in range(60)])
    told_ = body(endpoint, "order.recorded")["data"]["order"]
    assert (len(told_["lines"]), told_["lines_left_out"]) == (60, 0)
