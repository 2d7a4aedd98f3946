"""An ERP is given a key in the dashboard; it fetches a released order, and its note makes the order invoiced."""

import re

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.core import outbox
from oscar_fulfillment.models import Export, Invoice
from oscar_fulfillment.services import api_systems, oscar_events
from oscar_fulfillment.test import factories
from sandbox.simulators.base import serve
from sandbox.simulators.erp import Erp

from . import conftest
from .conftest import log_in
from .test_order_page import address, badge, open_step

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A8", "A10")]

WIDTHS = (1280, 390)


@pytest.fixture(autouse=True)
def emptied(transactional_db):
    oscar_events._types.clear()  # the tables are emptied between these tests
    api_systems.systems.forget()


@pytest.fixture
def erp():
    found = Erp()
    with serve(found) as base:
        found.base = base
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


def make_key(boss):
    """By clicks; the key as it is shown."""
    boss.goto("/dashboard/orders/api-keys/")
    expect(boss.get_by_text("No other system has a key yet.")).to_be_visible()
    check_page(boss, "api-keys-empty")
    boss.click("text=New API key")
    boss.click("form.ff-method-form [type=submit]")
    expect(boss.get_by_text("Nothing is saved yet")).to_be_visible()
    check_page(boss, "api-keys-refused")
    boss.fill("#id_name", "ERP of the warehouse")
    boss.fill("#id_system", "erp")
    for scope in ("Post fiscal documents", "Post tracking codes"):
        boss.get_by_label(re.compile(scope)).check()
    check_page(boss, "api-keys-form")
    boss.click("form.ff-method-form [type=submit]")
    key = boss.locator("#new-key").inner_text()
    check_page(boss, "api-keys-key")
    return key


def test_a_key_made_by_clicks_lets_an_erp_fetch_and_invoice(boss, erp, live_server):
    key = make_key(boss)
    there = boss.context.new_page()
    there.goto(f"{erp.base}/")
    there.fill("[name=api]", f"{live_server.url}/api/fulfillment")
    there.fill("[name=key]", key)
    there.click("text=Keep them")

    order = factories.paid_order()
    boss.goto(address(order))
    open_step(boss, "release").locator("[data-submit]").click()
    expect(badge(boss, "shipping")).not_to_have_text("Received")
    workers()
    there.click("text=Fetch released orders")
    row = there.locator(f"#order-{order.number}")
    expect(row).to_contain_text("Ana Souza")
    assert Export.objects.get().status == Export.ACKNOWLEDGED
    assert Export.objects.get().external_id == "L-1000"
    there.get_by_role("button", name="Invoice").click()
    expect(there.locator(f"#order-{order.number}")).to_contain_text("NF-e 5001")
    expect(there.locator(f"#order-{order.number}")).to_contain_text("invoiced")

    boss.reload()
    expect(badge(boss, "shipping")).to_have_text("Invoiced")
    expect(boss.locator("body")).to_contain_text(re.sub(r"\D", "", Invoice.objects.get().access_key)[:4])

    there.get_by_role("button", name="Send the goods").click()
    expect(there.locator(f"#order-{order.number}")).to_contain_text("dispatched")
    boss.reload()
    expect(badge(boss, "shipping")).to_have_text("Sent")

    boss.goto("/dashboard/orders/api-keys/")
    boss.click("text=ERP of the warehouse")
    boss.get_by_role("button", name="Switch off").click()
    expect(boss.get_by_text("is switched off.")).to_be_visible()
    there.click("text=Fetch released orders")
    expect(there.locator("strong", has_text="401")).to_be_visible()
    check_page(boss, "api-keys-off")


def test_a_note_that_is_too_early_is_refused_with_the_reason(boss, erp, live_server):
    from oscar_fulfillment.services import cancelling
    from tests.integration.api import Caller

    caller = Caller()
    erp.set_up(api=f"{live_server.url}/api/fulfillment", key=caller.token)
    order = factories.released_order()
    workers()
    erp.fetch()
    cancelling.cancel_order(order=order, actor=factories.TEAM, reason="Out of fashion")
    assert erp.invoice(order.number) == 409
    boss.goto(f"{erp.base}/")
    expect(boss.locator(f"#order-{order.number}")).to_contain_text("409")
    assert not Invoice.objects.exists()
