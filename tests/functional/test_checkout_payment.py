"""The checkout: how to pay, the buyer's tax number, addresses in Brazil, and placing the order once."""

import re

import pytest
from django.urls import reverse
from oscar.core.loading import get_class, get_model

from oscar_fulfillment.models import OrderFulfillment, OutboundMessage, PaymentMethod
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db

Order = get_model("order", "Order")
BRAZIL = {
    "first_name": "João",
    "last_name": "Conceição",
    "line1": "Av. Paulista 1000",
    "line4": "São Paulo",
    "state": "SP",
    "postcode": "01310100",
    "country": "BR",
}
SWITZERLAND = {
    "first_name": "Léa",
    "last_name": "Rochat",
    "line1": "Rue de Bourg 12",
    "line4": "Lausanne",
    "postcode": "1003",
    "country": "CH",
}


@pytest.fixture
def countries():
    Country = get_model("address", "Country")
    for code, name in (("BR", "Brazil"), ("CH", "Switzerland"), ("FR", "France"), ("ES", "Spain")):
        Country.objects.create(iso_3166_1_a2=code, name=name, printable_name=name, is_shipping_country=True)


@pytest.fixture
def pix():
    return PaymentMethod.objects.create(code="pix", name="Pix", kind="manual", instructions="Key: shop@example.com")


@pytest.fixture
def card():
    return PaymentMethod.objects.create(
        code="card", name="Card", kind="gateway", provider="demo", provider_method="card", position=2
    )


def fill_basket(client, quantity=1):
    product = factories.product()
    client.post(reverse("basket:add", kwargs={"pk": product.pk}), {"quantity": quantity})
    return product


def to_payment(client, address, quantity=1):
    """As a guest, up to the choice of a payment method."""
    product = fill_basket(client, quantity)
    client.post(reverse("checkout:index"), {"username": "guest@example.com", "options": "anonymous"})
    response = client.post(reverse("checkout:shipping-address"), address)
    assert response.status_code == 302, response.context["form"].errors
    client.get(reverse("checkout:shipping-method"))
    return product


def pay(client, **data):
    return client.post(reverse("checkout:payment-method"), data)


def place(client):
    return client.post(reverse("checkout:preview"), {"action": "place_order"})


@pytest.mark.feature("A2")
def test_a_guest_in_brazil_buys_with_cnpj_with_letters(client, countries, pix, django_capture_on_commit_callbacks):
    to_payment(client, BRAZIL)
    page = client.get(reverse("checkout:payment-method"))
    assert "Pix" in page.text
    response = pay(client, payment_method="pix", tax_id_kind="cnpj", tax_id="12.abc.345/01de-35")
    assert response["Location"] == reverse("checkout:preview")
    preview = client.get(response["Location"])
    assert "Pix" in preview.text
    assert "12ABC34501DE35" in preview.text
    with django_capture_on_commit_callbacks():
        response = place(client)
    assert response["Location"] == reverse("checkout:thank-you")
    assert "Key: shop@example.com" in client.get(response["Location"]).text

    order = Order.objects.get()
    assert order.shipping_address.postcode == "01310-100"
    row = order.fulfillment
    assert (row.payment_method, row.tax_id_kind, row.tax_id) == (pix, "cnpj", "12ABC34501DE35")
    assert (row.payment_status, row.shipping_status) == ("awaiting_payment", "received")
    assert row.email == "guest@example.com"


@pytest.mark.feature("D1")
def test_the_mails_of_a_new_order_wait_in_the_outbox_and_the_view_sends_none(client, countries, pix, mailoutbox):
    to_payment(client, SWITZERLAND)
    pay(client, payment_method="pix")
    place(client)
    assert mailoutbox == []
    kinds = set(OutboundMessage.objects.filter(destination="mail").values_list("kind", flat=True))
    assert len(kinds) == 2, kinds


