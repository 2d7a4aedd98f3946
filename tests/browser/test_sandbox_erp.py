"""An ERP as a new user has it: the sandbox with real workers; release hands over, the note comes back by itself."""

import pytest
from playwright.sync_api import expect

from . import conftest
from .sandbox_shop import ADDRESSES, CPF, buy, stands, step, vendors

pytestmark = pytest.mark.feature("A8", "A10")


def released(person, boss, store, product, pay):
    """A guest's order, paid and released; its number."""
    address = {"email": "lia@example.net", **ADDRESSES[store]}
    number = buy(person(), store, product, address, pay)
    boss.goto(f"/dashboard/orders/{number}/")
    step(boss, "approve_payment", {"[name=reference]": "TED 4711"} if store == "br" else {})
    step(boss, "release")
    return number


def until_there(tab, number, patience=60):
    """Look at the ERP until it has the order."""
    for _look in range(patience):
        if tab.locator(f"#order-{number}").count():
            return
        tab.wait_for_timeout(1000)
        tab.reload()
    raise AssertionError(f"{number} did not come to the ERP")


def test_release_is_the_handing_over_and_the_note_makes_the_order_invoiced(person, shop):
    boss, erp = person("manager@example.com"), person()
    erp.goto(f"{vendors(shop)}/erp/")
    if not erp.locator("button[aria-pressed=true]").count():
        erp.get_by_role("button", name="It works by itself").click()
    expect(erp.locator("button[aria-pressed=true]")).to_be_visible()
    number = released(person, boss, "br", "Brasa espresso cup", {"method": "deposito", "tax_id": CPF})
    until_there(erp, number)
    stands(boss, number, "Approved", "Invoiced")
    erp.reload()
    expect(erp.locator(f"#order-{number}")).to_contain_text("NF-e 50")
    expect(erp.locator(f"#order-{number}")).to_contain_text("invoiced")
    conftest.check_page(erp, "sandbox-erp", widths=(1280, 390))
    erp.get_by_role("button", name="It works by itself").click()


def test_an_order_of_the_short_flow_is_pushed_signed(person, shop):
    boss, erp = person("manager@example.com"), person()
    number = released(person, boss, "ch", "Pausa French press", {"method": "prepayment"})
    erp.goto(f"{vendors(shop)}/erp/")
    until_there(erp, number)
    erp.locator(f"#order-{number}").get_by_role("button", name="Send the goods").click()
    stands(boss, number, "Paid", "Sent")
