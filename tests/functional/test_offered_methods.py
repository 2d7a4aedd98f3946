"""Who may pay by what, where, in which currency; in the checkout, and when the order is placed."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_fulfillment.gateways import gateways
from oscar_fulfillment.models import OrderFulfillment, PaymentMethod
from oscar_fulfillment.selectors.payment_methods import offered
from oscar_fulfillment.test import factories

from .steps import text_of
from .test_checkout_payment import SWITZERLAND, countries, fill_basket, pay, place, to_payment

__all__ = ["countries"]

pytestmark = pytest.mark.django_db

Order = get_model("order", "Order")


@pytest.fixture
def dealer(django_user_model):
    user = django_user_model.objects.create_user("dealer", "dealer@example.com", "x")
    user.groups.add(Group.objects.create(name="Dealers"))
    return user


@pytest.fixture
def lea(django_user_model):
    return django_user_model.objects.create_user("lea", "lea@example.com", "x")


def codes(user=None, **asked):
    return [method.code for method in offered(user=user or AnonymousUser(), **asked)]


def invoice(**fields):
    return factories.manual_method("invoice", due_days=30, ships_before_payment=True, **fields)


@pytest.mark.feature("E16")
def test_dealers_and_retail_buyers_are_offered_different_methods(dealer, lea):
    factories.manual_method("retail", position=1)
    deferred = factories.manual_method("deferred", position=2, audience="groups")
    deferred.groups.set(dealer.groups.all())
    assert codes(dealer) == ["retail", "deferred"]
    assert codes(lea) == codes() == ["retail"]
    dealer.groups.clear()
    assert codes(dealer) == ["retail"]


@pytest.mark.feature("D14")
def test_purchase_on_invoice_is_off_until_it_is_enabled_for_a_customer(dealer, lea):
    method = invoice(audience="customers")
    assert codes(lea) == codes(dealer) == codes() == []
    method.customers.add(lea)
    assert codes(lea) == ["invoice"]
    assert codes(dealer) == codes() == []


def test_kept_groups_and_customers_count_only_for_their_audience(dealer, lea):
    method = invoice(audience="customers")
    method.groups.set(dealer.groups.all())
    assert codes(dealer) == []
    PaymentMethod.objects.update(audience="groups")
    method.customers.add(lea)
    assert (codes(lea), codes(dealer)) == ([], ["invoice"])


def test_a_customer_in_two_groups_sees_a_method_once(dealer):
    method = invoice(audience="groups")
    dealer.groups.add(Group.objects.create(name="VIP"))
    method.groups.set(dealer.groups.all())
    assert codes(dealer) == ["invoice"]


def test_countries_currencies_and_flows_limit_where_they_are_known():
    factories.manual_method("ch", countries=["CH", "LI"], currencies=["CHF"])
    factories.manual_method("br", countries=["BR"], currencies=["BRL"], flows=["BRAZIL"])
    factories.manual_method("any")
    assert codes(country="CH", currency="CHF", flow="STANDARD") == ["ch", "any"]
    assert codes(country="BR", currency="BRL", flow="BRAZIL") == ["br", "any"]
    assert codes(country="CH", currency="EUR") == ["any"]
    assert codes(country="BR", currency="BRL", flow="STANDARD") == ["any"]
    assert codes(country="BR", currency="BRL", flow="") == ["any"], "a flow nobody can tell offers none of its methods"
    assert codes(flow="BRAZIL") == ["ch", "br", "any"], "what is not known yet limits nothing"


def test_the_flow_is_asked_for_only_where_a_method_needs_it():
    asked = []
    factories.manual_method("any")
    assert codes(flow=lambda: asked.append(1) or "BRAZIL") == ["any"]
    assert asked == []
    for code in ("one", "two"):
        factories.manual_method(code, flows=["BRAZIL"])
    assert codes(flow=lambda: asked.append(1) or "BRAZIL") == ["any", "one", "two"]
    assert asked == [1]


def test_a_provider_that_is_not_there_is_not_offered(monkeypatch, settings, caplog):
    factories.gateway_method("card")
    factories.gateway_method("gone", provider="gone")
    factories.gateway_method("lost", provider_method="lost")
    assert codes(currency="CHF") == ["card"]
    monkeypatch.setattr(type(gateways.get("demo")), "currencies", frozenset({"BRL"}))
    assert (codes(currency="CHF"), codes(currency="BRL")) == ([], ["card"])
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {
        "GATEWAYS": {"demo": {"BACKEND": "oscar_fulfillment.test.gateways.FakeGateway", "OPTIONS": {"colour": "red"}}}
    }
    assert codes(currency="BRL") == []
    assert "cannot be used" in caplog.text


# In the checkout


@pytest.mark.feature("E16")
def test_the_checkout_shows_what_fits_the_address_and_the_buyer(client, countries, lea):
    factories.manual_method("ch", name="Swiss transfer", countries=["CH"], currencies=["BRL"])
    factories.manual_method("fr", name="French transfer", countries=["FR"])
    factories.manual_method("chf", name="Francs only", currencies=["CHF"])
    invoice(name="On invoice", audience="customers").customers.add(lea)
    factories.manual_method("flow", name="Only in Brazil's flow", flows=["BRAZIL"])
    factories.manual_method("other", name="Only in the plugin's flow", flows=["PLUGIN"])
    to_payment(client, SWITZERLAND)
    shown = client.get(reverse("checkout:payment-method")).context["form"].methods
    assert list(shown) == ["ch", "flow"]  # the test shop's baskets are in BRL, so its flow is BRAZIL
    for code in ("fr", "chf", "invoice", "other"):
        assert pay(client, payment_method=code).status_code == 422
    client.force_login(lea)
    fill_basket(client)
    client.post(reverse("checkout:shipping-address"), SWITZERLAND | {"country": "FR", "postcode": "69002"})
    client.get(reverse("checkout:shipping-method"))
    shown = client.get(reverse("checkout:payment-method")).context["form"].methods
    assert list(shown) == ["fr", "invoice", "flow"]


@pytest.mark.feature("D14", "Z3")
def test_what_is_taken_away_between_choice_and_placing_is_refused(client, countries, lea):
    method = invoice(name="On invoice", audience="customers")
    method.customers.add(lea)
    factories.manual_method()
    client.force_login(lea)
    fill_basket(client)
    client.post(reverse("checkout:shipping-address"), SWITZERLAND)
    client.get(reverse("checkout:shipping-method"))
    assert pay(client, payment_method="invoice").status_code == 302
    method.customers.clear()
    response = place(client)
    assert response["Location"] == reverse("checkout:payment-method")
    text = text_of(client.get(response["Location"]))
    assert "“On invoice” is not offered for this order any more. Please choose another way to pay." in text
    assert not Order.objects.exists()
    pay(client, payment_method="deposit")
    assert place(client)["Location"] == reverse("checkout:thank-you")
    assert OrderFulfillment.objects.get().payment_method.code == "deposit"


def test_a_method_does_not_follow_to_another_country(client, countries):
    factories.manual_method("ch", name="Swiss", countries=["CH"])
    factories.manual_method("any", name="Any")
    to_payment(client, SWITZERLAND)
    pay(client, payment_method="ch")
    client.post(reverse("checkout:shipping-address"), SWITZERLAND | {"country": "FR", "postcode": "69002"})
    client.get(reverse("checkout:shipping-method"))
    assert place(client)["Location"] == reverse("checkout:payment-method")
    assert not Order.objects.exists()


def test_where_no_method_fits_no_order_is_placed_without_one(client, countries):
    factories.manual_method("br", countries=["BR"])
    to_payment(client, SWITZERLAND)
    url = reverse("checkout:payment-method")
    response = client.get(url)
    assert response.status_code == 200
    assert "There is no way to pay for this order online." in text_of(response)
    assert 'type="submit" class="btn btn-lg btn-primary"' not in response.text
    assert pay(client).status_code == 422
    assert client.get(reverse("checkout:payment-details"))["Location"] == url
    assert client.get(reverse("checkout:preview"))["Location"] == url
    assert place(client)["Location"] == url
    assert not Order.objects.exists()


def needs_lines(order):
    return "BRAZIL" if order.lines.count() else "STANDARD"


def test_a_flow_that_only_a_placed_order_tells_hides_methods_of_single_flows(client, countries, settings, caplog):
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"FLOW": f"{__name__}.needs_lines"}
    factories.manual_method("flow", flows=["BRAZIL"])
    factories.manual_method("any")
    to_payment(client, SWITZERLAND)
    assert list(client.get(reverse("checkout:payment-method")).context["form"].methods) == ["any"]
    assert "cannot be told before" in caplog.text
