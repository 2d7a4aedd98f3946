"""The pages of payment methods and of messages, in a browser."""

import pytest

from oscar_fulfillment.core import inbox, outbox
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.models import InboundMessage, LaneHealth, OutboundMessage, PaymentMethod
from oscar_fulfillment.services.payment_methods import allow_customer
from oscar_fulfillment.services.profiles import make_profile
from oscar_fulfillment.test import factories

from .conftest import check_page, log_in

pytestmark = pytest.mark.django_db(transaction=True)

WIDTHS = (1280, 390)


@pytest.fixture
def boss(page, db):
    user = factories.staff_user("*", first_name="Marta", last_name="Nogueira")
    log_in(page, user)
    return page


@pytest.fixture
def countries(db):
    from oscar.core.loading import get_model

    Country = get_model("address", "Country")
    for code in ("BR", "CH", "LI", "FR", "ES", "RU"):
        Country.objects.create(iso_3166_1_a2=code, name=code, printable_name=code, is_shipping_country=True)


@pytest.mark.feature("Z7", "D6", "E7")
def test_the_list_says_what_each_method_does(boss, countries):
    for profile in ("ch", "ru"):
        make_profile(profile)
    factories.gateway_method("old", name="Old card", provider="gone")
    order = factories.placed_order(method=PaymentMethod.objects.get(code="invoice-ru"))
    boss.goto("/dashboard/orders/payment-methods/")
    text = boss.locator("#method-" + str(order.fulfillment.payment_method_id)).inner_text()
    assert "reserved 3 days, call on the last day, then cancelled" in text
    check_page(boss, "methods-list", widths=WIDTHS)
    boss.click("text=Edit >> nth=0")
    check_page(boss, "methods-edit", widths=WIDTHS)


@pytest.mark.feature("Z7", "E1")
def test_the_form_shows_what_applies_and_keeps_what_was_typed(boss, countries):
    boss.goto("/dashboard/orders/payment-methods/new/")
    assert not boss.is_visible("text=Days a hold lasts")
    check_page(boss, "methods-new", widths=WIDTHS)
    boss.fill("#id_name", "Card, held")
    boss.select_option("#id_paid_by", "demo|boleto")
    assert not boss.is_visible("#id_capture_1")
    boss.select_option("#id_paid_by", "demo|card")
    boss.check("#id_capture_1")
    boss.fill("#id_hold_days", "1")
    boss.fill("#id_hold_warning_hours", "48")
    boss.check("#id_audience_1")
    boss.click("#method_form [type=submit]")
    assert boss.is_visible("text=The warning would come before the hold has begun.")
    assert boss.is_visible("text=Choose the groups that may use it.")
    assert boss.input_value("#id_hold_days") == "1"
    check_page(boss, "methods-errors", widths=WIDTHS)
    boss.fill("#id_hold_days", "7")
    boss.check("#id_audience_0")
    boss.click("#method_form [type=submit]")
    boss.wait_for_url("**/payment-methods/")
    method = PaymentMethod.objects.get()
    assert (method.code, method.capture, method.hold_days) == ("card-held", "hold", 7)


@pytest.mark.feature("D14")
def test_purchase_on_invoice_is_enabled_for_one_customer(boss, countries, django_user_model):
    make_profile("ch")
    method = PaymentMethod.objects.get(code="invoice-ch")
    django_user_model.objects.create_user("lea", "lea@example.com", "x", first_name="Léa", last_name="Rochat")
    urs = django_user_model.objects.create_user("urs", "urs@example.com", "x", first_name="Urs", last_name="Ammann")
    from oscar_fulfillment.core.actors import Actor

    allow_customer(method=method, customer=urs, actor=Actor.system("tests"))
    boss.goto("/dashboard/orders/payment-methods/")
    boss.click("text=1 customer, by name")
    boss.fill("#id_customer", "roch")
    boss.click(".ff-find button")
    boss.wait_for_url("**customer=roch**")
    check_page(boss, "methods-customers", widths=WIDTHS)
    with boss.expect_navigation():
        boss.click(".ff-people button:has-text('Enable')")
    assert boss.is_visible("text=lea@example.com may pay by")
    assert set(method.customers.values_list("email", flat=True)) == {"lea@example.com", "urs@example.com"}


@pytest.mark.feature("Z15")
def test_messages_that_wait_are_looked_at_and_sent_again(boss):
    order = factories.placed_order()
    row, _new = inbox.receive("payments:demo", "e1", {"x-token": "let me in"}, b'{"id": "e1", "payment": "P1"}')
    InboundMessage.objects.filter(pk=row.pk).update(
        status="failed", attempts=7, error="AdapterRejected: no such payment " + "x" * 80
    )
    outbox.enqueue([OutboxMessage("erp", "order", "k1", {"order_id": order.pk})], order_id=order.pk)
    OutboundMessage.objects.filter(destination="erp").update(status="unknown", attempts=1, error="the answer was lost")
    LaneHealth.objects.create(name="outbox:erp", trips=3, paused_until=order.date_placed, error="Connection refused")
    boss.goto("/dashboard/orders/messages/")
    check_page(boss, "messages-in", widths=WIDTHS)
    boss.click("text=payments:demo/e1")
    assert "let me in" not in boss.content()
    check_page(boss, "messages-one", widths=WIDTHS)
    with boss.expect_navigation():
        boss.click("button:has-text('Replay')")
    assert InboundMessage.objects.get().status != "failed"
    boss.goto("/dashboard/orders/messages/?way=out")
    check_page(boss, "messages-out", widths=WIDTHS)
    with boss.expect_navigation():
        boss.click("button:has-text('Send again')")
    assert OutboundMessage.objects.get(destination="erp").status != "unknown"
