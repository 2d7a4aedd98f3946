"""1C beside the demo shop: orders go there when they are taken into work, and what is done there shows here."""

import re

import pytest

from . import conftest
from .sandbox_shop import ADDRESSES, act, badges, give_address, pay_by, put_into_basket, stands, until, vendors

IGNORED = ("list", "color-contrast", "link-name")


def check_page(tab, name, ignore=IGNORED):
    conftest.check_page(tab, f"onec-{name}", widths=(1280, 390), ignore=ignore)


@pytest.fixture
def dealer(person):
    """A customer who gets the goods first and pays by invoice."""
    return person("dealer@example.com")


@pytest.fixture
def boss(person):
    return person("manager@example.com")


@pytest.fixture
def accountant(person, shop):
    """Somebody who works with 1C."""
    tab, base = person(), vendors(shop)
    tab.goto(f"{base}/onec/")
    return tab


def exchange(tab):
    with tab.expect_navigation():
        tab.get_by_role("button", name="Exchange now").click()
    words = tab.locator("#last").inner_text()
    assert "Stopped" not in words, words
    return words


def happens(tab, number, action):
    """Somebody does this to the order in 1C."""
    with tab.expect_navigation():
        tab.locator(f"[id='{number}'] button[value={action}]").click()


def exported(tab, number, status):
    """Wait until the ledger shows this order so."""
    until(
        tab,
        f"/dashboard/orders/systems/exports/?q={number}",
        lambda _tab: tab.locator(f"tr:has-text('{number}')").filter(has_text=status).count(),
    )


@pytest.mark.feature("E10", "E11")
def test_an_order_goes_to_1c_and_its_payment_comes_back(dealer, boss, accountant):
    put_into_basket(dealer, "ru", "Tempo wall clock")
    give_address(dealer, **ADDRESSES["ru"])
    number = pay_by(dealer, "deferred-ru")
    page = f"/dashboard/orders/{number}/"
    stands(boss, number, "Awaiting payment", "Received")
    assert not accountant.locator(f"[id='{number}']").count()
    act(boss, "release")
    stands(boss, number, "Awaiting payment", "In process")
    exported(boss, number, "Waits")
    check_page(boss, "ledger-waiting")

    exchange(accountant)
    order = accountant.locator(f"[id='{number}']")
    assert "Иван Петров" in order.inner_text()
    check_page(accountant, "vendor", ignore=())
    exported(boss, number, "Arrived")
    check_page(boss, "ledger-arrived")
    boss.goto(page)
    assert re.search(r"ЦБ-\d{6}", boss.locator("body").inner_text())
    check_page(boss, "order-page")

    happens(accountant, number, "pay")
    assert exchange(accountant).startswith("0 orders fetched, 1 told of")
    stands(boss, number, "Paid", "In process")
    happens(accountant, number, "send")
    exchange(accountant)
    stands(boss, number, "Paid", "Sent")
    assert badges(boss) == ["Paid", "Sent"]
    # Exchanged once more, nothing happens twice.
    exchange(accountant)
    assert boss.request.get(page).text().count("ЦБ-") >= 1
    stands(boss, number, "Paid", "Sent")
