"""Who may fetch an order's invoice: staff who see the order, and the customer whose it is."""

import pytest

from oscar_fulfillment.services import cancelling
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS
from tests import pdf

from .test_order_list import partner_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}


@pytest.fixture
def method(db):
    return factories.manual_method("invoice", name="Invoice", sends_invoice=True)


def staff_url(order):
    return f"/dashboard/orders/{order.number}/invoice.pdf"


def customer_url(order, hash=""):
    return f"/fulfillment/invoice/{order.number}/" + (f"{hash}/" if hash else "")


def is_invoice_of(answer, order):
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'inline; filename="invoice-{order.number}.pdf"'
    assert "no-store" in answer["Cache-Control"]
    return order.number in pdf.words(answer.content)


@pytest.mark.feature("E6")
def test_staff_fetch_the_invoice_from_the_payment_box(client, method):
    order = factories.placed_order(method=method)
    client.force_login(factories.staff_user("view_orderfulfillment"))
    page = client.get(f"/dashboard/orders/{order.number}/").content.decode()
    assert f'href="{staff_url(order)}"' in page
    assert is_invoice_of(client.get(staff_url(order)), order)


def test_staff_fetch_it_for_any_method_that_has_a_seller(client, settings):
    order = factories.placed_order()
    client.force_login(factories.staff_user("view_orderfulfillment"))
    assert is_invoice_of(client.get(staff_url(order)), order)
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": {}}
    assert "invoice.pdf" not in client.get(f"/dashboard/orders/{order.number}/").content.decode()
    answer = client.get(staff_url(order), follow=True)
    assert answer.redirect_chain[-1][0].startswith(f"/dashboard/orders/{order.number}/")
    assert "names no seller" in answer.content.decode()


def test_an_invoice_that_cannot_be_made_says_why(client):
    order = factories.placed_order(currency="RUB", number="T|1")
    client.force_login(factories.staff_user("view_orderfulfillment"))
    page = client.get(staff_url(order), follow=True).content.decode()
    assert "The invoice cannot be made: Purpose holds a character" in page


def test_nobody_else_fetches_it_from_the_dashboard(client, method):
    order = factories.placed_order(method=method)
    assert client.get(staff_url(order)).status_code == 302
    client.force_login(factories.staff_user("release_order"))
    assert client.get(staff_url(order)).status_code == 403


def test_a_partners_people_fetch_those_of_their_orders(client, method):
    own = factories.placed_order(method=method, lines=[(factories.product(partner="North"), 1)])
    foreign = factories.placed_order(method=method, lines=[(factories.product(partner="South"), 1)])
    partner_user(client, "North")
    assert is_invoice_of(client.get(staff_url(own)), own)
    assert client.get(staff_url(foreign)).status_code == 404


@pytest.mark.parametrize("verb", ["post", "put", "delete"])
def test_it_is_only_read(client, method, verb):
    order = factories.placed_order(method=method)
    client.force_login(factories.staff_user("*"))
    assert getattr(client, verb)(staff_url(order)).status_code == 405
    assert getattr(client, verb)(customer_url(order)).status_code == 405


@pytest.mark.parametrize("number", ["nosuch", "%00", "x" * 200, "..%2f.."])
def test_unknown_orders_are_not_there(client, number):
    client.force_login(factories.staff_user("*"))
    assert client.get(f"/dashboard/orders/{number}/invoice.pdf").status_code == 404
    assert client.get(f"/fulfillment/invoice/{number}/").status_code == 404


@pytest.mark.feature("E6")
def test_the_customer_fetches_it_from_the_account(client, method):
    customer = factories.staff_user()
    order = factories.placed_order(user=customer, method=method)
    client.force_login(customer)
    page = client.get(f"/accounts/orders/{order.number}/").content.decode()
    assert f'href="{customer_url(order)}"' in page
    assert is_invoice_of(client.get(customer_url(order)), order)


def test_other_customers_and_visitors_do_not(client, method):
    order = factories.placed_order(user=factories.staff_user(), method=method)
    urls = [customer_url(order), customer_url(order, order.verification_hash())]
    assert [client.get(url).status_code for url in urls] == [404, 404]
    client.force_login(factories.staff_user("*"))
    assert [client.get(url).status_code for url in urls] == [404, 404]


@pytest.mark.feature("E6")
def test_a_guest_fetches_it_with_the_link_and_the_address(client, method):
    order = factories.placed_order(method=method, email="Ana@example.com")
    hash = order.verification_hash()
    assert client.get(customer_url(order, hash)).status_code == 404
    client.post(f"/accounts/order-status-form/{order.number}/{hash}/", {"email": order.guest_email})
    page = client.get(f"/accounts/order-status/{order.number}/{hash}/").content.decode()
    assert f'href="{customer_url(order, hash)}"' in page
    assert is_invoice_of(client.get(customer_url(order, hash)), order)
    assert client.get(customer_url(order)).status_code == 404
    assert client.get(customer_url(order, "wrong:hash")).status_code == 404
    other = factories.placed_order(method=method, email="other@example.com")
    assert client.get(customer_url(other, other.verification_hash())).status_code == 404
    assert client.get(customer_url(other, hash)).status_code == 404


@pytest.mark.feature("E6")
def test_a_guest_who_has_just_ordered_fetches_it_from_the_thank_you_page(client, method):
    order = factories.placed_order(method=method)
    session = client.session
    session["checkout_order_id"] = order.pk
    session.save()
    page = client.get("/checkout/thank-you/").content.decode()
    url = customer_url(order, order.verification_hash())
    assert f'href="{url}"' in page
    assert is_invoice_of(client.get(url), order)


def test_there_is_none_for_other_methods_and_for_cancelled_orders(client, method):
    customer = factories.staff_user()
    client.force_login(customer)
    plain = factories.placed_order(user=customer)
    off = factories.placed_order(user=customer, method=method)
    cancelling.cancel_order(order=off, actor=factories.TEAM, reason="Out of fashion")
    for order in (plain, off):
        assert "fulfillment/invoice" not in client.get(f"/accounts/orders/{order.number}/").content.decode()
        assert client.get(customer_url(order)).status_code == 404


def test_a_failure_is_a_missing_page_to_the_customer(client, method, caplog):
    customer = factories.staff_user()
    order = factories.placed_order(user=customer, method=method, currency="RUB", number="T|1")
    client.force_login(customer)
    assert client.get(f"/fulfillment/invoice/{order.number}/").status_code == 404
    assert "cannot be made" in caplog.text
