"""NF-e as a new user has it: the sandbox with its own tax office over mutual TLS, real workers, caught mails."""

import re
import urllib.request

import pytest
from playwright.sync_api import expect

from tests import pdf

from . import conftest
from .sandbox_shop import ADDRESSES, CPF, badges, buy, mail_about, stands, step, until, vendors

pytestmark = pytest.mark.feature("A9", "Z5")


def check_page(tab, name):
    conftest.check_page(tab, f"sandbox-nfe-{name}", widths=(1280, 390))


@pytest.fixture
def tax_office(person, shop):
    """Somebody at the tax office's own page."""
    tab = person()

    def from_now_on(**ways):
        tab.goto(f"{vendors(shop)}/sefaz/")
        for name, value in ways.items():
            field = tab.locator(f"[name={name}]")
            field.set_checked(value) if isinstance(value, bool) else field.select_option(value)
        with tab.expect_navigation():
            tab.get_by_role("button", name="From now on").click()
        return tab

    return from_now_on


def released(person, boss, product="Brasa espresso cup"):
    """A Brazilian guest's order, paid and released; its number."""
    address = {"email": "lia@example.net", **ADDRESSES["br"]}
    number = buy(person(), "br", product, address, {"method": "deposito", "tax_id": CPF})
    boss.goto(f"/dashboard/orders/{number}/")
    step(boss, "approve_payment", {"[name=reference]": "TED 4711"})
    step(boss, "release")
    return number


def issue(tab):
    """Issue what waits; the district, which the guest did not give, is filled in."""
    tab.locator("#emissions").get_by_role("link", name="Issue NF-e").click()
    expect(tab.get_by_text("The district (bairro) is missing.")).to_be_visible()
    tab.get_by_label("District (bairro)").fill("Centro")
    tab.get_by_role("button", name="Issue the note").click()
    expect(tab.get_by_text("The note has its number")).to_be_visible()
    return tab.url


def test_a_note_is_authorised_by_real_workers_and_mailed_with_its_danfe(person, shop, tax_office):
    boss = person("manager@example.com")
    tax_office(service="working", answers="later")
    number = released(person, boss)
    note = issue(boss)
    until(boss, note, lambda tab: tab.get_by_role("status").get_by_text("Authorised").count())
    check_page(boss, "authorised")
    stands(boss, number, "Approved", "Invoiced")
    key = re.sub(r"\s", "", boss.locator("#emissions .ff-code").inner_text())
    danfe = boss.locator("#emissions").get_by_role("link", name="DANFE", exact=True).get_attribute("href")
    assert key in pdf.codes(boss.request.get(danfe).body())
    mail_about(boss, number, "NF-e")
    assert f"{key}-nfe.xml" in boss.locator("body").inner_text()
    assert key in urllib.request.urlopen(f"{vendors(shop)}/sefaz/", timeout=30).read().decode()


def test_while_the_tax_office_is_stopped_the_note_goes_to_who_stands_in(person, tax_office):
    boss = person("manager@example.com")
    tax_office(service="stopped", answers="now")
    number = released(person, boss, "Serra coffee beans")
    note = issue(boss)
    until(boss, note, lambda tab: tab.get_by_role("status").get_by_text("Authorised").count())
    expect(boss.get_by_text("109 Serviço Paralisado sem Previsão")).to_be_visible()
    check_page(boss, "contingency")
    tab = tax_office(service="working")
    check_page(tab, "tax-office")
    boss.goto(f"/dashboard/orders/{number}/")
    assert badges(boss) == ["Approved", "Invoiced"]
    boss.goto("/dashboard/orders/fiscal/emissions/?state=authorised")
    check_page(boss, "queue")
