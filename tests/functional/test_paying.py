"""The buyer at the provider: from the checkout there and back, notifications, and what cannot be forged."""

import json

import pytest
from django.db import connection
from django.http import HttpRequest, UnreadablePostError
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_fulfillment.core import inbox
from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import InboundMessage, OrderFulfillment, PaymentMethod, ProviderPayment
from oscar_fulfillment.selectors.payment_links import payment_path
from oscar_fulfillment.services import provider_payments
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.gateways import TOKEN
from tests.integration.payments import begun, demo, hold_method, open_kinds, statuses

from .test_checkout_payment import SWITZERLAND, pay, place, to_payment

pytestmark = pytest.mark.django_db
Order = get_model("order", "Order")
HOOK = "/fulfillment/webhooks/payments/demo/"


@pytest.fixture
def switzerland():
    Country = get_model("address", "Country")
    Country.objects.create(
        iso_3166_1_a2="CH", name="Switzerland", printable_name="Switzerland", is_shipping_country=True
    )


@pytest.fixture
def card():
    demo()
    return PaymentMethod.objects.create(
        code="card", name="Card", kind="gateway", provider="demo", provider_method="card"
    )


def buy(client):
    to_payment(client, SWITZERLAND)
    pay(client, payment_method="card")
    return place(client)


def notify(client, payment, token=TOKEN, event="e1", **document):
    body = json.dumps({"id": event, "payment": payment.external_id, **document})
    headers = {"X-Token": token} if token else {}
    return client.post(HOOK, body, content_type="application/json", headers=headers)


@pytest.mark.feature("D8", "A3")
def test_the_checkout_leads_to_the_provider_and_back(client, switzerland, card):
    response = buy(client)
    order, payment = Order.objects.get(), ProviderPayment.objects.get()
    assert response.url == "https://pay.example/P1"
    assert payment.amount == order.total_incl_tax
    assert statuses(order) == ("awaiting_payment", "received")
    gateways.get("demo").pay(payment.reference)
    ProviderPayment.objects.update(checked_at=None)
    page = client.get(f"{payment_path(order)}?back=1", follow=True)
    assert "We have received your payment" in page.text
    assert statuses(order) == ("paid", "received")


def test_a_provider_that_is_down_keeps_the_order_and_offers_to_pay_later(client, switzerland, card):
    gateways.get("demo").go_down(1)
    response = buy(client)
    order = Order.objects.get()
    assert response.url == payment_path(order)
    page = client.get(response.url)
    assert "Your order is safe" in page.text
    assert "Pay now" in page.text
    again = client.post(payment_path(order))
    assert again.url == "https://pay.example/P1"
    assert ProviderPayment.objects.count() == 1


def test_the_buyer_comes_back_before_the_provider_knows(client, switzerland, card):
    buy(client)
    order = Order.objects.get()
    page = client.get(f"{payment_path(order)}?back=1", follow=True)
    assert "Go on with the payment" in page.text
    assert page.context["paying"].state == "open"


def test_the_state_alone_for_the_waiting_page(client):
    order, payment, provider = begun()
    url = reverse("fulfillment:pay-state", kwargs={"token": payment_path(order).split("/")[-2]})
    assert client.get(url).json() == {"state": "open"}
    provider.pay(payment.reference)
    assert client.get(url).json() == {"state": "open"}  # asked a moment ago
    ProviderPayment.objects.update(checked_at=None)
    assert client.get(url).json() == {"state": "paid"}


def test_codes_to_pay_with_are_shown_and_hostile_ones_are_not_links(client):
    order, payment, _provider = begun()
    hostile = '"><script>alert(1)</script>'
    ProviderPayment.objects.update(instructions={"pix_code": hostile, "boleto_url": "javascript:alert(1)"})
    page = client.get(payment_path(order))
    assert "<script>alert" not in page.text
    assert "javascript:" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("token", ["100001", "100001~forged", "~", "x"])
