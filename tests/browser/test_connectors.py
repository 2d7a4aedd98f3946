"""Other systems in a browser: an order arrives, one is refused and sent again, a word moves the order, rules change."""

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.connectors import connectors
from oscar_fulfillment.core import outbox
from oscar_fulfillment.models import Export, LaneHealth, OutboundMessage
from oscar_fulfillment.services import connector_changes, oscar_events
from oscar_fulfillment.test import factories
from tests.integration.connectors import configured

from . import conftest
from .conftest import log_in
from .test_order_page import address

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A8", "E9", "E10")]
FAKE = "oscar_fulfillment.test.connectors.FakeConnector"
WIDTHS = (1280, 390)


@pytest.fixture
def crm(transactional_db):
    oscar_events._types.clear()  # the tables are emptied between these tests
    with configured(crm=(FAKE, {"order_at": "placed", "name": "Our CRM"})):
        yield connectors.get("crm")


@pytest.fixture
def boss(page, crm):
    log_in(page, factories.staff_user("*", first_name="Marta", last_name="Nogueira"))
    return page


def check_page(page, name):
    conftest.check_page(page, name, widths=WIDTHS, ignore=("list",))  # Oscar's navigation, see test_order_page.py


def workers():
    LaneHealth.objects.all().delete()
    while outbox.drain():
        pass


def test_an_order_goes_to_another_system_and_back(boss, crm):
    boss.goto("/dashboard/orders/systems/")
    expect(boss.get_by_text("not used yet")).to_be_visible()
    check_page(boss, "systems-new")
    crm.refuse("The tax number <b>is</b> wrong.")
    order = factories.paid_order(number="100900")
    workers()
    boss.reload()
    expect(boss.get_by_text("needs you")).to_be_visible()
    boss.locator("#system-crm dd a", has_text="1").first.click()
    expect(boss.get_by_text("The tax number <b>is</b> wrong.")).to_be_visible()
    check_page(boss, "systems-refused")
    crm.refuse("")
    boss.get_by_role("button", name="Send again: Order, Our CRM").click()
    expect(boss.get_by_text("It goes again.")).to_be_visible()
    workers()
    boss.goto(address(order))
    panel = boss.locator("#systems")
    expect(panel.get_by_text("Arrived", exact=True)).to_be_visible()
    expect(panel.get_by_role("link", name="No D1")).to_have_attribute("href", "https://demo.example/D1")
    connector_changes.take("crm", crm.move(order.number, "WORK"))
    boss.reload()
    expect(panel.get_by_text("Our CRM says: In work")).to_be_visible()
    check_page(boss, "systems-order")
    assert Export.objects.get().outside_state == "WORK"
    workers()
    assert ("state", f"{order.number}:WORK") not in crm.effects
    assert not OutboundMessage.objects.filter(destination="connector:crm").exclude(status="sent").exists()


def test_rules_are_changed_and_count(boss, crm):
    boss.goto("/dashboard/orders/systems/crm/rules/")
    check_page(boss, "systems-rules")
    boss.select_option("#id_in-0-step", "cancel")
    boss.get_by_role("button", name="Save the rules").click()
    expect(boss.get_by_text("The rules are saved.")).to_be_visible()
    expect(boss.get_by_text("These are your own rules.")).to_be_visible()
    order = factories.paid_order(number="100901")
    workers()
    connector_changes.take("crm", crm.move(order.number, "WORK"))
    order.fulfillment.refresh_from_db()
    assert order.fulfillment.shipping_status == "cancelled"
    boss.fill("#id_in-1-outside", "WORK")
    boss.get_by_role("button", name="Save the rules").click()
    expect(boss.get_by_text("Another rule says what becomes of the same status.")).to_be_visible()
    check_page(boss, "systems-rules-wrong")


def test_what_they_say_and_cannot_be_done_is_settled(boss, crm):
    order = factories.placed_order(number="100902")
    workers()
    connector_changes.take("crm", crm.move(order.number, "SENT"))
    boss.goto("/dashboard/orders/systems/words/")
    expect(boss.locator("table .ff-badge").get_by_text("Not possible")).to_be_visible()
    check_page(boss, "systems-words")
    boss.get_by_role("button", name="Settled").click()
    expect(boss.get_by_text("It is settled.")).to_be_visible()
    expect(boss.locator("table .ff-badge").get_by_text("Settled by hand")).to_be_visible()
