"""The order list with 2,000 orders, as a merchant sees it."""

import csv
import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.models import BulkJob, OrderFulfillment, SavedView
from oscar_fulfillment.services import bulk, holds
from oscar_fulfillment.test import factories
from tests.many import copies, paid_copies

from .conftest import check_page, log_in

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/orders/"
NAMES = (
    "João da Conceição", "Ana Souza", "Céline Dubois-Perrenoud", "Пётр Ильич Кузнецов", "Urs Zürcher", "Li Wei",
    "Maria Aparecida dos Santos Albuquerque Cavalcanti", "Bo Ek",
)  # fmt: skip


@pytest.fixture
def shop(transactional_db, team):
    """2,000 orders in every state."""
    staff = factories.staff_user("*", first_name="Rita", last_name="Lima")
    paid_copies(80, prefix="P", start=datetime(2026, 11, 20, tzinfo=UTC), names=NAMES)
    plan = [
        (factories.placed_order(), "N", 30, datetime(2026, 11, 21, tzinfo=UTC)),
        (factories.placed_order(method=factories.gateway_method()), "G", 25, datetime(2026, 11, 21, 6, tzinfo=UTC)),
        (factories.released_order(), "R", 45, datetime(2026, 11, 19, tzinfo=UTC)),
        (factories.released_order(currency="CHF"), "S", 35, datetime(2026, 11, 18, tzinfo=UTC)),
        (factories.invoiced_order(), "I", 40, datetime(2026, 11, 17, tzinfo=UTC)),
        (factories.dispatched_order(currency="EUR"), "D", 200, datetime(2026, 11, 10, tzinfo=UTC)),
        (factories.delivered_order(), "F", 1520, datetime(2026, 9, 1, tzinfo=UTC)),
        (factories.cancelled_order(currency="RUB"), "X", 20, datetime(2026, 11, 9, tzinfo=UTC)),
    ]
    for order, prefix, count, start in plan:
        copies(order, count, prefix=prefix, start=start, names=NAMES)
    held = factories.paid_order(number="HELD-1")
    holds.place_hold(order=held, actor=team, code="address")
    waiting = factories.released_order(number="WAIT-1")
    OrderFulfillment.objects.filter(pk=waiting.pk).update(has_backorder=True, problem="refund_due")
    assert OrderFulfillment.objects.count() >= 2000
    return staff


@pytest.fixture
def corner_shop(transactional_db):
    """Some orders to release and to invoice."""
    paid_copies(6, prefix="P", names=NAMES)
    copies(factories.released_order(), 2, prefix="R", names=NAMES)
    return factories.staff_user("*")


@pytest.fixture
def rita(page, shop):
    log_in(page, shop)
    return page


def rows(page):
    return page.locator("table.ff-table tbody tr")


