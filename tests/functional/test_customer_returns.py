"""Returns as the customer asks for them: in the account, and behind a guest's signed link."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_fulfillment.models import Return, Shipment
from oscar_fulfillment.selectors.payment_links import returns_path
from oscar_fulfillment.services import returns
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS

from ..integration import returns as do
from ..pdf import codes, words
from .steps import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D15")]

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def customer():
    return factories.get_user_model().objects.create_user("ana", "ana@example.com", "x", first_name="Ana")


def arrive(client, order):
    """The customer of the order, by whichever way; the address of the page of returns."""
    if order.user_id:
        client.force_login(order.user)
    else:
        link = f"{order.number}/{order.verification_hash()}/"
        client.post(f"/accounts/order-status-form/{link}", {"email": order.guest_email})
    return returns_path(order)


def order_page(client, order):
    return client.get(reverse("customer:order", kwargs={"order_number": order.number}) if order.user_id else reverse(
        "customer:anon-order", kwargs={"order_number": order.number, "hash": order.verification_hash()}))  # fmt: skip


def data_of(form, **typed):
    found = {field.html_name: field.value() for field in form if field.value() is not None}
    return {**found, **typed}


def ask(client, order, units="1", reason="damaged", title="Mug", **typed):
    url = returns_path(order)
    pk = do.line(order, title).pk
    page = client.get(url)
    given = {f"units_{pk}": units, f"reason_{pk}": reason}
    return client.post(url, data_of(page.context["form"], **given, **typed))


@pytest.mark.parametrize("account", [True, False], ids=["account", "guest"])
def test_the_customer_asks_follows_and_fetches_the_slip(account, client, customer, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}
    order = do.delivered(("Mug", "10.00", 3), user=customer if account else None)
    url = arrive(client, order)
    assert f'href="{url}"' in order_page(client, order).content.decode()
    response = ask(client, order, "2", note=f"Cracked {HOSTILE}", wants="exchange")
    assert (response.status_code, response["Location"]) == (302, url)
    ret = Return.objects.get()
    assert (ret.status, ret.by_customer, ret.wants, ret.customer_note) == (
        "requested", True, "exchange", f"Cracked {HOSTILE}",
    )  # fmt: skip
    assert do.mails(order) == ["RETURN_REQUESTED", "OPERATOR_RETURN"]
    page = text_of(client.get(url))
    assert "Thank you. We look at it and write to you." in page
    assert "2 &times; Mug: Arrived damaged" in page
    assert "We look at it" in text_of(order_page(client, order))
    slip = f"{url}{ret.pk}/slip.pdf"
    assert client.get(slip).status_code == 404
    returns.approve_return(ret=ret, actor=do.TEAM, answer=f"By post {HOSTILE}")
    page = client.get(url).content.decode()
    assert "Approved: please send the goods" in page
    assert HOSTILE not in page
    assert f'href="{slip}"' in page
    pdf = client.get(slip)
    assert pdf["Content-Type"] == "application/pdf"
    assert order.number in words(pdf.content)
    assert codes(pdf.content)
    do.settle(do.receive(ret, 2), amount="20.00")
    assert "20.00 back to you" in text_of(client.get(url))
    assert "Return settled" in text_of(order_page(client, order))


@pytest.mark.parametrize("account", [True, False], ids=["account", "guest"])
def test_the_customer_cancels_while_nobody_has_approved(account, client, customer):
    order = do.delivered(user=customer if account else None)
    url = arrive(client, order)
    ask(client, order)
    ret = Return.objects.get()
    assert f'action="{url}{ret.pk}/cancel/"' in client.get(url).content.decode()
    for _time in range(2):  # a second click finds it done
        assert client.post(f"{url}{ret.pk}/cancel/")["Location"] == url
    assert "Your return is cancelled." in text_of(client.get(url))
    assert Return.objects.get().status == "cancelled"
    ret = do.approved(order)
    assert f"{ret.pk}/cancel/" not in client.get(url).content.decode()
    client.post(f"{url}{ret.pk}/cancel/")
    assert "Not possible: the return is" in text_of(client.get(url))
    assert Return.objects.get(pk=ret.pk).status == "approved"


def test_a_double_click_asks_once_also_for_everything(client, customer):
    order = do.delivered(user=customer)
    url = arrive(client, order)
    pk = do.line(order).pk
    data = data_of(client.get(url).context["form"], **{f"units_{pk}": "3", f"reason_{pk}": "other"})
    for _time in range(2):
        assert client.post(url, data).status_code == 302
    assert Return.objects.count() == 1
    assert client.get(url).context["form"] is None
    assert "All goods of this order are in a return already." in text_of(client.get(url))
    changed = client.post(url, data | {f"units_{pk}": "1"})  # gone back to, and changed
    assert changed.status_code == 422
    assert "At most 0 of “Mug” can come back." in text_of(changed)
    assert Return.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"units": ""}, "Choose at least one unit."),
        ({"units": "0"}, "Choose at least one unit."),
        ({"units": "4"}, "At most 3 of “Mug” can come back."),
        ({"units": "-1"}, "greater than or equal to 0"),
        ({"units": "x"}, "Enter a whole number."),
        ({"units": "9" * 40}, "less than or equal to"),
        ({"reason": ""}, "Choose one of the reasons."),
        ({"reason": "undeliverable"}, "Select a valid choice."),
        ({"reason": "magic"}, "Select a valid choice."),
        ({"wants": "magic"}, "Select a valid choice."),
        ({"note": "x" * 4001}, "At most 4000 characters."),
        ({"note": "bell \x07"}, "cannot be stored"),
        ({"note": HOSTILE, "units": "4"}, "At most 3"),
        ({"key": ""}, "This form was not complete."),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_stays(typed, words, client, customer):
    order = do.delivered(user=customer)
    arrive(client, order)
    response = ask(client, order, **{"units": "1", "reason": "other", **typed})
    assert response.status_code == 422
    assert words in text_of(response)
    assert HOSTILE not in response.content.decode()
    assert not Return.objects.exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda user: factories.paid_order(currency="CHF", user=user), "Nothing of this order has been sent yet."),
        (lambda user: _late(do.delivered(user=user)), "Goods can be sent back within 30 days of their delivery."),
        (lambda user: _all_back(do.delivered(user=user)), "All goods of this order are in a return already."),
    ],
    ids=["not sent", "too late", "all back"],
)
def test_where_nothing_can_be_asked_for_it_says_why(make, words, client, customer):
    order = make(customer)
    url = arrive(client, order)
    assert words in text_of(order_page(client, order))
    assert "Return goods" not in text_of(order_page(client, order))
    page = client.get(url)
    assert page.context["form"] is None
    assert words in text_of(page)


def _late(order):
    Shipment.objects.update(delivered_at=timezone.now() - timedelta(days=31))
    return order


def _all_back(order):
    do.received(order, 3)
    return order


def test_a_shop_without_returns_by_customers_says_whom_to_ask(client, customer, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "RETURN_DAYS": 0}
    order = do.delivered(user=customer)
    url = arrive(client, order)
    assert "Please write to us" in text_of(client.get(url))


def test_a_cancelled_order_has_no_returns(client, customer):
    order = factories.cancelled_order(currency="CHF", user=customer)
    url = arrive(client, order)
    assert client.get(url).status_code == 404
    assert "Return goods" not in text_of(order_page(client, order))


def test_an_order_without_its_row_still_shows_its_page(client, customer):
    order = do.delivered(user=customer)
    client.force_login(customer)
    from oscar_fulfillment.selectors.customer_returns import customer_returns

    assert customer_returns(type(order)(user=customer, number="1")) is None


@pytest.mark.parametrize("what", ["", "{pk}/slip.pdf"])
def test_returns_are_shown_to_nobody_else(what, client, customer, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}
    mine, guests, others = do.delivered(user=customer), do.delivered(), do.delivered(user=factories.staff_user())
    rets = {order.pk: do.approved(order) for order in (mine, guests, others)}

    def url(order, base=None):
        return (base or returns_path(order)) + what.format(pk=rets[order.pk].pk)

    plain = f"/fulfillment/returns/{guests.number}/"
    assert client.get(url(mine)).status_code == 302  # to sign in
    assert "login" in client.get(url(mine))["Location"]
    form = client.get(url(guests))  # the link alone shows nothing: the address is asked for
    assert form["Location"] == f"/accounts/order-status-form/{guests.number}/{guests.verification_hash()}/"
    client.force_login(customer)
    assert client.get(url(mine)).status_code == 200
    assert client.get(url(others)).status_code == 404
    assert client.get(url(guests, plain)).status_code == 404
    wrong = f"/fulfillment/returns/{guests.number}/{mine.verification_hash()}/"
    assert client.get(url(guests, wrong)).status_code == 404
    assert client.get(url(mine, wrong)).status_code == 404
    # A return of another order under the address of one's own.
    if what:
        assert client.get(f"{returns_path(mine)}{rets[others.pk].pk}/slip.pdf").status_code == 404
        assert client.post(f"{returns_path(mine)}{rets[others.pk].pk}/cancel/").status_code == 404


@pytest.mark.parametrize("number", ["nobody", "x" * 200, "a%00b"])
def test_an_order_that_is_not_there(number, client, customer):
    client.force_login(customer)
    assert client.get(f"/fulfillment/returns/{number}/").status_code == 404
    assert client.post(f"/fulfillment/returns/{number}/").status_code == 404


def test_a_guests_address_is_not_handed_on(client):
    order = do.delivered()
    response = client.get(arrive(client, order))
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("language", ["fr", "pt", "ru"])
def test_the_page_speaks_the_readers_language(language, client, customer):
    order = do.delivered(user=customer)
    url = arrive(client, order)
    client.cookies["django_language"] = language
    page = client.get(url).content.decode()
    assert re.search(rf'<html[^>]* lang="{language}"', page)


def test_the_page_of_an_order_costs_few_queries_more(client, customer, django_assert_max_num_queries):
    from oscar_fulfillment.selectors.customer_returns import customer_returns

    order = do.delivered(("Mug", "10.00", 9), user=customer)
    for _time in range(4):
        do.ask(order)
    again = get_model("order", "Order").objects.select_related("fulfillment").get(pk=order.pk)
    with django_assert_max_num_queries(6):
        found = customer_returns(again)
    assert len(found.rows) == 4


def test_the_slip_of_another_status_or_without_a_seller_is_not_there(client, customer):
    order = do.delivered(user=customer)
    url = arrive(client, order)
    ret = do.approved(order)
    assert client.get(f"{url}{ret.pk}/slip.pdf").status_code == 404
    assert "slip.pdf" not in client.get(url).content.decode()
    assert client.get(f"{url}{2**70}/slip.pdf").status_code == 404
