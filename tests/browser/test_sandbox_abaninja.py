"""A Swiss order in the accounts, as people have it: bought in the shop, paid in AbaNinja, released by that here.

The sandbox runs as a new user has it; what happens in AbaNinja is clicked on the simulator's own pages.
"""

import pytest
from playwright.sync_api import expect

from . import conftest
from .sandbox_shop import (
    ADDRESSES,
    act,
    decide,
    give_address,
    mail_about,
    pay_by,
    put_into_basket,
    stands,
    until,
    vendors,
)


def check_page(tab, name, ignore=("list", "color-contrast", "link-name")):
    conftest.check_page(tab, f"abaninja-{name}", widths=(1280, 390), ignore=ignore)


@pytest.fixture
def shopper(person):
    return person()


@pytest.fixture
def boss(person):
    return person("manager@example.com")


@pytest.fixture
def accountant(person, shop):
    """Somebody in AbaNinja: its list of invoices."""
    tab = person()
    tab.goto(f"{vendors(shop)}/abaninja/")
    return tab


def order(tab, method):
    put_into_basket(tab, "ch", "Pausa French press")
    give_address(tab, email=f"{method}@example.net", **ADDRESSES["ch"])
    return pay_by(tab, method)


def open_invoice(tab, number):
    """The invoice of an order, as soon as it is there."""
    base = tab.url.partition("/abaninja/")[0] + "/abaninja/"
    row = until(
        tab, base, lambda tab: tab.locator("tr", has_text=number).count() and tab.locator("tr", has_text=number)
    )
    row.first.get_by_role("link").click()
    tab.wait_for_load_state()


def happens(tab, step, notify="once", amount=""):
    """A button of an invoice's page."""
    tab.select_option("[name=notify]", notify)
    tab.fill("[name=amount]", amount)
    with tab.expect_navigation():
        tab.click(f"button[value={step}]")


@pytest.mark.feature("D4", "D7", "D10")
def test_paid_in_abaninja_releases_the_order(shopper, boss, accountant):
    number = order(shopper, "prepayment")
    check_page(accountant, "before")
    open_invoice(accountant, number)
    expect(accountant.locator("main")).to_contain_text("Luc Favre")
    expect(accountant.locator("main")).to_contain_text("Sent")
    check_page(accountant, "invoice", ignore=())
    stands(boss, number, "Awaiting payment", "Received")
    happens(accountant, "part", amount="5.00")
    page = f"/dashboard/orders/{number}/"
    until(boss, page, lambda tab: tab.locator("#followups").count())
    expect(boss.locator("#followups")).to_contain_text("5.00")
    check_page(boss, "order-paid-in-part")
    happens(accountant, "paid", notify="twice")
    # Nobody does anything in the shop.
    stands(boss, number, "Paid", "In process")
    expect(boss.locator("#history")).to_contain_text("abaninja")
    expect(boss.locator("#followups")).to_have_count(0)
    check_page(boss, "order-released")
    mail_about(shopper, number, "We have received your payment")
    act(boss, "dispatch", {"Yes": True})
    stands(boss, number, "Paid", "Sent")
    until(accountant, accountant.url, lambda tab: tab.get_by_text("Delivery note L").count())
    check_page(accountant, "delivery-note", ignore=())


@pytest.mark.feature("D4", "D17")
def test_a_twint_payment_is_in_the_accounts_and_its_echo_releases_nothing(shopper, boss, accountant):
    number = order(shopper, "twint")
    decide(shopper, "approve")
    stands(boss, number, "Paid", "Received")
    open_invoice(accountant, number)
    until(accountant, accountant.url, lambda tab: tab.get_by_text("TWINT").count())
    expect(accountant.locator("main")).to_contain_text("Paid")
    stands(boss, number, "Paid", "Received")


@pytest.mark.feature("D4", "D6")
def test_an_order_cancelled_here_is_cancelled_in_abaninja(shopper, boss, accountant):
    number = order(shopper, "prepayment")
    open_invoice(accountant, number)
    boss.goto(f"/dashboard/orders/{number}/")
    act(boss, "cancel", {"Why is it cancelled?": "The buyer has changed his mind"})
    until(accountant, accountant.url, lambda tab: tab.locator("strong", has_text="Cancelled").count())