@pytest.mark.feature("A1")
@pytest.mark.feature("Z16")
def test_a_merchant_finds_their_way_through_two_thousand_orders(rita):
    page = rita
    page.goto(LIST)
    expect(rows(page)).to_have_count(50)
    tabs = page.get_by_role("navigation", name="Work queues")
    expect(tabs.get_by_role("link", name="All 1,000+")).to_have_attribute("aria-current", "page")
    check_page(page, "list")

    # Queues
    tabs.get_by_role("link", name="To release").click()
    expect(page.locator("caption")).to_have_text("To release: 81 orders")
    tabs.get_by_role("link", name="On hold").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("HELD-1")
    tabs.get_by_role("link", name="Problems").click()
    expect(rows(page).first).to_contain_text("Refund due")
    check_page(page, "list-problems")

    # Pages
    tabs.get_by_role("link", name="Delivered").click()
    pages = page.get_by_role("navigation", name="Pages")
    pages.get_by_role("link", name="Last").click()
    expect(rows(page).last).to_contain_text("F00000")
    pages.get_by_role("link", name="Previous").click()
    pages.get_by_role("link", name="Next").click()
    expect(rows(page).last).to_contain_text("F00000")
    pages.get_by_role("link", name="First").click()
    expect(rows(page)).to_have_count(50)
    page.get_by_role("link", name=re.compile("show oldest first")).click()
    expect(rows(page).first).to_contain_text("F00000")

    # Search
    page.goto(LIST)
    page.get_by_label("Search orders").fill("conceicao joao")
    page.get_by_role("button", name="Search").click()
    expect(rows(page).first).to_contain_text("João da Conceição")
    page.get_by_label("Search orders").fill("кузнецов")
    page.keyboard.press("Enter")
    expect(rows(page).first).to_contain_text("Пётр Ильич Кузнецов")
    page.get_by_label("Search orders").fill("HELD-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/orders/HELD-1/")

    # Filters
    page.goto(f"{LIST}?queue=in-transit")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Currency").fill("EUR")
    page.get_by_label("Placed from").fill("2026-11-10")
    page.get_by_label("Sent in part").check()
    page.get_by_label("Sent", exact=False).nth(1).check()
    check_page(page, "list-filters")
    page.get_by_role("button", name="Show orders").click()
    expect(page.locator(".ff-chip")).to_have_count(4)
    check_page(page, "list-filtered")
    page.get_by_role("link", name="Remove the filter Currency: EUR").click()
    expect(page.locator(".ff-chip")).to_have_count(3)

    # A view of one's own
    page.get_by_text("Save this view").click()
    page.get_by_label("Name", exact=True).fill("Sent since the 10th")
    page.get_by_label("For everybody").check()
    page.get_by_role("button", name="Save", exact=True).click()
    views = page.get_by_role("navigation", name="Saved views")
    expect(views.get_by_role("link", name="Sent since the 10th")).to_have_attribute("aria-current", "page")
    assert SavedView.objects.get().is_shared
    views.get_by_role("link", name="Manage views").click()
    check_page(page, "list-views")
    page.get_by_label("New name of Sent since the 10th").fill("Under way")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Under way")).to_be_visible()
    page.get_by_role("button", name="Delete Under way").click()
    expect(page.get_by_text("No views yet.")).to_be_visible()

    # An empty queue
    OrderFulfillment.objects.filter(problem__gt="").update(problem="")
    page.goto(f"{LIST}?queue=problems")
    expect(page.get_by_text("No problems.")).to_be_visible()
    check_page(page, "list-empty", widths=(390,))


@pytest.mark.feature("Z8")
@pytest.mark.feature("D12")
def test_eighty_orders_are_released_in_the_background_and_the_refused_retried(rita, monkeypatch):
    page = rita
    monkeypatch.setattr(bulk, "CHUNK", 30)
    page.goto(f"{LIST}?queue=new&payment=paid")
    page.get_by_label("All on this page").check()
    expect(page.locator("[data-ff-count]")).to_have_text("50 chosen")
    check_page(page, "list-chosen", widths=(1280, 390))
    page.get_by_label(re.compile("All of this list")).check()
    page.get_by_role("button", name="Release", exact=True).click()
    expect(page.get_by_role("heading", name="“Release” for 82 orders?")).to_be_visible()
    check_page(page, "bulk-confirm", widths=(1280, 390))
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    job = BulkJob.objects.get()
    bulk._run_chunk(job.pk)
    expect(page.get_by_text("30 of 82 orders")).to_be_visible()
    check_page(page, "bulk-progress")
    bulk.run_job(job.pk)
    expect(page.get_by_text("81 orders done.")).to_be_visible()
    expect(page.get_by_text("1 order refused.")).to_be_visible()
    expect(rows(page).first).to_contain_text("The order is on hold.")
    check_page(page, "bulk-result")
    page.get_by_role("button", name="Retry the refused order").click()
    expect(page.get_by_text("0 orders done.")).to_be_visible()
    page.get_by_role("link", name="Back to the list").click()
    page.get_by_role("link", name="Bulk actions").click()
    check_page(page, "bulk-jobs")

    # Sent for several orders at once, with no question about the mails
    page.goto(f"{LIST}?queue=to-dispatch&currency=CHF")
    real = rows(page).filter(has_text=re.compile(r"^\s*T\d+"))
    real.get_by_role("checkbox").check()
    page.get_by_label("Carrier").select_option("other")
    page.get_by_role("button", name="Dispatch").click()
    expect(page.get_by_text("1 order done.")).to_be_visible()


@pytest.mark.feature("Z8")
def test_the_list_is_downloaded(page, corner_shop):
    log_in(page, corner_shop)
    page.goto(f"{LIST}?queue=to-release")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 7
    assert {row["Payment status"] for row in found} == {"Approved"}


def test_the_list_works_without_scripts_and_by_keyboard(new_person, corner_shop):
    page = new_person(corner_shop, java_script_enabled=False)
    page.goto(f"{LIST}?queue=to-release")
    page.locator(".selected_order").nth(0).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Release", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 order done.")).to_be_visible()
    page.goto(f"{LIST}?queue=to-invoice")
    page.get_by_label(re.compile("All on this page")).first.is_hidden()
    assert page.locator(".selected_order").count() == 4