def test_an_order_without_a_fulfillment_row_gets_oscars_mail(client, countries, pix, mailoutbox, monkeypatch):
    from oscar.core.loading import get_class

    mixin = get_class("checkout.mixins", "OrderPlacementMixin")
    sent = []
    base = next(c for c in mixin.__mro__ if c.__module__ == "oscar.apps.checkout.mixins")
    monkeypatch.setattr(base, "send_order_placed_email", lambda self, order: sent.append(order))
    view = mixin()
    view.send_order_placed_email(object())
    assert len(sent) == 1
    view.send_order_placed_email(factories.placed_order())
    assert len(sent) == 1


def test_the_order_keeps_the_language_it_was_placed_in(client, countries, pix):
    client.cookies.load({"django_language": "fr"})
    to_payment(client, SWITZERLAND)
    pay(client, payment_method="pix")
    place(client)
    assert OrderFulfillment.objects.get().language == "fr"


@pytest.mark.feature("Z16")
def test_a_customer_with_an_account_buys_from_the_address_book(client, countries, pix, django_user_model):
    user = django_user_model.objects.create_user("ana", "ana@example.com", "x")
    client.force_login(user)
    fill_basket(client)
    UserAddress = get_model("address", "UserAddress")
    address = UserAddress.objects.create(
        user=user, country_id="CH", first_name="A", last_name="B", line1="x", line4="y", postcode="1003"
    )
    response = client.post(reverse("checkout:shipping-address"), {"action": "ship_to", "address_id": address.pk})
    assert response["Location"] == reverse("checkout:shipping-method")
    client.get(reverse("checkout:shipping-method"))
    pay(client, payment_method="pix", tax_id="CHE-109.322.551")
    assert place(client)["Location"] == reverse("checkout:thank-you")
    row = OrderFulfillment.objects.get()
    assert (row.tax_id_kind, row.tax_id, row.order.user) == ("uid", "CHE109322551", user)


@pytest.mark.parametrize(
    ("raw", "expected"), [("01310100", "01310-100"), ("01310-100", "01310-100"), ("01.310-100", "01310-100")]
)
def test_a_cep_is_taken_with_and_without_its_hyphen(client, countries, pix, raw, expected):
    to_payment(client, BRAZIL | {"postcode": raw})
    fields = client.session["checkout_data"]["shipping"]["new_address_fields"]
    assert fields["postcode"] == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [("postcode", "0131010"), ("postcode", "00000-000"), ("postcode", "٠١٣١٠١٠٠"), ("state", "XX"), ("state", "")],
)
def test_a_wrong_brazilian_address_is_refused_and_nothing_typed_is_lost(client, countries, field, value):
    fill_basket(client)
    client.post(reverse("checkout:index"), {"username": "guest@example.com", "options": "anonymous"})
    response = client.post(reverse("checkout:shipping-address"), BRAZIL | {field: value})
    assert field in response.context["form"].errors
    assert "Av. Paulista 1000" in response.text


def test_the_name_of_a_state_becomes_its_code(client, countries, pix):
    to_payment(client, BRAZIL | {"state": "São Paulo"})
    assert client.session["checkout_data"]["shipping"]["new_address_fields"]["state"] == "SP"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "payment_method"),
        ({"payment_method": "pix"}, "tax_id"),
        ({"payment_method": "bitcoin", "tax_id_kind": "cpf", "tax_id": "52998224725"}, "payment_method"),
        ({"payment_method": "pix", "tax_id_kind": "cpf", "tax_id": "52998224724"}, "tax_id"),
        ({"payment_method": "pix", "tax_id_kind": "cpf", "tax_id": "00000000000"}, "tax_id"),
        ({"payment_method": "pix", "tax_id_kind": "cnpj", "tax_id": "52998224726"}, "tax_id"),
        ({"payment_method": "pix", "tax_id_kind": "uid", "tax_id": "CHE109322551"}, "tax_id_kind"),
        ({"payment_method": "pix", "tax_id_kind": "cpf", "tax_id": "1" * 100_000}, "tax_id"),
        ({"payment_method": "pix", "tax_id_kind": "cpf", "tax_id": "<script>alert(1)</script>"}, "tax_id"),
    ],
)
def test_bad_input_is_refused_with_422_and_the_session_stays(client, countries, pix, data, field):
    to_payment(client, BRAZIL)
    before = dict(client.session["checkout_data"])
    response = pay(client, **data)
    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert "<script>alert" not in response.text
    assert client.session["checkout_data"] == before
    assert place(client)["Location"] == reverse("checkout:payment-method")
    assert not Order.objects.exists()


