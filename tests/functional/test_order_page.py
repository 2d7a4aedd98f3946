"""What the order page shows, to whom, and in how many queries."""

import pytest
from django.urls import reverse

from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna")
    client.force_login(user)
    return user


def url(order, name="order-detail", **kwargs):
    return reverse(f"dashboard:{name}", kwargs={"number": order.number, **kwargs})


SITUATIONS = ["placed", "paid", "released", "invoiced", "dispatched", "delivered", "cancelled"]


@pytest.mark.parametrize("currency", ["BRL", "CHF"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_page_shows_an_order_in_every_state(situation, currency, client, boss):
    order = getattr(factories, f"{situation}_order")(currency=currency)
    response = client.get(url(order))
    assert response.status_code == 200
    text = response.content.decode()
    assert str(order.fulfillment.payment_label) in text
    assert str(order.fulfillment.shipping_label) in text
    steps = response.context["steps"]
    for step in steps.by_name.values():
        if step.name != "cancel_payment" and step.allowed:
            assert client.get(step.url).status_code == 200
            panel = client.get(step.url + "?panel=1")
            assert panel.status_code == 200
            assert panel.content.strip().startswith(b"<section")
