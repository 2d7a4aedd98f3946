"""Goods come back, in a browser: the customer asks, the shop approves, inspects, pays back or sends other goods."""

import pytest
from django.core import mail
from playwright.sync_api import expect

from oscar_fulfillment.core import outbox
from oscar_fulfillment.models import OrderFulfillment, Return
from oscar_fulfillment.services import oscar_events
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS

from ..integration import returns as do
from . import conftest
from .conftest import log_in
from .test_customer_order import check_ours

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shop(transactional_db, settings):
    oscar_events._types.clear()  # the tables are emptied between these tests
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}
    settings.MANAGERS = [("Boss", "boss@example.com")]


def check_page(page, name, **options):
    """Oscar's navigation bar puts its "Log out" form into a list (its layout, not ours)."""
    conftest.check_page(page, name, ignore=("list",), **options)


def step(page, name):
    """The form of a step of the return, opened."""
    card = page.locator(f"[data-return-step={name}]")
    if not card.locator("details[open]").count():
        card.locator("summary").click()
    return card


def badge(page):
    return page.locator("[data-badge=return]")


@pytest.mark.feature("D15")
def test_the_customer_sends_goods_back_one_is_damaged_and_a_part_is_refunded(page, new_person):
    customer = factories.get_user_model().objects.create_user("ana", "ana@example.com", "x", first_name="Ana")
    order = do.delivered(("Stoneware mug, hand thrown", "38.50", 3), ("Tea towel", "12.00", 1), user=customer)
    buyer = new_person(customer)
    buyer.goto(f"/accounts/orders/{order.number}/")
    check_ours(buyer, "returns-1-order")
    buyer.get_by_role("link", name="Return goods").click()
    mug = buyer.locator(".of-return-line", has_text="Stoneware mug")
    mug.get_by_label("How many?").fill("2")
    mug.get_by_label("Reason").select_option("damaged")
    buyer.get_by_label("Your note to us").fill("The glaze is cracked on two of them.")
    check_ours(buyer, "returns-2-ask")
    buyer.get_by_role("button", name="Ask for the return").click()
    expect(buyer.locator(".of-return")).to_contain_text("We look at it")
    check_ours(buyer, "returns-3-asked")

    log_in(page, factories.staff_user("*", first_name="Bruna"))
    page.goto("/dashboard/")
    page.get_by_role("link", name="Returns to work").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    check_page(page, "returns-4-list")
    page.get_by_role("link", name=f"{order.number}-R1").click()
    expect(badge(page)).to_have_text("Asked for")
    expect(page.locator(".content")).to_contain_text("The glaze is cracked on two of them.")
    form = step(page, "approve")
    form.get_by_label("How shall the customer send them?").fill("By post. Please wrap them well.")
    check_page(page, "returns-5-approve")
    form.get_by_role("button", name="Approve the return").click()
    expect(badge(page)).to_have_text("Approved, goods awaited")

    outbox.drain()
    letter = next(m for m in mail.outbox if "approved" in m.subject)
    assert letter.to == ["ana@example.com"]
    assert letter.attachments[0][0] == f"return-{order.number}-R1.pdf"
    buyer.reload()
    expect(buyer.locator(".of-return")).to_contain_text("By post. Please wrap them well.")
    slip = buyer.request.get(buyer.get_by_role("link", name="Return slip (PDF)").get_attribute("href"))
    assert slip.headers["content-type"] == "application/pdf"
    check_ours(buyer, "returns-6-approved")

    form = step(page, "receive")
    form.get_by_label("“Stoneware mug, hand thrown”: back into the stock").fill("2")
    form.get_by_label("“Stoneware mug, hand thrown”: damaged").fill("1")
    form.get_by_role("button", name="Receive the goods").click()
    expect(page.locator(".ff-errors").first).to_contain_text("3 received, but 2 announced")
    check_page(page, "returns-7-receive-wrong", widths=(1280, 390))
    form = step(page, "receive")
    form.get_by_label("“Stoneware mug, hand thrown”: back into the stock").fill("1")
    form.get_by_label("“Stoneware mug, hand thrown”: note").fill("Handle broken")
    check_page(page, "returns-8-receive")
    form.get_by_role("button", name="Receive the goods").click()
    expect(badge(page)).to_have_text("Received and inspected")

    form = step(page, "refund")
    expect(form.get_by_label("For the goods")).to_have_value("77.00")
    form.get_by_label("For the goods").fill("57.75")
    step(page, "exchange")
    step(page, "close")
    check_page(page, "returns-9-settle")
    form.get_by_role("button", name="Refund").click()
    expect(badge(page)).to_have_text("Settled")
    expect(page.locator("#outcome")).to_contain_text("57.75")
    check_page(page, "returns-10-settled")

    page.get_by_role("link", name="To the order").click()
    expect(page.locator("#lines")).to_contain_text("2 returned")
    expect(page.locator("#returns")).to_contain_text("1 back in stock, 1 damaged")
    expect(page.locator("[data-badge=payment]")).to_have_text("Refunded in part")
    expect(page.locator("[data-badge=shipping]")).to_have_text("Delivered")
    expect(page.locator("#history")).to_contain_text("Return settled")
    check_page(page, "returns-11-order-page")
    assert do.stock_of(order, "Stoneware mug, hand thrown") == (18, 0)
    buyer.reload()
    expect(buyer.locator(".of-return")).to_contain_text("57.75 back to you")
    check_ours(buyer, "returns-12-done")


