"""An order of the shop goes with CDEK: ordered at release, its number later, followed until it has arrived, or back."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import override_settings
from django.utils import timezone

from oscar_fulfillment.carriers.cdek_wire import tokens
from oscar_fulfillment.core import inbox, outbox
from oscar_fulfillment.models import CarrierOrder, InboundMessage, OutboundMessage, UnmappedCode
from oscar_fulfillment.services import cancelling, shipping
from oscar_fulfillment.tasks import watch_parcels
from oscar_fulfillment.test import factories
from oscar_fulfillment.webhooks.carriers import register_carriers
from sandbox.simulators import cdek_wire as simulation
from sandbox.simulators.base import serve
from sandbox.simulators.cdek import Cdek as Vendor

from .parcels import TEAM, box, mails, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.feature("E12", "E13", "E14")]
HOOK = "/fulfillment/webhooks/carriers/cdek/"


@pytest.fixture
def vendor():
    """CDEK, which all orders of this shop go with. It checks an order when it is told to."""
    tokens.forget()
    vendor = Vendor(deliver=lambda letter: 200, notification_url=f"https://shop.example{HOOK}")
    vendor.delay = timedelta(hours=1)
    with serve(vendor) as address:
        options = {
            "account": simulation.ACCOUNT,
            "password": simulation.PASSWORD,
            "webhook_tokens": [simulation.WEBHOOK_TOKEN],
            "base_url": f"{address}/v2",
            "tariffs": {"": 137},
            "sender": {"shipment_point": "NSK33"},
            "weight": 500,
            "dimensions": (20, 15, 10),
            "currency": "BRL",
            "creates_orders": True,
            "shipping_methods": ["free"],
        }
        declared = {"cdek": {"BACKEND": "oscar_fulfillment.carriers.cdek.Cdek", "OPTIONS": options}}
        with override_settings(OSCAR_FULFILLMENT={**settings.OSCAR_FULFILLMENT, "CARRIERS": declared}):
            register_carriers()
            yield vendor


def anna(**fields):
    return factories.address(**{"country": "RU", "line4": "Москва", "phone_number": "+79161234567", **fields})


def send():
    OutboundMessage.objects.filter(status="pending").update(next_attempt_at=timezone.now())
    return outbox.drain(limit=50)


def hear(vendor, client):
    """The shop gets what CDEK has sent, and its workers look at it."""
    for letter in vendor.letters:
        query = urlsplit(letter.url).query
        answer = client.post(f"{HOOK}?{query}", letter.body, content_type="application/json")
        assert answer.status_code == 200
    vendor.letters.clear()
    inbox.process()


def test_from_the_release_to_the_door(vendor, client):
    order = factories.invoiced_order(shipping_address=anna())
    assert not vendor.calls
    send()
    row = CarrierOrder.objects.get()
    assert (row.status, row.tracking_code, vendor.orders()) == ("accepted", "", 1)
    vendor.confirm(row.external_id)
    hear(vendor, client)
    row.refresh_from_db()
    assert row.status == "created"
    parcel = box(order)
    assert parcel.tracking_code == row.tracking_code
    assert parcel.tracking_url == f"https://www.cdek.ru/ru/tracking/?order_id={row.tracking_code}"
    assert mails(order).count("FULFILLMENT_TRACKING_ASSIGNED") == 1
    shipping.dispatch_order(order=order, actor=TEAM)
    for step in ("collected", "in_transit", "unknown", "out_for_delivery", "delivered"):
        vendor.advance(row.tracking_code, step, "twice")
    hear(vendor, client)
    parcel.refresh_from_db()
    assert (parcel.tracking_state, parcel.status) == ("delivered", "delivered")
    assert statuses(order)[1] == "delivered"
    assert UnmappedCode.objects.get().code == "TELEPORTED"


def test_what_comes_back_is_not_delivered(vendor, client):
    order = factories.invoiced_order(shipping_address=anna())
    send()
    vendor.confirm(CarrierOrder.objects.get().external_id)
    hear(vendor, client)
    shipping.dispatch_order(order=order, actor=TEAM)
    parcel = box(order)
    for step in ("in_transit", "attempt_failed", "returning"):
        vendor.advance(parcel.tracking_code, step)
    hear(vendor, client)
    parcel.refresh_from_db()
    assert (parcel.tracking_state, parcel.incident) == ("returning", "refused")
    vendor.advance(parcel.tracking_code, "returned")
    hear(vendor, client)
    parcel.refresh_from_db()
    assert (parcel.tracking_state, parcel.status) == ("returned", "dispatched")
    assert statuses(order)[1] == "dispatched"


def test_a_delivery_that_cdek_takes_back_is_unsaid(vendor, client):
    order = factories.released_order(shipping_address=anna())
    send()
    vendor.confirm(CarrierOrder.objects.get().external_id)
    hear(vendor, client)
    code = box(order).tracking_code
    for step in ("in_transit", "delivered"):
        vendor.advance(code, step)
    hear(vendor, client)
    assert box(order).tracking_state == "delivered"
    vendor.take_back(code)
    vendor.advance(code, "attempt_failed")
    hear(vendor, client)
    assert box(order).tracking_state == "delivery_failed"
    assert statuses(order)[1] != "delivered"


def test_an_order_that_cdek_finds_wrong_is_shown_with_its_words(vendor, client):
    order = factories.released_order(shipping_address=anna(first_name="ООО /", last_name="Ромашка"))
    send()
    row = CarrierOrder.objects.get()
    vendor.confirm(row.external_id)
    CarrierOrder.objects.update(next_check_at=timezone.now())
    watch_parcels()
    row.refresh_from_db()
    assert row.status == "refused"
    assert "невозможно использование символа" in row.problem
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.problem == "carriage_refused"


def test_without_a_phone_number_cdek_is_not_called(vendor):
    factories.released_order(shipping_address=anna(phone_number=""))
    send()
    row = CarrierOrder.objects.get()
    assert (row.status, vendor.orders()) == ("refused", 0)
    assert "phone" in row.problem


def test_a_released_order_that_is_given_up_is_deleted_there(vendor, client):
    order = factories.released_order(shipping_address=anna())
    send()
    vendor.confirm(CarrierOrder.objects.get().external_id)
    hear(vendor, client)
    cancelling.cancel_order(order=order, actor=TEAM, reason="Changed mind")
    send()
    assert CarrierOrder.objects.get().status == "cancelled"
    [there] = vendor.books.all("order")
    assert there["deletion"]["state"] == "SUCCESSFUL"


@pytest.mark.parametrize("query", ["", "token=", "token=guessed-by-a-stranger", "Token=cdek-sandbox-unguessable-token"])
def test_a_stranger_leaves_no_trace(vendor, client, query):
    vendor.advance(vendor.parcel(), "delivered")
    [letter] = vendor.letters
    assert client.post(f"{HOOK}?{query}", letter.body, content_type="application/json").status_code == 401
    assert not InboundMessage.objects.exists()
