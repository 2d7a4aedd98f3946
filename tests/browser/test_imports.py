"""Tracking codes by CSV and a carrier's OCOREN file, as a merchant works with them."""

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.services import holds
from oscar_fulfillment.test import factories
from tests.integration.imports import CODES, csv_of, file3, record3, status
from tests.integration.test_tracking_imports import sent

from .conftest import check_page, log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A12", "E4")]

IMPORTS = "/dashboard/orders/parcels/imports/"
WIDTHS = (1280, 390)


@pytest.fixture
def wanda(page):
    user = factories.staff_user("*", first_name="Wanda", last_name="Ferraz")
    log_in(page, user)
    return page


def choose(page, name, content):
    page.get_by_label("File with tracking codes, or OCOREN file").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )


def test_codes_from_the_file_to_the_sent_orders_and_the_failed_again(wanda):
    one, two, held = (factories.invoiced_order() for _n in range(3))
    wanda.goto(IMPORTS)
    check_page(wanda, "imports-empty", WIDTHS)
    wanda.get_by_role("link", name="Choose a file").first.click()
    check_page(wanda, "imports-upload", WIDTHS)
    rows = [
        (one.number, CODES[0], "Correios"), (two.number, CODES[1], "Correios"), (two.number, "AA123456780BR", ""),
        (held.number, CODES[2], "Correios"), ("999999", CODES[3], "Correios"), (one.number, CODES[0], "Correios"),
        (one.number, CODES[4], "Pombo-correio"),
    ]  # fmt: skip
    choose(wanda, "postagem.csv", csv_of(*rows, heading="Pedido;Rastreio;Transportadora"))
    wanda.get_by_role("combobox", name="Carrier", exact=True).select_option("correios")
    wanda.get_by_role("button", name="Upload").click()
    expect(wanda.get_by_role("heading", name="What is in which column?")).to_be_visible()
    check_page(wanda, "imports-columns", WIDTHS)
    wanda.get_by_role("button", name="See what each row does").click()
    expect(wanda.get_by_text("The check digit is wrong")).to_be_visible()
    check_page(wanda, "imports-verdicts", WIDTHS)

    holds.place_hold(order=held, actor=factories.TEAM, code="other")
    wanda.get_by_role("button", name="Apply the 3 rows that do something").click()
    expect(wanda.get_by_text("2 orders done.").first).to_be_visible()
    expect(wanda.get_by_text("The order is on hold.")).to_be_visible()
    check_page(wanda, "imports-applied", WIDTHS)
    assert [status(order) for order in (one, two, held)] == ["dispatched", "dispatched", "invoiced"]

    holds.release_hold(order=held, actor=factories.TEAM, hold=held.fulfillment.holds.get().pk)
    wanda.get_by_role("button", name="Try the failed row again").click()
    expect(wanda.get_by_text("1 order done.").first).to_be_visible()
    assert status(held) == "dispatched"
    wanda.goto(IMPORTS)
    check_page(wanda, "imports-list", WIDTHS)


def test_an_ocoren_file_delivers_its_orders(wanda):
    order, other = sent("40935"), sent("40936")
    wanda.goto(f"{IMPORTS}upload/")
    records = [record3("40935", "01", "02022026", text="RECEBIDO POR JOSE"), record3("40936", "46", "02022026")]
    choose(wanda, "OCO.TXT", file3(*records, record3("7", "01", "02022026")).encode("latin-1"))
    wanda.get_by_role("button", name="Upload").click()
    expect(wanda.get_by_text("Responsável ausente")).to_be_visible()
    check_page(wanda, "imports-ocoren", WIDTHS)
    wanda.get_by_role("button", name="Apply the 2 rows that do something").click()
    expect(wanda.get_by_text("2 orders done.").first).to_be_visible()
    assert (status(order), status(other)) == ("delivered", "dispatched")


def test_everything_works_without_javascript(new_person):
    order = factories.invoiced_order()
    page = new_person(factories.staff_user("*"), java_script_enabled=False)
    page.goto(f"{IMPORTS}upload/")
    choose(page, "codes.csv", csv_of((order.number, CODES[0], "Correios"), heading="Pedido;Rastreio;Transportadora"))
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="See what each row does").click()
    page.get_by_role("button", name="Apply the row that does something").click()
    expect(page.get_by_text("1 order done.").first).to_be_visible()
    assert status(order) == "dispatched"
