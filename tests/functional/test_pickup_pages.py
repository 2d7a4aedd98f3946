"""Pick-up in the browser's words: the counter's page, the order page, the customer's page."""

import pytest
from django.urls import reverse

from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.services import packed, pickup
from oscar_fulfillment.test import factories

from ..integration.desk import begun, cash_order, packer, scan, waiting, with_counter
from .steps import form_data, page_url, step_url, take, text_of
from .test_customer_order import read, timeline
from .test_scan_desk import sent

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D5")]

PICKUP = reverse("dashboard:scan-pickup")


@pytest.fixture(autouse=True)
def counter(settings):
    with_counter(settings)


@pytest.fixture
def order(db):
    return cash_order()


@pytest.fixture
def clara(client):
    user = factories.staff_user("deliver_order", "dispatch_order", "view_orderfulfillment", first_name="Clara")
    client.force_login(user)
    return user


@pytest.fixture
def ready(order):
    pickup.ready_for_pickup(order=order, actor=factories.TEAM)
    return waiting(order)


def counter_url(shipment):
    return reverse("dashboard:scan-hand-over", kwargs={"shipment": shipment.pk})


def filled(client, url, **typed):
    """What a browser would send from the counter's page."""
    form = client.get(url).context["form"]
    found = {field.html_name: field.value() for field in form if field.value() is not None}
    return {**found, **typed}


def test_the_customers_code_leads_to_the_goods_and_hands_them_over(client, clara, order, ready):
    answer = sent(client, PICKUP, ready.pickup_code)
    assert answer["ok"]
    page = client.get(answer["go"])
    assert "2 × Mug" in text_of(page)
    assert "20.00" in text_of(page)
    data = filled(client, answer["go"], cash_taken="20.00")
    assert data["code"] == ready.pickup_code
    short = client.post(counter_url(ready), data | {"cash_taken": "19"})
    assert short.status_code == 422
    assert "1.00 are missing" in text_of(short)
    done = client.post(counter_url(ready), data, follow=True)
    assert done.redirect_chain == [(PICKUP, 302)]
    assert "Hand over: done" in text_of(done)
    again = client.post(counter_url(ready), data, follow=True)  # the same form sent twice
    assert "Hand over: done" in text_of(again)
    assert StatusChange.objects.filter(action="hand_over").count() == 1
    assert "been delivered already" in sent(client, PICKUP, scan_codes.pickup_code(ready.pk))["say"]
    assert "No goods wait" in sent(client, PICKUP, ready.pickup_code)["say"]


def test_a_wrong_code_keeps_what_was_typed(client, clara, order, ready):
    data = filled(client, counter_url(ready), code="11", cash_taken="20", handed_to="Her son")
    response = client.post(counter_url(ready), data)
    assert response.status_code == 422
    assert "not the code of these goods" in text_of(response)
    assert "Her son" in text_of(response)
    form = response.context["form"]
    right = {field.html_name: field.value() for field in form if field.value() is not None}
    assert client.post(counter_url(ready), right | {"code": ready.pickup_code}).status_code == 302


@pytest.mark.parametrize("typed", [{"cash_taken": "abc"}, {"key": ""}, {"version": "x"}, {"handed_to": "x" * 200}])
def test_what_was_typed_wrongly_is_told(client, clara, order, ready, typed):
    data = filled(client, counter_url(ready), cash_taken="20") | {"code": ready.pickup_code} | typed
    assert client.post(counter_url(ready), data).status_code == 422
    assert waiting(order)


def test_the_counter_finds_goods_by_number_and_says_why_not(client, clara, order, settings):
    assert sent(client, PICKUP, order.number)["go"] == counter_url(waiting(order))
    assert "Nobody has told the customer yet" in text_of(client.get(counter_url(waiting(order))))
    settings.OSCAR_FULFILLMENT = {k: v for k, v in settings.OSCAR_FULFILLMENT.items() if k != "CARRIERS"}
    other = factories.released_order(currency="EUR")
    assert "it is sent" in sent(client, PICKUP, other.number)["say"]
    page = client.get(counter_url(waiting(other)))
    assert "it is sent" in text_of(page)
    assert '<button type="submit" class="btn btn-primary">Hand over' not in text_of(page)
    assert client.post(counter_url(waiting(other)), {"reason": "x", "version": "1", "key": "k" * 8}).status_code == 409
    assert client.get(reverse("dashboard:scan-hand-over", kwargs={"shipment": 10**8})).status_code == 404


