"""Orders of the shop go with Correios, which is asked, and with Melhor Envio, which tells: from dispatch to the door."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import override_settings

from oscar_fulfillment.core import inbox
from oscar_fulfillment.models import InboundMessage, LaneHealth, TrackingEvent, UnmappedCode
from oscar_fulfillment.tasks import watch_parcels
from oscar_fulfillment.webhooks.carriers import register_carriers
from sandbox.simulators import __main__ as simulators
from sandbox.simulators.base import serve
from sandbox.vendors import carriers as accounts

from .parcels import box, due_now, mails, on_the_way, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A13")]
HOOK = "/fulfillment/webhooks/carriers/melhor_envio/"
CODE, OTHER = "AA000000014BR", "AA123456785BR"


@pytest.fixture
def vendors():
    """The sandbox's vendors by name, and the shop with its accounts there."""
    built = {name: vendor for name, vendor in simulators.build().items() if name in ("correios", "melhor_envio")}
    built["melhor_envio"].deliver = lambda letter: built["melhor_envio"].letters.append(letter) or 200
    simulators.tell_address(built, "https://shop.example")
    with serve(simulators.application(built)) as address:
        with override_settings(OSCAR_FULFILLMENT={**settings.OSCAR_FULFILLMENT, "CARRIERS": accounts(address)}):
            register_carriers()
            yield built


def post(client, headers, body):
    sent = {
        f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items() if name != "Content-Type"
    }
    return client.post(HOOK, body, content_type="application/json", **sent).status_code


def hear(vendor, client):
    for letter in vendor.letters:
        assert urlsplit(letter.url).path == HOOK
        assert post(client, letter.headers, letter.body) == 200
    vendor.letters.clear()
    inbox.process()


def test_parcels_of_correios_are_asked_for_until_they_have_arrived(vendors):
    correios = vendors["correios"]
    order, other = on_the_way(CODE, carrier="correios"), on_the_way(OTHER, carrier="correios")
    due_now()
    assert watch_parcels()["correios"] == 2
    assert len([call for call in correios.calls if call[1].startswith("/srorastro/")]) == 1
    assert box(order).tracking_problem == "not_found"
    for step in ("collected", "in_transit", "unknown", "attempt_failed", "out_for_delivery", "delivered"):
        correios.advance(CODE, step)
    correios.advance(OTHER, "attempt_failed")
    due_now()
    watch_parcels()
    assert (box(order).tracking_state, box(order).tracking_text) == ("delivered", "Objeto entregue ao destinatário")
    assert statuses(order)[1] == "delivered"
    assert "FULFILLMENT_ORDER_DELIVERED" in mails(order)
    assert (box(other).tracking_state, box(other).incident) == ("delivery_failed", "absent")
    assert UnmappedCode.objects.get().code == "XPT/77"
    due_now()
    assert watch_parcels()["correios"] == 1  # nobody asks for what has arrived


def test_a_return_by_correios_is_no_delivery(vendors):
    correios = vendors["correios"]
    order = on_the_way(CODE, carrier="correios")
    for step in ("in_transit", "attempt_failed", "returning", "in_transit", "returned"):
        correios.advance(CODE, step)
    due_now()
    watch_parcels()
    assert box(order).tracking_state == "returned"
    assert statuses(order)[1] == "dispatched"


def test_correios_down_for_a_while_loses_nothing(vendors):
    correios = vendors["correios"]
    order = on_the_way(CODE, carrier="correios")
    correios.advance(CODE, "delivered")
    correios.mood = "down"
    due_now()
    watch_parcels()
    assert box(order).tracking_state in ("", "pending")
    assert box(order).next_check_at is not None
    correios.mood = "well"
    LaneHealth.objects.all().delete()  # its rest is over
    due_now()
    watch_parcels()
    assert box(order).tracking_state == "delivered"


def test_melhor_envio_tells_and_is_asked_again(vendors, client):
    vendor = vendors["melhor_envio"]
    code = vendor.parcel("ME00000001BR")
    order = on_the_way(code, carrier="melhor_envio")
    for step in ("in_transit", "attempt_failed", "delivered"):
        vendor.advance(code, step, "twice")
    hear(vendor, client)
    assert box(order).tracking_state == "delivered"
    assert statuses(order)[1] == "delivered"
    assert [call[1] for call in vendor.calls].count("/api/v2/me/orders/search") == 1


def test_the_link_of_a_notification_goes_nowhere(vendors, client):
    vendor = vendors["melhor_envio"]
    code = vendor.parcel("ME00000001BR")
    order = on_the_way(code, carrier="melhor_envio")
    vendor.advance(code, "in_transit")
    assert b"evil.example" in vendor.letters[0].body
    hear(vendor, client)
    assert box(order).tracking_url == f"https://www.melhorrastreio.com.br/rastreio/{code}"
    assert not TrackingEvent.objects.filter(text__contains="evil").exists()


def test_the_trial_of_the_address_is_answered_and_leaves_one_row(vendors, client):
    for body in ("{}", '{"event": "test"}', '{"event": "another"}'):
        assert post(client, {}, body) == 200
    assert InboundMessage.objects.count() == 1
    inbox.process()
    assert InboundMessage.objects.get().status == "ignored"


def test_a_forged_notification_leaves_no_trace(vendors, client):
    vendor = vendors["melhor_envio"]
    vendor.advance(vendor.parcel("ME00000001BR"), "delivered")
    [letter] = vendor.letters
    assert post(client, {}, letter.body) == 401
    assert post(client, {"X-ME-Signature": "AAAA"}, letter.body) == 401
    assert post(client, letter.headers, letter.body + b" ") == 401
    assert not InboundMessage.objects.exists()
