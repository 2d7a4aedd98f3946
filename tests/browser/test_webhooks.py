"""Webhooks in a browser: a listening system is connected, hears of an order, loses a message, gets a new key, and leaves."""

import re

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.core import outbox
from oscar_fulfillment.models import LaneHealth, OutboundMessage, WebhookEndpoint
from oscar_fulfillment.services import oscar_events
from oscar_fulfillment.test import factories
from tests.integration.webhooks import HERE, listening, make

from . import conftest
from .conftest import log_in
from .test_order_page import address, open_step

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("Z15")]

WIDTHS = (1280, 390)


@pytest.fixture(autouse=True)
def allowed(settings, transactional_db):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "WEBHOOKS_OUT": HERE}
    oscar_events._types.clear()  # the tables are emptied between these tests


@pytest.fixture
def receiver():
    with listening() as found:
        yield found


@pytest.fixture
def boss(page):
    log_in(page, factories.staff_user("*", first_name="Marta", last_name="Nogueira"))
    return page


def check_page(page, name):
    conftest.check_page(page, name, widths=WIDTHS, ignore=("list",))  # Oscar's navigation, see test_order_page.py


def workers():
    """What the workers do, for as long as there is something to do."""
    while outbox.drain():
        pass


def give_key(page, receiver):
    """Read the key that is shown, and enter it at the receiver's."""
    key = page.locator("#new-key").inner_text()
    there = page.context.new_page()
    there.goto(receiver.url.removesuffix("hook"))
    there.fill("textarea[name=keys]", key)
    there.click("text=Keep the keys")
    there.close()
    return key


def test_a_system_is_connected_hears_of_an_order_and_is_told_again(boss, receiver):
    boss.goto("/dashboard/orders/webhooks/")
    expect(boss.get_by_text("No other system is told anything yet.")).to_be_visible()
    check_page(boss, "webhooks-empty")
    boss.click("text=New webhook")
    boss.fill("#id_url", "https://localhost/hook")
    boss.click("form.ff-method-form [type=submit]")
    expect(boss.get_by_text("Only public addresses are called, and this one is not.")).to_be_visible()
    check_page(boss, "webhooks-refused")
    boss.fill("#id_url", receiver.url)
    boss.fill("#id_description", "Warehouse")
    boss.get_by_label("Only the events that are marked below").check()
    boss.get_by_label("The money is in").check()
    boss.get_by_label("An order was released").check()
    check_page(boss, "webhooks-form")
    boss.click("form.ff-method-form [type=submit]")
    expect(boss.locator("#new-key")).to_be_visible()
    check_page(boss, "webhooks-key")
    give_key(boss, receiver)
    boss.reload()
    expect(boss.locator("#new-key")).to_have_count(0)

    boss.click("text=Send a test")
    expect(boss.locator("#test")).to_contain_text("Answered 204.")
    expect(boss.locator("#test")).to_contain_text(re.compile(r"\d+ ms"))
    assert receiver.messages[0]["verdict"] == "verified"

    order = factories.placed_order()
    boss.goto(address(order))
    open_step(boss, "approve_payment").locator("[data-submit]").click()
    expect(boss.locator("[data-badge=payment]")).not_to_have_text("Awaiting payment")
    workers()
    there = boss.context.new_page()
    there.goto(receiver.url.removesuffix("hook"))
    arrived = there.locator("section.message").first
    expect(arrived).to_contain_text("payment.approved")
    expect(arrived).to_contain_text("verified")

    endpoint = WebhookEndpoint.objects.get()
    boss.goto(f"/dashboard/orders/webhooks/{endpoint.pk}/")
    row = boss.locator(".ff-log tbody tr").first
    expect(row).to_contain_text("Delivered")
    expect(row).to_contain_text(order.number)
    row.get_by_role("link", name="payment.approved").click()
    expect(boss.locator(".ff-raw").last).to_contain_text(f'"number": "{order.number}"')
    check_page(boss, "webhooks-message")
    boss.click("text=Send again")
    expect(boss.get_by_text("The message goes again.")).to_be_visible()
    workers()
    there.reload()
    expect(there.locator("section.message").first).to_contain_text("came 2 times")


