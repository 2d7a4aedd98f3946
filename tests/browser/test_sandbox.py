"""The sandbox as a new user has it: its own server, its own worker, one SQLite file; a shopper buys, a merchant works.

Nothing here reaches into the database: what is asserted is what people see, the mails that the worker sent, and that
no process of the sandbox ever logged "database is locked". The pictures of the README are taken on the way.
"""

import os
import pathlib

import pytest

from .conftest import SHOTS, check_page
from .sandbox_shop import ADDRESSES, CPF, badges, buy, give_address, mails_about, manage, put_into_basket, step

#: `make pictures` has them written into docs/images.
PICTURES = pathlib.Path(os.environ.get("PICTURES", SHOTS))


@pytest.mark.feature("A2", "A4", "A7", "A9", "A12", "A14", "A15", "D1", "Z1", "Z4")
def test_a_brazilian_order_from_the_shelf_to_delivered(person, shop):
    from oscar_fulfillment.test.fiscal import make_key

    shopper = person()
    number = buy(
        shopper,
        "br",
        "Brasa espresso cup",
        {"email": "lia@example.net", **ADDRESSES["br"]},
        {"method": "deposito", "tax_id": CPF},
    )
    boss = person("manager@example.com")
    boss.goto(f"/dashboard/orders/{number}/")
    assert badges(boss) == ["Awaiting payment", "Received"]
    step(boss, "approve_payment", {"[name=reference]": "TED 4711"})
    assert badges(boss) == ["Approved", "Received"]
    step(boss, "release")
    assert badges(boss) == ["Approved", "Released for invoicing"]
    PICTURES.mkdir(parents=True, exist_ok=True)
    boss.screenshot(path=PICTURES / "order-page.png")
    step(boss, "invoice", {"[name=access_key]": make_key(number=int(number))})
    assert badges(boss) == ["Approved", "Invoiced"]
    step(boss, "dispatch", {"[name=carrier]": "correios", "[name=tracking_code]": "AA123456785BR"})
    assert badges(boss) == ["Approved", "Sent"]
    boss.locator(".ff-badges summary, .ff-header summary").first.click()  # the "…" beside the badge
    step(boss, "deliver")
    assert badges(boss) == ["Approved", "Delivered"]
    history = boss.locator("#history").inner_text()
    for words in ("Marta Nogueira", "TED 4711", "AA123456785BR", "Invoiced"):
        assert words in history
    boss.goto("/dashboard/orders/")
    boss.screenshot(path=PICTURES / "order-list.png")
    subjects = mails_about(shopper, number, 6)
    assert len([s for s in subjects if "New order" in s]) == 1, subjects
    assert "whole" in manage(shop, "fulfillment_verify_history")


@pytest.mark.feature("D11", "D18", "E3", "E5", "Z1")
def test_a_swiss_order_from_the_shelf_to_delivered(person):
    shopper = person()
    number = buy(
        shopper,
        "ch",
        "Pausa French press",
        {"email": "luc@example.net", **ADDRESSES["ch"]},
        {"method": "prepayment"},
    )
    boss = person("manager@example.com")
    boss.goto(f"/dashboard/orders/{number}/")
    step(boss, "approve_payment")
    step(boss, "release")
    assert badges(boss) == ["Paid", "In process"]
    assert boss.locator("a[href*='/step/invoice/']").count() == 0
    step(boss, "dispatch", {"[name=notify][value=yes]": True})
    assert badges(boss) == ["Paid", "Sent"]
    step(boss, "deliver")
    assert badges(boss) == ["Paid", "Delivered"]
    assert len(mails_about(shopper, number, 6)) >= 6


def ways_to_pay(tab, store, product):
    """What the checkout offers somebody who is logged in: codes."""
    put_into_basket(tab, store, product)
    give_address(tab, **ADDRESSES[store])
    return [radio.get_attribute("value") for radio in tab.locator("input[name=payment_method]").all()]


@pytest.mark.feature("D14", "E16", "Z7")
def test_a_dealer_and_a_known_customer_see_what_is_meant_for_them(person):
    dealer = ways_to_pay(person("dealer@example.com"), "ru", "Pausa French press")
    assert dealer == ["card-ru", "sbp", "invoice-ru", "deferred-ru"]
    regular = person("regular@example.com")
    assert ways_to_pay(regular, "ch", "Pausa French press")[-1] == "invoice-ch"
    boss = person("manager@example.com")
    boss.goto("/dashboard/orders/payment-methods/")
    check_page(boss, "sandbox-payment-methods", widths=(1280, 390))
    boss.click("text=1 customer, by name")
    boss.click("text=Take away")
    boss.wait_for_load_state()
    assert "invoice-ch" not in ways_to_pay(regular, "ch", "Pausa French press")


def test_every_role_opens_the_orders_and_sees_why_it_may_not(person):
    for login in ("clerk@example.com", "finance@example.com", "warehouse@example.com"):
        tab = person(login)
        tab.goto("/dashboard/orders/")
        assert tab.locator("h1").inner_text().strip() == "Orders"
        tab.goto(tab.locator("tbody a").first.get_attribute("href"))
        assert "You do not have the permission for this step." in tab.content()


@pytest.mark.parametrize("language", ["pt", "fr", "ru"])
def test_the_work_pages_speak_the_languages(person, language):
    tab = person("manager@example.com")
    tab.context.add_cookies([{"name": "django_language", "value": language, "domain": "localhost", "path": "/"}])
    words = {"pt": "Aguardando pagamento", "fr": "paiement", "ru": "оплат"}
    tab.goto("/dashboard/orders/")
    assert words[language].casefold() in tab.content().casefold()
    check_page(tab, f"list-{language}", widths=(390,), ignore=("list", "color-contrast"))
    tab.goto(tab.locator("tbody a").first.get_attribute("href"))
    check_page(tab, f"page-{language}", widths=(390,), ignore=("list", "color-contrast"))
