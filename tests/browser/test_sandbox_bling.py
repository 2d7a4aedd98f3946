"""An ERP as a new user has it: Bling is connected by a button, gets the order, and its note invoices it by itself."""

import re

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.carriers.s10 import check_digit

from . import conftest
from .sandbox_shop import ADDRESSES, CPF, badges, buy, stands, step, until, vendors

pytestmark = pytest.mark.feature("A8", "A10")
SYSTEMS = "/dashboard/orders/systems/"


def check_page(tab, name):
    conftest.check_page(tab, f"sandbox-bling-{name}", widths=(1280, 390))


def connect(boss):
    """Over there and back, as whoever runs the shop does it once."""
    boss.goto(SYSTEMS)
    card = boss.locator("#system-bling")
    if card.get_by_text("Connected", exact=True).count():
        return
    expect(card.get_by_text("Not connected")).to_be_visible()
    check_page(boss, "not-connected")
    card.get_by_role("button", name="Connect Bling").click()
    expect(boss.get_by_role("heading", name="Bling: authorize an application")).to_be_visible()
    check_page(boss, "authorize")
    boss.get_by_role("button", name="Authorize").click()
    boss.wait_for_url(f"**{SYSTEMS}")
    expect(boss.get_by_text("Bling is connected.")).to_be_visible()
    expect(boss.locator("#system-bling").get_by_text("Connected", exact=True)).to_be_visible()
    check_page(boss, "connected")


def released(person, boss, product="Brasa espresso cup"):
    address = {"email": "lia@example.net", **ADDRESSES["br"]}
    number = buy(person(), "br", product, address, {"method": "deposito", "tax_id": CPF})
    boss.goto(f"/dashboard/orders/{number}/")
    step(boss, "approve_payment", {"[name=reference]": "TED 4711"})
    step(boss, "release")
    return number


def at_bling(erp, shop, number):
    """The order's section on the page of the simulator."""
    section = erp.locator("section", has=erp.get_by_role("form", name=number))
    until(erp, f"{vendors(shop)}/bling/", lambda _tab: section.count())
    return section


def test_connected_by_a_button_the_note_of_the_erp_invoices_the_order(person, shop):
    boss, erp = person("manager@example.com"), person()
    connect(boss)
    number = released(person, boss)
    section = at_bling(erp, shop, number)
    check_page(erp, "orders")
    expect(section.get_by_text("No NF-e")).to_be_visible()
    assert badges(boss) == ["Approved", "Released for invoicing"]
    section.get_by_role("button", name="Issue the NF-e").click()
    issued = at_bling(erp, shop, number).get_by_text(re.compile(r"NF-e \d+: issued"))
    expect(issued).to_be_visible()
    note = re.search(r"\d+", issued.inner_text().removeprefix("NF-e"))[0]
    stands(boss, number, "Approved", "Invoiced")
    expect(boss.get_by_text(re.compile(rf"\b{note}\b.*(series|Series) 2|NF-e.*\b{note}\b")).first).to_be_visible()
    check_page(boss, "invoiced")
    section = at_bling(erp, shop, number)
    serial = f"{int(number):08d}"
    code = f"AA{serial}{check_digit(serial)}BR"
    section.get_by_label("Tracking code").fill(code)
    section.get_by_role("button", name="Post it").click()
    stands(boss, number, "Approved", "Sent")
    expect(boss.get_by_text(code).first).to_be_visible()


def test_what_was_lost_on_the_way_arrives_once(person, shop):
    boss, erp = person("manager@example.com"), person()
    connect(boss)
    erp.goto(f"{vendors(shop)}/bling/control")
    for _time in range(2):
        erp.get_by_role("button", name="Do it, and lose the answer").click()
    number = released(person, boss, "Serra coffee beans")
    section = at_bling(erp, shop, number)
    assert section.count() == 1
    section.get_by_label("The shop hears of it").select_option("never")
    section.get_by_role("button", name="Issue the NF-e").click()
    # Nobody tells; it is asked for.
    until(boss, f"/dashboard/orders/{number}/", lambda tab: badges(tab) == ["Approved", "Invoiced"], patience=150)
    assert at_bling(erp, shop, number).count() == 1
