"""Missing goods, as a merchant works with them: from the release in part to the waiting order that goes out."""

import pytest
from django.core import mail
from playwright.sync_api import expect

from oscar_fulfillment.core import outbox
from oscar_fulfillment.models import OrderFulfillment, SupplierOrder
from oscar_fulfillment.test import factories
from tests.integration.supply import buy, paid, record_of, set_stock, waiting

from .conftest import check_page, log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("D9", "Z6")]

MISSING = "/dashboard/orders/supply/missing/"
WIDTHS = (1280, 390)


@pytest.fixture
def rita(page):
    user = factories.staff_user("*", first_name="Rita", last_name="Lima")
    log_in(page, user)
    return page


def test_from_the_short_release_to_the_released_order(rita, settings):
    mug = factories.product("Ponto e vírgula mug", sku="DP-304", partner="Olaria Boa Vista")
    plate = factories.product("Plate", partner="Olaria Boa Vista")
    settings.OSCAR_FULFILLMENT = {
        **settings.OSCAR_FULFILLMENT,
        "SUPPLIER_EMAILS": {record_of(mug).partner.code: "olaria@example.com"},
    }
    order = paid((mug, 3), (plate, 1), age=2)
    set_stock(mug, 1)

    rita.goto(MISSING)
    # Of the three mugs two lack, before anybody has tried to release the order.
    expect(rita.get_by_role("row", name="Ponto e vírgula mug")).to_contain_text("2")
    rita.goto(f"/dashboard/orders/{order.number}/")
    rita.get_by_role("link", name="Release for invoicing").first.click()
    rita.get_by_role("button", name="Release what is there").click()
    expect(rita.get_by_text("Released for invoicing").first).to_be_visible()

    rita.goto(MISSING)
    check_page(rita, "missing", WIDTHS)
    rita.get_by_role("link", name="Order Olaria Boa Vista").click()
    expect(rita.get_by_label("Units of Ponto e vírgula mug")).to_have_value("2")
    rita.get_by_label("Units of Ponto e vírgula mug").fill("6")
    rita.get_by_label("Note to the supplier").fill("The blue glaze, please.")
    check_page(rita, "missing-order", WIDTHS)
    rita.get_by_role("button", name="Order these goods").click()
    expect(rita.get_by_text("its mail to olaria@example.com is on its way")).to_be_visible()
    outbox.drain()
    assert mail.outbox[-1].to == ["olaria@example.com"]
    assert "6 × Ponto e vírgula mug" in mail.outbox[-1].body

    rita.goto(MISSING)
    expect(rita.get_by_text("All on order")).to_be_visible()
    rita.get_by_role("link", name="On order 1").click()
    check_page(rita, "missing-supplies", WIDTHS)
    rita.get_by_role("link", name=SupplierOrder.objects.get().number).click()
    check_page(rita, "missing-supply", WIDTHS)
    rita.get_by_label("Units of Ponto e vírgula mug").fill("7")
    rita.get_by_role("button", name="These goods came").click()
    expect(rita.get_by_text("less than or equal to 6")).to_be_visible()
    check_page(rita, "missing-supply-wrong", WIDTHS)
    rita.get_by_label("Units of Ponto e vírgula mug").fill("4")
    rita.get_by_role("button", name="These goods came").click()
    expect(rita.get_by_text("1 waiting order can be released now.")).to_be_visible()
    check_page(rita, "missing-releasable", WIDTHS)

    rita.get_by_role("checkbox", name=f"Choose order {order.number}").check()
    rita.get_by_role("button", name="Release").click()
    expect(rita.get_by_text("1 order done.")).to_be_visible()
    assert not OrderFulfillment.objects.get(pk=order.pk).has_backorder
    rita.goto(MISSING)
    expect(rita.get_by_text("Nothing is missing.")).to_be_visible()
    check_page(rita, "missing-empty", WIDTHS)


def test_several_suppliers_ages_and_parts(rita):
    mug = factories.product(
        "A mug with a very long name that goes on and on over the line",
        sku="A-VERY-LONG-STOCK-KEEPING-UNIT-0001",
        partner="Olaria Boa Vista",
    )
    lamp = factories.product("Lua pendant lamp", sku="LH-202", partner="Lumière & Fils")
    old, young = waiting(mug, 4, age=9), waiting(mug, 3, age=1)
    waiting(lamp, 2, age=4)
    buy(lamp, 2)
    rita.goto(MISSING)
    check_page(rita, "missing-several", WIDTHS)
    set_stock(mug, 5)
    rita.get_by_role("link", name="Can be released now").click()
    expect(rita.get_by_role("link", name=old.number)).to_be_visible()
    expect(rita.get_by_role("link", name=young.number)).to_have_count(0)
    rita.get_by_role("link", name="In part 1").click()
    expect(rita.get_by_text("1 of 3 units")).to_be_visible()
    check_page(rita, "missing-part", WIDTHS)
    rita.get_by_role("link", name="In full 1").click()
    rita.get_by_label("All on this page").check()
    rita.get_by_role("button", name="Release").click()
    expect(rita.get_by_text("1 order done.")).to_be_visible()
    assert not OrderFulfillment.objects.get(pk=old.pk).has_backorder


def test_everything_works_without_javascript(new_person):
    mug = factories.product("Mug", partner="Olaria")
    order = waiting(mug, 3)
    page = new_person(factories.staff_user("*"), java_script_enabled=False)
    page.goto(MISSING)
    page.get_by_role("link", name="Order Olaria").click()
    page.get_by_role("button", name="Order these goods").click()
    page.get_by_role("button", name="These goods came").click()
    page.get_by_role("checkbox", name=f"Choose order {order.number}").check()
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("1 order done.")).to_be_visible()
    assert not OrderFulfillment.objects.get(pk=order.pk).has_backorder
