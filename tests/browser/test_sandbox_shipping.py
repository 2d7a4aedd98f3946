"""Parcels on their way, as people have it: the shop, the carriers' pages, the dashboard, the mails.

The sandbox runs as a new user has it; what happens to a parcel is clicked on the simulated carrier's page.
"""

import re

import pytest

from . import conftest
from .sandbox_shop import (
    ADDRESSES,
    CPF,
    act,
    badges,
    decide,
    give_address,
    let_pass,
    mail_about,
    pay_by,
    put_into_basket,
    stands,
    step,
    until,
    vendors,
)

IGNORED = ("list", "color-contrast", "link-name")


def check_page(tab, name, ignore=IGNORED):
    conftest.check_page(tab, f"shipping-{name}", widths=(1280, 390), ignore=ignore)


@pytest.fixture
def shopper(person):
    return person()


@pytest.fixture
def boss(person):
    return person("manager@example.com")


@pytest.fixture
def carrier(person, shop):
    """Somebody at a carrier's own pages."""
    tab, base = person(), vendors(shop)

    def at(name, page=""):
        tab.goto(f"{base}/{name}/{page}")
        return tab

    return at


def happens(tab, code, what):
    """Something happens to a parcel: a button on the carrier's page, which may take it in first."""
    if not tab.locator(f"[id='{code}']").count():
        tab.fill("[name=code]:visible", code)
        with tab.expect_navigation():
            tab.get_by_role("button", name="Take it in").click()
    with tab.expect_navigation():
        tab.locator(f"[id='{code}'] button[value={what}]").click()


@pytest.mark.feature("E12", "E13", "E14")
def test_cdek_is_ordered_by_itself_and_its_parcel_completes_the_order(shopper, boss, carrier):
    put_into_basket(shopper, "ru", "Brasa espresso cup")
    give_address(
        shopper, email="ivan@example.net", carriage="cdek-door", phone_number="+79001234567", **ADDRESSES["ru"]
    )
    number = pay_by(shopper, "sbp")
    decide(shopper, "approve")
    stands(boss, number, "Paid", "Received")
    step(boss, "release")
    # The number comes by itself: nobody did anything.
    mail_about(boss, number, "tracking number")
    check_page(boss, "cdek-number-mail")
    page = f"/dashboard/orders/{number}/"
    until(boss, page, lambda tab: re.search(r"\b1105\d{6}\b", tab.locator("#shipments").inner_text()))
    code = re.search(r"\b1105\d{6}\b", boss.locator("#shipments").inner_text())[0]
    check_page(boss, "cdek-order-page")
    act(boss, "dispatch", {"Yes": True})
    at = carrier("cdek")
    for what in ("collected", "in_transit", "out_for_delivery", "delivered"):
        happens(at, code, what)
    check_page(at, "cdek-carrier", ignore=())
    let_pass(boss, number, hours=2)
    stands(boss, number, "Paid", "Delivered")
    check_page(boss, "cdek-delivered")
    # Read without its scripts: Oscar's own page calls one that Oscar does not have.
    assert "Completed" in boss.request.get(f"/dashboard/orders/{number}/oscar/").text()


@pytest.mark.feature("A12", "A13")
def test_correios_mails_its_link_and_its_parcel_is_followed(shopper, boss, carrier):
    put_into_basket(shopper, "br", "Brasa espresso cup")
    give_address(shopper, email="lia@example.net", carriage="sedex", **ADDRESSES["br"])
    number = pay_by(shopper, "deposito", CPF)
    boss.goto(f"/dashboard/orders/{number}/")
    step(boss, "approve_payment")
    step(boss, "release")
    act(boss, "invoice", {"No fiscal document": True})
    code = "AA123456785BR"
    act(boss, "dispatch", {"Tracking code": code})
    mail_about(shopper, number, "on its way")
    link = shopper.frame_locator(".shop-mail-frame").locator(f"a[href*='rastreamento.correios.com.br'][href*='{code}']")
    link.first.wait_for()
    check_page(shopper, "correios-mail")
    at = carrier("correios")
    assert badges(boss) == ["Approved", "Sent"]
    for what in ("collected", "out_for_delivery", "delivered"):
        happens(at, code, what)
    let_pass(boss, number, hours=6)
    stands(boss, number, "Approved", "Delivered")
    check_page(boss, "correios-delivered")