def test_goods_that_wait_are_listed(client, clara, order, ready):
    page = client.get(PICKUP)
    assert counter_url(ready) in page.content.decode()


def test_one_of_several_shipments_is_offered_at_the_counter(client, clara, order):
    actor = packer()
    shipment = begun(waiting(order), actor)
    scan(shipment, actor, order.lines.get().partner_sku)
    packed.close_packing(shipment=shipment.pk, actor=actor, in_part=True)
    answer = sent(client, PICKUP, order.number)
    assert "choose one" in answer["say"]
    assert "which shipment?" in text_of(client.get(answer["go"]))
    data = filled(client, counter_url(shipment), reason="Known")
    assert str(data["shipment"]) == str(shipment.pk)
    assert client.post(counter_url(shipment), data).status_code == 302
    shipment.refresh_from_db()
    assert shipment.status == "delivered"


def test_the_desk_makes_collected_goods_ready(client, clara, order):
    shipment = waiting(order)
    sku = order.lines.get().partner_sku
    sent(client, reverse("dashboard:scan-desk"), scan_codes.shipment_code(shipment.pk))
    url = reverse("dashboard:scan-pack", kwargs={"shipment": shipment.pk})
    sent(client, url, f"2*{sku}")
    act = reverse("dashboard:scan-act", kwargs={"shipment": shipment.pk, "act": "close"})
    sent(client, act)
    page = text_of(client.get(url))
    assert "The customer comes for these goods" in page
    assert "Scan the tracking code" not in page
    assert "ready" in sent(client, act.replace("close", "ready"))["say"]
    assert waiting(order).pickup_code
    assert "The customer knows since" in text_of(client.get(url))


def test_the_order_page_offers_ready_then_hand_over(client, clara, order):
    page = text_of(client.get(page_url(order)))
    ready = reverse("dashboard:order-ready", kwargs={"number": order.number, "shipment": waiting(order).pk})
    assert ready in page
    assert step_url(order, "hand_over") in page
    assert step_url(order, "dispatch") not in page.split("Also")[0]
    response = client.post(ready, form_data(client, ready))
    assert response.status_code == 302
    assert ready not in text_of(client.get(page_url(order)))
    take(client, order, "hand_over", code=waiting(order).pickup_code, cash_taken="20")
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.shipping_status == "delivered"
    page = text_of(client.get(page_url(order)))
    assert "Nothing more is to be done" in page
    assert "Pick-up code" in page


def test_ready_without_a_mail(client, clara, order):
    url = reverse("dashboard:order-ready", kwargs={"number": order.number, "shipment": waiting(order).pk})
    client.post(url, form_data(client, url, notify="no"))
    assert waiting(order).ready_at
    assert not order.outbound_messages.filter(kind="FULFILLMENT_READY_FOR_PICKUP").exists()
    # Asked for again: refused, and said why.
    again = client.post(url, form_data(client, url))
    assert again.status_code == 409
    assert "knows already" in text_of(again)


def test_the_customer_sees_code_and_place(client, order, ready):
    page = read(client, order)
    assert ready.pickup_code in page
    assert "<svg" in page
    assert "Rue de Bourg 12" in page
    assert timeline(page)[-1] == "Ready to be collected"


def test_the_code_is_not_shown_to_staff_who_only_look(client, order, ready):
    client.force_login(factories.staff_user("view_orderfulfillment"))
    assert ready.pickup_code not in client.get(page_url(order)).content.decode()


@pytest.mark.parametrize("permission", ["dispatch_order", "deliver_order"])
def test_who_may_make_ready_and_hand_over(client, order, permission):
    client.force_login(factories.staff_user("view_orderfulfillment", permission))
    url = reverse("dashboard:order-ready", kwargs={"number": order.number, "shipment": waiting(order).pk})
    assert client.get(url).status_code == (200 if permission == "dispatch_order" else 403)
    assert client.get(step_url(order, "hand_over")).status_code == (200 if permission == "deliver_order" else 403)