def test_a_number_of_the_other_kind_is_taken_as_what_it_is(client, countries, pix):
    to_payment(client, BRAZIL)
    assert pay(client, payment_method="pix", tax_id_kind="cpf", tax_id="12.ABC.345/01DE-35").status_code == 302
    assert client.session["checkout_data"]["payment"]["tax_identity"] == ["cnpj", "12ABC34501DE35"]


def test_the_step_cannot_be_skipped(client, countries, pix):
    to_payment(client, BRAZIL)
    assert client.get(reverse("checkout:preview"))["Location"] == reverse("checkout:payment-method")
    assert client.get(reverse("checkout:payment-details"))["Location"] == reverse("checkout:payment-method")


def test_a_method_switched_off_meanwhile_must_be_chosen_again(client, countries, pix, card):
    to_payment(client, SWITZERLAND)
    pay(client, payment_method="pix")
    PaymentMethod.objects.filter(pk=pix.pk).update(is_active=False)
    assert place(client)["Location"] == reverse("checkout:payment-method")
    assert not Order.objects.exists()


def test_a_tax_number_of_another_country_does_not_follow_to_the_new_address(client, countries, pix):
    to_payment(client, BRAZIL)
    pay(client, payment_method="pix", tax_id_kind="cpf", tax_id="529.982.247-25")
    client.post(reverse("checkout:shipping-address"), SWITZERLAND)
    client.get(reverse("checkout:shipping-method"))
    place(client)
    assert OrderFulfillment.objects.get().tax_id == ""


def test_an_optional_tax_number_may_stay_empty_but_not_be_wrong(client, countries, pix):
    to_payment(client, SWITZERLAND)
    assert pay(client, payment_method="pix", tax_id="CHE-109.322.552").status_code == 422
    assert pay(client, payment_method="pix", tax_id="").status_code == 302


def test_a_country_that_asks_for_no_tax_number_shows_no_field(client, countries, pix):
    to_payment(client, SWITZERLAND | {"country": "ES", "postcode": "28013"})
    assert "tax_id" not in client.get(reverse("checkout:payment-method")).context["form"].fields


def test_a_shop_without_payment_methods_keeps_oscars_checkout(client, countries):
    to_payment(client, SWITZERLAND | {"country": "ES", "postcode": "28013"})
    assert client.get(reverse("checkout:payment-method"))["Location"] == reverse("checkout:payment-details")
    assert client.get(reverse("checkout:payment-details")).status_code == 200
    place(client)
    assert OrderFulfillment.objects.get().payment_method is None


def only_card(request, methods):
    return [method for method in methods if method.code == "card"]


def only_france(request):
    return ["FR"]


def test_the_hook_restricts_what_a_visitor_may_choose(client, countries, pix, card, settings):
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"CHECKOUT_PAYMENT_METHODS": f"{__name__}.only_card"}
    to_payment(client, SWITZERLAND)
    page = client.get(reverse("checkout:payment-method"))
    assert "Pix" not in page.text
    assert pay(client, payment_method="pix").status_code == 422


def test_the_hook_restricts_where_the_shop_ships(client, countries, settings):
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"CHECKOUT_COUNTRIES": f"{__name__}.only_france"}
    fill_basket(client)
    client.post(reverse("checkout:index"), {"username": "guest@example.com", "options": "anonymous"})
    client.post(reverse("checkout:shipping-address"), SWITZERLAND | {"postcode": "69002"})
    fields = client.session["checkout_data"]["shipping"]["new_address_fields"]
    assert fields["country_id"] == "FR"


@pytest.mark.parametrize("raw", ["999999", "x", "", "1e9", "٣"])
def test_a_foreign_address_of_the_address_book_is_404(client, countries, django_user_model, raw):
    client.force_login(django_user_model.objects.create_user("ana", "ana@example.com", "x"))
    fill_basket(client)
    response = client.post(reverse("checkout:shipping-address"), {"action": "ship_to", "address_id": raw})
    assert response.status_code == 404