@pytest.mark.feature("D15")
def test_a_guest_gets_the_same_goods_again(page, new_person):
    order = do.delivered(("Mug", "10.00", 2))
    guest = new_person()
    guest.goto(f"/fulfillment/returns/{order.number}/{order.verification_hash()}/")
    guest.locator("input[name=email]").fill(order.guest_email)
    guest.locator("form:has(input[name=email]) [type=submit]").last.click()
    guest.get_by_role("link", name="Return goods").click()
    guest.get_by_label("How many?").fill("1")
    guest.get_by_label("Reason").select_option("defective")
    guest.get_by_label("The same goods again").check()
    guest.get_by_role("button", name="Ask for the return").click()
    expect(guest.locator(".of-return")).to_contain_text("We look at it")

    log_in(page, factories.staff_user("*", first_name="Bruna"))
    page.goto(f"/dashboard/orders/list/returns/?q={order.number}")
    page.get_by_role("link", name=f"{order.number}-R1").click()
    # The parcel is here before anybody has approved it.
    form = step(page, "receive")
    form.get_by_label("“Mug”: damaged").fill("1")
    form.get_by_role("button", name="Receive the goods").click()
    form = step(page, "exchange")
    form.get_by_role("button", name="Send the same goods again").click()
    expect(page.locator("#outcome")).to_contain_text("Shipment 2")
    expect(page.locator("[data-badge=shipping]")).to_have_text("Sent in part")
    check_page(page, "returns-13-exchange")

    page.locator("#outcome").get_by_role("link", name="Shipment 2").click()
    page.locator("[data-step=dispatch]").click()
    panel = page.locator("[data-step-panel=dispatch]")
    panel.get_by_label("No mail").check()
    panel.get_by_role("button", name="Dispatch").click()
    expect(page.locator("[data-badge=shipping]")).to_have_text("Sent")
    guest.reload()
    expect(guest.locator(".of-return")).to_contain_text("We send you the same goods again.")
    row = OrderFulfillment.objects.get(pk=order.pk)
    assert (row.payment_status, row.shipping_status) == ("paid", "dispatched")
    assert do.back(order) == [("delivered", 2, 1), ("dispatched", 1, 0)]


@pytest.mark.feature("D15")
def test_staff_write_down_a_parcel_that_simply_arrived(page):
    order = do.delivered(("Mug", "10.00", 2), ("Plate", "8.00", 1))
    log_in(page, factories.staff_user("*", first_name="Bruna"))
    page.goto(f"/dashboard/orders/{order.number}/")
    page.get_by_role("link", name="New return").click()
    page.get_by_label("Units of “Plate”").fill("1")
    page.get_by_label("Reason for “Plate”").select_option("wrong_article")
    page.get_by_label("The goods are here already").check()
    check_page(page, "returns-14-new")
    page.get_by_role("button", name="Write it down").click()
    expect(badge(page)).to_have_text("Approved, goods awaited")
    expect(step(page, "receive").locator("tbody tr")).to_have_count(1)
    assert Return.objects.get().lines.get().line.title == "Plate"
    assert do.mails(order) == []
