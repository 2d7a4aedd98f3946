"""An order of the Russian store and its deal in Bitrix24, moved by people at either side, without a loop.

The sandbox runs as a new user has it; the deal is moved on the simulated portal's board.
"""

import re
import time

import pytest

from . import conftest
from .sandbox_shop import ADDRESSES, act, decide, give_address, pay_by, put_into_basket, stands, until, vendors

IGNORED = ("list", "color-contrast", "link-name")


def check_page(tab, name, ignore=IGNORED):
    conftest.check_page(tab, f"bitrix24-{name}", widths=(1280, 390), ignore=ignore)


@pytest.fixture
def shopper(person):
    return person()


@pytest.fixture
def boss(person):
    return person("manager@example.com")


@pytest.fixture
def seller(person, shop):
    """Somebody who works with deals alone, in Bitrix24."""
    tab, base = person(), f"{vendors(shop)}/bitrix24/"
    tab.portal = base
    tab.goto(base)
    return tab


def open_deal(seller, number):
    """The deal of an order, once it is there; returns its address."""
    card = seller.locator(f".card a:has-text('{number}')")
    until(seller, seller.portal, lambda _tab: card.count())
    card.first.click()
    seller.wait_for_selector("#stage")
    return seller.url


def stage(seller, deal, expected):
    until(seller, deal, lambda tab: tab.locator("#stage").inner_text() == expected)


def move(seller, stage, notify="once"):
    seller.select_option("[name=notify]", notify)
    with seller.expect_navigation():
        seller.get_by_role("button", name=stage, exact=True).click()


def changed(seller, deal):
    seller.goto(deal)
    return re.search(r"changed (\S+)", seller.locator("main").inner_text())[1]


@pytest.mark.feature("E9", "E10")
def test_a_deal_moved_in_bitrix24_moves_the_order_and_back_without_a_loop(shopper, boss, seller):
    put_into_basket(shopper, "ru", "Brasa espresso cup")
    give_address(
        shopper, email="ivan@example.net", carriage="cdek-door", phone_number="+79001234567", **ADDRESSES["ru"]
    )
    number = pay_by(shopper, "sbp")
    deal = open_deal(seller, number)
    told = seller.locator("main").inner_text()
    assert "Иван Петров" in told
    assert "+79001234567" in told
    assert "RUB" in told
    decide(shopper, "approve")
    stands(boss, number, "Paid", "Received")
    stage(seller, deal, "Подготовка документов")
    check_page(seller, "deal", ignore=())

    # There, and the order follows; twice told is once done.
    move(seller, "В работе", notify="twice")
    at = changed(seller, deal)
    stands(boss, number, "Paid", "In process")
    assert "“Интернет-магазин: В работе” in bitrix24" in boss.locator("body").inner_text()
    check_page(boss, "order-moved")

    # Here, and the deal follows.
    act(boss, "dispatch", {"Yes": True})
    stage(seller, deal, "Финальный счёт")
    moved = changed(seller, deal)
    assert moved != at

    # There again.
    move(seller, "Сделка успешна")
    at = changed(seller, deal)
    stands(boss, number, "Paid", "Delivered")

    # Nothing comes of the echoes: the deal is not touched again, and the order has taken each step once.
    time.sleep(6)
    assert changed(seller, deal) == at
    stage(seller, deal, "Сделка успешна")
    boss.goto(f"/dashboard/orders/{number}/")
    assert boss.locator("body").inner_text().count("in bitrix24") == 2
    seller.goto(seller.portal)
    check_page(seller, "board", ignore=())


@pytest.mark.feature("E10")
def test_what_the_order_does_not_allow_stays_and_a_person_is_told(shopper, boss, seller):
    put_into_basket(shopper, "ru", "Brasa espresso cup")
    give_address(
        shopper, email="anna@example.net", carriage="cdek-door", phone_number="+79007654321", **ADDRESSES["ru"]
    )
    number = pay_by(shopper, "sbp")
    deal = open_deal(seller, number)
    move(seller, "Сделка успешна")
    until(boss, f"/dashboard/orders/{number}/", lambda tab: "what the order does not allow" in tab.content())
    check_page(boss, "refused")
    stage(seller, deal, "Сделка успешна")