def test_an_incomplete_brazilian_address_of_the_address_book_is_sent_to_be_mended(client, countries, django_user_model):
    user = django_user_model.objects.create_user("ana", "ana@example.com", "x")
    client.force_login(user)
    fill_basket(client)
    address = get_model("address", "UserAddress").objects.create(
        user=user, country_id="BR", first_name="A", last_name="B", line1="x", line4="y", postcode="01310-100"
    )
    response = client.post(reverse("checkout:shipping-address"), {"action": "ship_to", "address_id": address.pk})
    assert response["Location"] == reverse("checkout:user-address-update", kwargs={"pk": address.pk})
    page = client.get(response["Location"])
    assert page.status_code == 200
    response = client.post(response["Location"], BRAZIL | {"country": "BR"})
    assert response.status_code == 302
    address.refresh_from_db()
    assert (address.state, address.postcode) == ("SP", "01310-100")


@pytest.mark.feature("Z3")
def test_placing_the_order_twice_shows_the_one_order(client, countries, pix):
    to_payment(client, SWITZERLAND)
    pay(client, payment_method="pix")
    first, second = place(client), place(client)
    assert first["Location"] == second["Location"] == reverse("checkout:thank-you")
    assert Order.objects.count() == 1
    assert client.get(second["Location"]).status_code == 200


def test_of_two_clicks_at_once_one_places_the_order_and_both_see_it(client, countries, pix, monkeypatch):
    """The second request starts when the first has frozen the basket; here the first is over while it waits."""
    from oscar_fulfillment.checkout import mixins, views

    to_payment(client, SWITZERLAND)
    pay(client, payment_method="pix")
    Basket = get_model("basket", "Basket")
    basket = Basket.objects.get(status=Basket.OPEN)

    real = mixins.FulfillmentPlacementMixin.freeze_basket

    def loses(self, frozen):
        order = factories.placed_order(number=str(100000 + frozen.pk))
        Order.objects.filter(pk=order.pk).update(basket=frozen)
        Basket.objects.filter(pk=frozen.pk).update(status=Basket.SUBMITTED)
        return real(self, frozen)

    monkeypatch.setattr(mixins.FulfillmentPlacementMixin, "freeze_basket", loses)
    monkeypatch.setattr(views, "WAIT_FOR_ORDER", 0.5)
    response = place(client)
    assert response["Location"] == reverse("checkout:thank-you")
    assert Order.objects.count() == 1
    assert client.session["checkout_order_id"] == Order.objects.get(basket=basket).pk


def test_a_click_that_waits_in_vain_says_so(client, countries, pix, monkeypatch):
    from oscar_fulfillment.checkout import views

    to_payment(client, SWITZERLAND)
    pay(client, payment_method="pix")
    Basket = get_model("basket", "Basket")
    monkeypatch.setattr(views, "WAIT_FOR_ORDER", 0.05)
    shown = get_class("checkout.views", "PaymentDetailsView")  # ours, or that of a store with its own forks
    monkeypatch.setattr(shown, "freeze_basket", lambda self, basket: (_ for _ in ()).throw(views.AlreadySubmitted()))
    assert place(client)["Location"] == reverse("basket:summary")
    assert Basket.objects.filter(status=Basket.OPEN).exists()
    assert not Order.objects.exists()


def test_the_pages_have_no_inline_script_or_style_of_ours(client, countries, pix):
    to_payment(client, BRAZIL)
    html = client.get(reverse("checkout:payment-method")).text
    form = html[html.index('id="payment_method_form"') : html.index("</form>", html.index('id="payment_method_form"'))]
    assert not re.search(r"<script|style=|onclick=", form)


def test_the_instructions_are_shown_as_text(client, countries):
    PaymentMethod.objects.create(code="evil", name="<b>Evil</b>", instructions="<script>alert(1)</script>")
    to_payment(client, SWITZERLAND)
    assert "<b>Evil" not in client.get(reverse("checkout:payment-method")).text
    pay(client, payment_method="evil")
    page = client.get(place(client)["Location"]).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
