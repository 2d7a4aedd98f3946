"""Customers look at their order: in the account, as a guest from the mail's link, and in the mails themselves."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail

from oscar_fulfillment.core import outbox
from oscar_fulfillment.services import invoicing, notes, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from .conftest import check_page, log_in

pytestmark = pytest.mark.django_db(transaction=True)

CODE = "AA123456785BR"
BANK = "Banco Azul\nAgência 0001, conta 12345-6\nhttps://bank.example/pix"


@pytest.fixture
def customer():
    return factories.staff_user(first_name="Ana", last_name="Souza")


def check_ours(page, name):
    """Oscar's frame (navigation, breadcrumbs, language box) has weak contrasts of its own; our part has none."""
    check_page(page, name, widths=(1280, 390), ignore=("color-contrast", "select-name"))
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page, context=".of-page").response["violations"]
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []
    page.set_viewport_size({"width": 1280, "height": 900})


def eventful_order(user=None):
    """Two parcels, an NF-e and a note."""
    team = factories.TEAM
    order = factories.released_order(
        user=user,
        lines=[(factories.product("Stoneware mug, hand thrown", "38.50"), 3), (factories.product("Tea towel"), 1)],
        method=factories.manual_method(instructions=BANK),
    )
    invoicing.invoice_order(order=order, actor=team, access_key=make_key(number=1234, series=1))
    mug, towel = order.lines.order_by("pk")
    shipping.dispatch_order(
        order=order, actor=team, carrier="correios", tracking_code=CODE, quantities={mug.pk: 3, towel.pk: 0}
    )
    notes.add_note(
        order=order,
        actor=team,
        text="The towel follows tomorrow, it came late from the weaver.\nThank you for waiting!",
        visible_to_customer=True,
    )
    shipping.dispatch_order(order=order, actor=team, carrier="other", tracking_code="VAN-7")
    return order


@pytest.mark.feature("D3")
@pytest.mark.feature("A13")
def test_the_account_shows_statuses_timeline_and_parcels(page, customer):
    order = eventful_order(customer)
    log_in(page, customer)
    page.goto("/accounts/orders/")
    check_ours(page, "customer-list")
    page.get_by_role("link", name=order.number).click()
    steps = page.get_by_role("list").filter(has_text="Order received").get_by_role("listitem")
    assert "Order received" in steps.first.inner_text()
    assert page.locator(".of-summary").inner_text().split("\n")[1:4:2] == ["Sent", "Approved"]
    link = page.get_by_role("link", name=f"Track parcel {CODE} at Correios")
    assert link.get_attribute("href").endswith(f"objetos={CODE}")
    assert "noopener" in link.get_attribute("rel")
    check_ours(page, "customer-order")


@pytest.mark.feature("D3")
def test_a_guest_follows_the_link_of_the_mail_and_sees_how_to_pay(page, live_server):
    order = factories.placed_order(method=factories.manual_method(instructions=BANK))
    outbox.drain()
    letter = next(m for m in mail.outbox if m.to == [order.email])
    path = re.search(r"http://example\.com(/\S+)", letter.body)[1]
    page.goto(path)
    page.get_by_label("Email").fill(order.email)
    page.get_by_role("button", name="Submit").click()
    assert page.get_by_role("heading", name="How to pay").is_visible()
    assert "Banco Azul" in page.content()
    check_ours(page, "customer-guest")


def test_the_page_is_whole_without_scripts(new_person, customer):
    order = eventful_order(customer)
    tab = new_person(customer, java_script_enabled=False)
    tab.goto(f"/accounts/orders/{order.number}/")
    assert tab.locator(".of-timeline > li").count() == 7
    assert tab.locator(".of-timeline > li").last.is_visible()


@pytest.mark.feature("D1")
@pytest.mark.feature("E4")
def test_the_mails_are_readable_on_paper_and_phone(page, settings):
    settings.MANAGERS = [("Boss", "boss@example.com")]
    eventful_order()
    factories.placed_order(method=factories.manual_method(instructions=BANK))
    outbox.drain()
    for name, words in {
        "placed": "received your order",
        "operator": "New order",
        "sent": "on its way",
        "note": "A message",
    }.items():
        letter = [m for m in mail.outbox if words in m.subject][0 if name == "sent" else -1]
        page.set_content(letter.alternatives[0][0])
        # Oscar's frame has neither lang nor title.
        check_page(page, f"mail-{name}", widths=(700, 390), ignore=("html-has-lang", "document-title"))
