"""Papers by clicks: of one order from its page, of several from the list, each in its order's language."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.services import oscar_events, printing, release
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS
from tests import pdf

from . import conftest
from .conftest import check_page, log_in

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/orders/"
BUYERS = {
    "en-gb": ("EUR", "Jane", "O’Connor", "8 Tramway Lane"),
    "pt": ("BRL", "João", "da Conceição", "Rua São João, 1"),
    "fr": ("CHF", "Zoé", "Müller", "Rue du Père-Lachaise 5"),
    "ru": ("RUB", "Ольга", "Щербакова", "ул. Мясницкая, д. 1"),
}


@pytest.fixture(autouse=True)
def shop(transactional_db, settings):
    oscar_events._types.clear()  # the tables are emptied between these tests
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}


@pytest.fixture
def boss(page):
    user = factories.staff_user("*", first_name="Bruna", last_name="Reis")
    log_in(page, user)
    return user


def order_in(language, **options):
    currency, first, last, street = BUYERS[language]
    address = factories.address(country="BR", first_name=first, last_name=last, line1=street)
    return factories.released_order(
        currency=currency, shipping_address=address, fulfillment={"language": language}, **options
    )


def printed(page, click):
    """The PDF that a click opens in a tab of its own."""
    is_pdf = lambda response: "application/pdf" in response.headers.get("content-type", "")  # noqa: E731
    with page.context.expect_event("response", is_pdf) as answer:
        click()
    return page.request.get(answer.value.url).body()


def menu(page):
    page.get_by_text("Documents", exact=True).click()
    return page.locator("#documents")


@pytest.mark.feature("D10")
@pytest.mark.feature("D15")
def test_one_click_prints_and_the_second_time_it_says_so(page, boss, monkeypatch):
    monkeypatch.setattr(printing, "ONE_CLICK", timedelta(0))
    order = factories.paid_order(lines=[(factories.product("Mug"), 2)])
    (pk,) = order.lines.values_list("pk", flat=True)
    for _time in range(2):
        release.release_order(order=order, actor=factories.TEAM, quantities={pk: 1})
    one, two = order.fulfillment.shipments.order_by("number")
    page.goto(f"{LIST}{order.number}/")
    papers = menu(page)
    slips = printed(page, papers.get_by_role("button", name="Packing slip").click)
    assert len(pdf.pages(slips)) == 2
    assert {scan_codes.shipment_code(one.pk), scan_codes.shipment_code(two.pk)} <= set(pdf.codes(slips))
    assert "Reprint" not in pdf.words(slips)
    assert "Return form" in pdf.words(slips)

    page.reload()
    papers = menu(page)
    expect(papers).to_contain_text("Printed before on")
    expect(papers).to_contain_text("by Bruna Reis")
    conftest.check_page(page, "order-documents", ignore=("list",))
    again = printed(page, papers.get_by_role("button", name="Packing slip").click)
    assert "Reprint: printed before on" in pdf.words(again)

    page.reload()
    page.get_by_label("Documents of shipment 2").click()
    label = printed(page, page.locator("#shipment-2").get_by_role("button", name="Address label").click)
    assert pdf.codes(label) == [scan_codes.shipment_code(two.pk)]
    noted = [row.data for row in order.fulfillment.history.filter(action="print").order_by("sequence")]
    assert [(row["document"], row["shipments"]) for row in noted] == [
        ("slip", [one.pk, two.pk]), ("slip", [one.pk, two.pk]), ("label", [two.pk]),
    ]  # fmt: skip


@pytest.mark.feature("D10")
@pytest.mark.feature("Z8")
def test_papers_of_several_orders_are_one_pdf_each_in_its_language(page, boss):
    mug = factories.product("Mug")
    orders = {language: order_in(language, lines=[(mug, 2)]) for language in BUYERS}
    page.goto(LIST)

    def choose():
        for order in orders.values():
            page.locator(f".selected_order[value='{order.pk}']").check()

    choose()
    check_page(page, "list-documents", widths=(1280, 390))
    slips = printed(page, page.get_by_role("button", name="Print packing slips").click)
    pages = pdf.pages(slips)
    assert len(pages) == 4
    for words, (language, order) in zip(pages, orders.items(), strict=True):
        assert order.number in words
        assert all(part in words for part in BUYERS[language][1:])
    codes = pdf.codes(slips)
    for order in orders.values():
        # Bar code and QR at the top, the bar code again on the return form.
        assert codes.count(scan_codes.shipment_code(order.fulfillment.shipments.get().pk)) == 3

    page.goto(LIST)
    choose()
    labels = printed(page, page.get_by_role("button", name="Print labels").click)
    assert len(pdf.pages(labels)) == 4
    page.goto(LIST)
    choose()
    picking = pdf.words(printed(page, page.get_by_role("button", name="Print picking list").click))
    assert "4 orders · 1 article · 8 items" in picking
    assert all(order.number in picking for order in orders.values())