def test_a_new_key_leaves_no_gap(boss, receiver):
    endpoint = make(receiver.url, description="Warehouse")
    boss.goto(f"/dashboard/orders/webhooks/{endpoint.pk}/")
    boss.locator("summary", has_text="New key").click()
    check_page(boss, "webhooks-rotate")
    boss.click("text=Make a new key")
    old = give_key(boss, receiver)
    boss.locator("summary", has_text="New key").click()
    boss.click("text=Make a new key")
    new = boss.locator("#new-key").inner_text()
    assert new != old
    expect(boss.get_by_text("the old one signs too until")).to_be_visible()
    factories.placed_order()
    workers()
    assert receiver.messages[-1]["verdict"] == "verified", "the receiver has only the old key yet"
    receiver.configure_keys(new)
    factories.placed_order()
    workers()
    assert {message["verdict"] for message in receiver.messages} == {"verified"}


def test_one_that_fails_is_seen_and_what_was_given_up_goes_again(boss, receiver):
    fine = make("https://fine.example/hook", description="ERP")
    OutboundMessage.objects.create(destination=fine.lane, kind="order.recorded", key="msg_0", status="sent")
    endpoint = make(receiver.url, description="Warehouse")
    WebhookEndpoint.objects.filter(pk=fine.pk).update(is_active=False)
    receiver.answer_with("500")
    order = factories.paid_order()
    workers()
    url = f"/dashboard/orders/webhooks/{endpoint.pk}/"
    boss.goto(url)
    expect(boss.locator(".ff-log tbody tr").first).to_contain_text("Answered 500.")
    check_page(boss, "webhooks-failing")
    receiver.answer_with("410")
    LaneHealth.objects.all().delete()
    OutboundMessage.objects.filter(status="pending").update(next_attempt_at=order.date_placed)
    workers()
    boss.goto("/dashboard/orders/webhooks/")
    expect(boss.locator(f"#webhook-{endpoint.pk}")).to_contain_text("gone for good (410)")
    check_page(boss, "webhooks-list")
    boss.goto("/dashboard/orders/list/follow-ups/")
    expect(boss.get_by_role("link", name="A webhook was switched off")).to_be_visible()
    boss.click("text=Open the webhook")
    boss.click("text=Switch on")
    receiver.answer_with("204")
    expect(boss.get_by_text("Send again from")).to_be_visible()
    check_page(boss, "webhooks-given-up")
    boss.click("text=Send all again")
    expect(boss.get_by_text("3 messages go again.")).to_be_visible()
    workers()
    boss.reload()
    expect(boss.locator(".ff-log").get_by_text("Given up")).to_have_count(0)
    boss.get_by_label("State").select_option("delivered")
    boss.click("text=Show >> nth=0")
    expect(boss.locator(".ff-log tbody tr")).to_have_count(3)
    boss.locator("summary", has_text="Delete").click()
    boss.click("text=Delete for good")
    expect(boss.locator(f"#webhook-{endpoint.pk}")).to_have_count(0)


def test_two_managers_at_once(boss, new_person):
    endpoint = make(description="Warehouse")
    url = f"/dashboard/orders/webhooks/{endpoint.pk}/edit/"
    other = new_person(factories.staff_user("*", first_name="Caio", last_name="Duarte"))
    for tab, name in ((boss, "Marta's"), (other, "Caio's")):
        tab.goto(url)
        tab.fill("#id_description", name)
    other.click("form.ff-method-form [type=submit]")
    expect(other.get_by_text("“Caio's” is saved.")).to_be_visible()
    boss.click("form.ff-method-form [type=submit]")
    expect(boss.get_by_text("Caio Duarte has changed this webhook while you were at it.")).to_be_visible()
    check_page(boss, "webhooks-changed")
    boss.click("form.ff-method-form [type=submit]")
    expect(boss.get_by_text("“Marta's” is saved.")).to_be_visible()


def test_without_a_script_everything_works(new_person, receiver):
    tab = new_person(factories.staff_user("*"), java_script_enabled=False)
    tab.goto("/dashboard/orders/webhooks/new/")
    tab.fill("#id_url", receiver.url)
    tab.click("form.ff-method-form [type=submit]")
    assert tab.locator("#new-key").inner_text().startswith("whsec_")
    tab.click("text=Send a test")
    assert "Answered 204." in tab.locator("#test").inner_text()
    tab.locator("summary", has_text="Delete").click()
    tab.click("text=Delete for good")
    assert not WebhookEndpoint.objects.exists()
