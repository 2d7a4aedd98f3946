"""The export to the accounts in a browser: a period is chosen, an order is looked at, a file is taken home."""

from datetime import timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.services import oscar_events, payments, receipts
from oscar_fulfillment.test import factories
from tests.integration.accounts import today

from . import conftest
from .conftest import log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("D17")]

URL = "/dashboard/orders/money/accounts/"
TEAM = factories.TEAM


def check_page(page, name):
    conftest.check_page(page, name, ignore=("list",))  # Oscar's navigation, see test_order_page.py


@pytest.fixture
def orders(transactional_db):
    oscar_events._types.clear()  # the tables are emptied between these tests
    transfer = factories.manual_method("transfer", name="Bank transfer")
    cash = factories.manual_method("cash", name="Cash on delivery")
    made = [factories.placed_order(method=transfer) for _n in range(4)]
    made += [factories.placed_order(method=cash, currency="CHF") for _n in range(2)]
    for order in made[:3]:
        payments.approve_payment(order=order, actor=TEAM, reference=f"TED {order.pk}")
    payments.approve_payment(order=made[4], actor=TEAM)
    receipts.note_refund(order=made[0], actor=TEAM, amount=Decimal(5), reason="Scratched")
    receipts.receive_money(order=made[1], actor=TEAM, amount=Decimal(3))
    factories.invoiced_order(method=transfer)
    return made


def test_a_month_is_looked_at_and_taken_home(page, orders, tmp_path):
    log_in(page, factories.staff_user("*", first_name="Marta"))
    page.goto("/dashboard/orders/")
    page.locator(f'a[href="{URL}"]').first.evaluate("link => link.click()")  # in a menu that is folded
    expect(page.get_by_text("Nothing happened in this period.")).to_be_visible()
    check_page(page, "accounts-empty")
    page.get_by_label("From").fill((today() + timedelta(days=1)).isoformat())
    page.get_by_label("To", exact=True).fill(today().isoformat())
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("The period ends before it begins.")).to_be_visible()
    check_page(page, "accounts-refused")
    page.get_by_label("From").fill((today() - timedelta(days=1)).isoformat())
    page.get_by_label("To", exact=True).fill((today() + timedelta(days=1)).isoformat())
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".ff-open--wrong")).to_contain_text("More came in than is needed")
    expect(page.locator(".ff-open--wrong")).to_contain_text(orders[1].number)
    expect(page.get_by_text("Ties", exact=True)).to_have_count(2)
    check_page(page, "accounts")
    for link, name in (
        ("Journal as CSV", "journal.csv"),
        ("Orders as CSV", "orders.csv"),
        ("All as Excel", "all.xlsx"),
    ):
        with page.expect_download() as download:
            page.get_by_role("link", name=link).click()
        download.value.save_as(tmp_path / name)
    text = (tmp_path / "journal.csv").read_text(encoding="utf-8")
    assert text.count("\n") == 1 + 6 + 1 + 1
    assert orders[5].number in (tmp_path / "orders.csv").read_text(encoding="utf-8")
    assert (tmp_path / "all.xlsx").read_bytes().startswith(b"PK")
    page.get_by_label("Payment", exact=True).uncheck()
    page.get_by_label("Currency").fill("chf")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No entry of these kinds in this period.")).to_be_visible()
    page.goto(URL + f"?first={today()}&last={today() + timedelta(days=1)}")
    page.get_by_role("link", name=orders[1].number).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(orders[1].number)