def test_a_link_that_we_did_not_sign_leads_nowhere(client, token):
    factories.placed_order(number="100001")
    assert client.get(reverse("fulfillment:pay", kwargs={"token": token})).status_code == 404
    assert client.post(reverse("fulfillment:pay", kwargs={"token": token})).status_code == 404


def test_a_cancelled_order_cannot_be_paid(client):
    order = factories.cancelled_order(method=factories.gateway_method())
    provider = demo()
    page = client.post(payment_path(order), follow=True)
    assert "There is nothing to pay" in page.text
    assert not provider.payments


def test_an_order_by_hand_has_nothing_to_begin(client):
    order = factories.placed_order()
    page = client.get(payment_path(order))
    assert "not paid online" in page.text


def test_a_held_order_says_so(client):
    order, payment, provider = begun(hold_method())
    provider.pay(payment.reference)
    ProviderPayment.objects.update(checked_at=None)
    page = client.get(f"{payment_path(order)}?back=1", follow=True)
    assert "The sum is reserved" in page.text


def test_a_refused_payment_may_be_tried_again(client):
    order, payment, provider = begun(factories.gateway_method("again", retry_hours=2))
    provider.change(payment.reference, state=PaymentState.REFUSED)
    ProviderPayment.objects.update(checked_at=None)
    page = client.get(f"{payment_path(order)}?back=1", follow=True)
    assert "The payment was refused" in page.text
    assert client.post(payment_path(order)).url == "https://pay.example/P2"


@pytest.mark.feature("A3")
def test_a_notification_is_stored_answered_and_processed(client):
    order, payment, provider = begun()
    provider.pay(payment.reference)
    assert notify(client, payment).text == "stored"
    assert notify(client, payment).text == "known"
    assert statuses(order)[0] == "awaiting_payment"
    inbox.process(source="payments:demo")
    assert statuses(order) == ("paid", "received")
    assert InboundMessage.objects.get().status == "processed"


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_forged_notification_leaves_nothing(client, token):
    order, payment, provider = begun()
    provider.pay(payment.reference)
    assert notify(client, payment, token=token).status_code == 401
    assert not InboundMessage.objects.exists()
    assert statuses(order)[0] == "awaiting_payment"


def test_a_notification_is_never_believed(client):
    order, payment, _provider = begun()
    notify(client, payment, status="paid", amount="20.00")
    inbox.process(source="payments:demo")
    assert statuses(order)[0] == "awaiting_payment"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_truncated_notification_is_refused(client, body):
    answer = client.post(HOOK, body, content_type="application/json", headers={"X-Token": TOKEN})
    assert answer.status_code == 400
    assert not InboundMessage.objects.exists()


def test_a_notification_that_is_too_large_is_refused(client, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "WEBHOOK_MAX_BYTES": 100}
    answer = client.post(HOOK, b"x" * 101, content_type="application/json", headers={"X-Token": TOKEN})
    assert answer.status_code == 413


@pytest.mark.parametrize("url", ["/fulfillment/webhooks/payments/nobody/", "/fulfillment/webhooks/other/demo/"])
def test_an_unknown_source_is_not_found(client, url):
    assert client.post(url, b"{}", content_type="application/json").status_code == 404


def test_a_notification_about_nothing_of_ours_is_ignored(client):
    demo()
    client.post(HOOK, b'{"id": "ping"}', content_type="application/json", headers={"X-Token": TOKEN})
    inbox.process(source="payments:demo")
    assert InboundMessage.objects.get().status == "ignored"


def test_a_payment_of_nobody_opens_a_follow_up(client):
    _order, payment, provider = begun()
    provider.change(payment.reference, reference="somebody-else")
    ProviderPayment.objects.all().delete()
    OrderFulfillment.objects.update(problem="")
    notify(client, payment)
    inbox.process(source="payments:demo")
    assert open_kinds() == ["unknown_payment"]


def test_a_provider_that_is_down_keeps_the_notification_for_later(client):
    order, payment, provider = begun()
    provider.pay(payment.reference)
    notify(client, payment)
    provider.go_down()
    inbox.process(source="payments:demo")
    assert InboundMessage.objects.get().status == "received"
    assert statuses(order)[0] == "awaiting_payment"


