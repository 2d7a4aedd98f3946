"""Editing an order in a real browser: the difference follows the keys, above the held sum nothing can be applied."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderDraft
from oscar_fulfillment.services import editing, oscar_events
from oscar_fulfillment.services.edit_wanted import Wanted
from oscar_fulfillment.test import factories
from tests.integration import payments as pay
from tests.integration.editing import fresh

from . import conftest
from .conftest import log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("E2")]


@pytest.fixture(autouse=True)
def languages_and_types(transactional_db):
    oscar_events._types.clear()  # the tables are emptied between these tests


@pytest.fixture
def goods(transactional_db):
    return [
        factories.product("Caneca azul esmaltada", "35.00", sku="CAN-AZ"),
        factories.product("Prato fundo de cerâmica, 22 cm, feito à mão em Cunha", "48.50", sku="PRA-22"),
        factories.product("Tigela pequena", "19.90", sku="TIG-P", stock=3),
    ]


@pytest.fixture
def boss(page):
    user = factories.staff_user("*", first_name="Bruna")
    log_in(page, user)
    return user


def check_page(page, name):
    """Oscar's navigation bar puts its "Log out" form into a list (its layout, not ours)."""
    conftest.check_page(page, name, widths=(1280, 390), ignore=("list",))


def address(order, tail=""):
    return f"/dashboard/orders/{order.number}/{tail}"


def units(page, title):
    return page.get_by_role("row").filter(has_text=title).get_by_role("spinbutton")


def test_a_held_order_is_edited_within_its_sum_and_not_above(page, boss, goods):
    order, _payment, _provider = pay.held(lines=[(goods[0], 2), (goods[1], 1)])
    page.goto(address(order))
    page.locator("[data-step=edit_order]").click()
    expect(page.get_by_role("heading", name=f"Edit order {order.number}")).to_be_visible()
    apply = page.get_by_role("button", name="Apply the changes")
    expect(apply).to_be_disabled()
    check_page(page, "edit-1-untouched")

    units(page, "Caneca").fill("3")
    expect(page.locator("[data-total]")).to_have_text(re.compile("153.50"))
    expect(page.locator("[data-difference]")).to_have_text(re.compile(r"\+.*35.00"))
    expect(page.locator(".ff-problems")).to_contain_text("35.00 above the held sum")
    expect(apply).to_be_disabled()
    check_page(page, "edit-2-above")

    page.get_by_role("row").filter(has_text="Prato").get_by_role("button").click()
    expect(units(page, "Prato")).to_have_value("0")
    expect(page.locator("[data-total]")).to_have_text(re.compile("105.00"))
    expect(apply).to_be_enabled()

    page.get_by_label("SKU, bar code or title").fill("tig")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Add “Tigela pequena”").click()
    expect(units(page, "Tigela")).to_have_value("1")
    units(page, "Tigela").fill("9")
    expect(page.get_by_role("row").filter(has_text="Tigela")).to_contain_text("6 not in stock")
    check_page(page, "edit-3-short")
    units(page, "Tigela").fill("-1")
    expect(page.get_by_role("row").filter(has_text="Tigela")).to_contain_text("between 0 and 10000")
    expect(apply).to_be_disabled()
    units(page, "Tigela").fill("0")
    units(page, "Caneca").fill("2")
    page.get_by_label("Charge with tax, in BRL").fill("12.00")
    expect(page.locator("[data-total]")).to_have_text(re.compile("82.00"))
    page.get_by_label("Note for the history").fill("Falamos por telefone: sem o prato")
    check_page(page, "edit-4-ready")
    # A new page in between: the draft is there.
    page.reload()
    expect(units(page, "Prato")).to_have_value("0")
    expect(page.locator("[data-total]")).to_have_text(re.compile("82.00"))
    page.get_by_label("Note for the history").fill("Falamos por telefone: sem o prato")
    page.get_by_role("button", name="Apply the changes").click()
    expect(page.locator("#messages")).to_contain_text("Order edited: done.")
    assert fresh(order).total_incl_tax == Decimal("82.00")
    history = page.locator("#history")
    expect(history).to_contain_text("taken away: 1")
    expect(history).to_contain_text("Falamos por telefone")
    check_page(page, "edit-5-done")

    page.locator("[data-step=revert_edit]").click()
    panel = page.locator("[data-step-panel=revert_edit]")
    expect(panel).to_contain_text("Prato fundo de cerâmica, 22 cm, feito à mão em Cunha: 0 → 1")
    check_page(page, "edit-6-back")
    panel.get_by_role("button", name="Take the edit back").click()
    expect(page.locator("#messages")).to_contain_text("Edit taken back: done.")
    assert fresh(order).total_incl_tax == Decimal("118.50")


def test_two_people_and_nothing_is_lost(page, boss, goods, new_person):
    order = factories.placed_order(lines=[(goods[0], 2), (goods[1], 1)])
    page.goto(address(order, "edit/"))
    units(page, "Caneca").fill("4")
    expect(page.locator("[data-total]")).to_have_text(re.compile("188.50"))
    otto = factories.staff_user("*", first_name="Otto")
    other = new_person(otto)
    other.goto(address(order, "edit/"))
    expect(other.locator(".alert-info")).to_contain_text("Bruna is preparing a change of this order too")
    plate = order.lines.get(title__startswith="Prato")
    editing.apply_edit(order=fresh(order), actor=Actor.from_user(otto), wanted=Wanted({plate.pk: 2}))
    page.get_by_role("button", name="Apply the changes").click()
    expect(page.locator("#ff-stale")).to_contain_text("Otto edited the order")
    expect(units(page, "Caneca")).to_have_value("4")
    expect(units(page, "Prato")).to_have_value("2")
    check_page(page, "edit-7-stale")
    page.get_by_role("button", name="Apply the changes").click()
    expect(page.locator("#messages")).to_contain_text("Order edited: done.")
    assert sorted(order.lines.values_list("quantity", flat=True)) == [2, 4]


def test_without_a_script(browser, live_server, goods):
    order = factories.placed_order(lines=[(goods[0], 2), (goods[1], 1)])
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="en-GB")
    context.set_default_timeout(15_000)
    tab = context.new_page()
    log_in(tab, factories.staff_user("*"))
    tab.goto(address(order))
    tab.get_by_role("link", name="Edit the order").click()
    units(tab, "Caneca").fill("1")
    units(tab, "Caneca").press("Enter")
    expect(tab.locator("[data-difference]")).to_contain_text("35.00")
    units(tab, "Prato").fill("0")
    tab.get_by_role("button", name="Recalculate").last.click()
    expect(tab.locator("[data-total]")).to_contain_text("35.00")
    tab.get_by_role("button", name="Apply the changes").click()
    expect(tab.locator("#messages")).to_contain_text("Order edited: done.")
    assert list(order.lines.values_list("quantity", flat=True)) == [1]
    assert OrderDraft.objects.get().status == "applied"
    context.close()


def test_a_page_that_cannot_reach_the_shop_gives_its_button_back(page, boss, goods):
    order = factories.placed_order(lines=[(goods[0], 2)])
    page.goto(address(order, "edit/"))
    expect(page.locator("#ff-recalculate")).to_be_hidden()
    page.route("**/edit/price/", lambda route: route.abort())
    units(page, "Caneca").fill("1")
    expect(page.locator("#ff-recalculate")).to_be_visible()
    page.unroute("**/edit/price/")
    page.locator("#ff-recalculate").click()
    expect(page.locator("[data-total]")).to_have_text(re.compile("35.00"))