def test_the_account_page_leads_to_the_payment(client, django_user_model):
    user = django_user_model.objects.create_user("lea", "lea@example.com", "secret")
    order, _payment, _provider = begun(user=user)
    client.force_login(user)
    page = client.get(reverse("customer:order", kwargs={"order_number": order.number}))
    assert payment_path(order) in page.text


def test_what_goes_to_the_provider_is_text_and_adds_up(client, switzerland, card, monkeypatch):
    asked = []
    provider = gateways.get("demo")
    start = type(provider).start
    monkeypatch.setattr(
        type(provider), "start", lambda self, request, *, key: asked.append(request) or start(self, request, key=key)
    )
    buy(client)
    (request,) = asked
    assert isinstance(request.order_number, str)
    assert sum(item.total for item in request.items) == request.amount
    assert (request.buyer.name, request.buyer.country) == ("Léa Rochat", "CH")


def test_a_page_that_waits_asks_a_provider_that_is_down_only_now_and_then(client):
    order, _payment, provider = begun()
    ProviderPayment.objects.update(checked_at=None)
    provider.calls.clear()
    provider.go_down(9)
    path = f"{payment_path(order)}state/"
    for _poll in range(4):
        assert client.get(path).json() == {"state": "open"}
    assert provider.calls == ["fetch"]


def test_a_buyer_who_is_refused_again_and_again_has_to_wait(client):
    order, _payment, _provider = begun()
    for _attempt in range(30):
        ProviderPayment.objects.filter(fulfillment=order.pk).update(state="refused")
        client.post(payment_path(order))
    assert ProviderPayment.objects.count() == provider_payments.MAX_ATTEMPTS
    response = client.post(payment_path(order), follow=True)
    assert "Too many attempts" in response.text


@pytest.mark.parametrize("length", ["abc", "-1", "9" * 30])
def test_a_hostile_length_is_no_error_of_ours(client, length):
    response = client.generic("POST", HOOK, b"{}", headers={"X-Token": TOKEN}, CONTENT_LENGTH=length)
    assert response.status_code in (200, 400, 413)


def test_a_notification_cut_on_its_way_is_refused(client, monkeypatch):
    def cut(self):
        raise UnreadablePostError("connection reset")

    monkeypatch.setattr(HttpRequest, "body", property(cut))
    assert client.post(HOOK, b"{}", content_type="application/json").status_code == 400
    assert not InboundMessage.objects.exists()


def test_a_payment_the_provider_does_not_have_is_nobodys(client):
    demo()
    body = b'{"id": "e-404", "payment": "P404"}'
    client.post(HOOK, body, content_type="application/json", headers={"X-Token": TOKEN})
    assert dict(inbox.process()) == {"ignored": 1}


def test_an_order_that_costs_nothing_leads_to_no_provider(client, switzerland, card):
    product = to_payment(client, SWITZERLAND)
    pay(client, payment_method="card")
    product.stockrecords.update(price=0)
    answer = place(client)
    assert answer.url == reverse("checkout:thank-you")
    assert statuses(Order.objects.get())[0] == "paid"
    assert gateways.get("demo").calls == []


def test_an_order_without_a_method_has_nothing_to_begin(client):
    order = factories.placed_order()
    OrderFulfillment.objects.update(payment_method=None)
    page = client.post(payment_path(order), follow=True)
    assert "not paid online" in page.text


def test_no_provider_is_called_while_the_order_may_still_be_undone(client, switzerland, card, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    seen = []
    start = type(gateways.get("demo")).start

    def look(self, request, *, key):
        seen.append(len(connection.savepoint_ids))
        return start(self, request, key=key)

    monkeypatch.setattr(type(gateways.get("demo")), "start", look)
    outside = len(connection.savepoint_ids)
    answer = buy(client)
    order = Order.objects.get()
    assert (answer.url, seen) == (payment_path(order), [])
    assert client.post(payment_path(order)).url == "https://pay.example/P1"
    assert seen == [outside]
