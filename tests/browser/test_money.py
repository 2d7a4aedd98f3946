"""Bank statements and payouts, as a merchant works with them."""

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.models import BankEntry, BankStatement, OrderFulfillment, Payout
from oscar_fulfillment.test import factories
from tests.integration.bank import DATA, lines, take, unpaid
from tests.integration.payments import statuses
from tests.integration.test_payouts import take as take_payout
from tests.integration.test_payouts import waiting

from .conftest import check_page, log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("D6", "E10")]

STATEMENTS = "/dashboard/orders/money/statements/"
PAYOUTS = "/dashboard/orders/money/payouts/"
WIDTHS = (1280, 390)


@pytest.fixture
def rita(page):
    user = factories.staff_user("*", first_name="Rita", last_name="Lima")
    log_in(page, user)
    return page


@pytest.fixture
def orders(db):
    return [
        unpaid("100123"),
        unpaid("100124", "50.50", name="Jürg Müller"),
        unpaid("100125", "25.00", name="Urs Zürcher"),
    ]


def test_a_statement_from_the_upload_to_the_paid_order(rita, orders):
    rita.goto(STATEMENTS)
    check_page(rita, "money-empty", WIDTHS)
    rita.get_by_role("link", name="Upload a statement").first.click()
    check_page(rita, "money-upload", WIDTHS)
    rita.get_by_label("File from the bank").set_input_files(DATA / "bank" / "camt053_v02_collective.xml")
    rita.get_by_role("button", name="Upload").click()
    expect(rita.get_by_text("4 movements imported.")).to_be_visible()
    check_page(rita, "money-entries", WIDTHS)

    rita.get_by_role("link", name="Review the exact matches").click()
    check_page(rita, "money-exact", WIDTHS)
    rita.get_by_role("button", name="Confirm these 2").click()
    expect(rita.get_by_text("2 movements booked.")).to_be_visible()
    assert [statuses(order)[0] for order in orders] == ["paid", "paid", "awaiting_payment"]

    rita.get_by_role("button", name="Confirm CHF20.00 for order 100125").click()
    expect(rita.get_by_text("CHF5.00 are still missing.")).to_be_visible()
    expect(rita.get_by_text("Nothing left to look at.")).to_be_visible()
    rita.get_by_role("link", name="Booked 3").click()
    expect(rita.get_by_role("link", name="100125")).to_be_visible()
    check_page(rita, "money-booked", WIDTHS)
    rita.goto(STATEMENTS)
    check_page(rita, "money-statements", WIDTHS)


def test_a_csv_file_dropped_and_its_columns_confirmed(rita, orders):
    rita.goto(f"{STATEMENTS}upload/")
    expect(rita.get_by_text("or drop it here")).to_be_visible()
    rita.evaluate(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "sparkasse.csv", { type: "text/csv" }));
            document.querySelector("[data-ff-drop]").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        (DATA / "bank" / "sparkasse_de.csv").read_text("cp1252"),
    )
    rita.get_by_role("combobox", name="Account").fill("DE02 1203 0000 0000 2020 51")
    rita.get_by_label("Currency").fill("eur")
    rita.get_by_role("button", name="Upload").click()
    expect(rita.get_by_role("heading", name="What is in which column?")).to_be_visible()
    check_page(rita, "money-layout", WIDTHS)
    rita.get_by_label("Betrag", exact=True).select_option("")
    rita.get_by_role("button", name="Show again").click()
    expect(rita.get_by_text("Say which column holds the sum")).to_be_visible()
    expect(rita.get_by_role("button", name="Import")).to_be_disabled()
    check_page(rita, "money-layout-wrong", WIDTHS)
    rita.get_by_label("Betrag", exact=True).select_option("amount")
    rita.get_by_role("button", name="Show again").click()
    rita.get_by_role("button", name="Import").click()
    expect(rita.get_by_text("2 movements imported.")).to_be_visible()
    assert BankStatement.objects.get().account == "DE02120300000000202051"


def test_another_order_is_found_and_a_deposit_set_aside(rita, orders):
    unpaid("777", "64.00", name="Bo Ek")
    lines(
        ("05.11.2026", "Ek Bo", "Danke!", "60.00"),
        ("05.11.2026", "Owner", "capital", "5000.00"),
        ("06.11.2026", "Rutschmann Pia with a very long name of a payer that goes on", "x" * 300, "100.00"),
    )
    take("camt053_v08.xml")
    rita.goto("/dashboard/orders/money/entries/")
    check_page(rita, "money-open", WIDTHS)
    rita.get_by_role("link", name="Find the order").first.click()
    rita.get_by_role("searchbox", name="Order number, customer or e-mail").fill("ek")
    rita.get_by_role("button", name="Search").click()
    expect(rita.get_by_text("CHF4.00 short")).to_be_visible()
    check_page(rita, "money-entry", WIDTHS)
    rita.get_by_role("button", name="Confirm for order 777").click()
    expect(rita.get_by_text("CHF60.00 booked for order 777.")).to_be_visible()
    rita.get_by_role("button", name="Set aside CHF5,000.00 Owner").click()
    expect(rita.get_by_text("The movement is set aside.")).to_be_visible()
    booked = BankEntry.objects.get(state="matched")
    rita.goto(f"/dashboard/orders/money/entries/{booked.pk}/")
    check_page(rita, "money-entry-booked", WIDTHS)


@pytest.mark.feature("D13")
def test_a_payout_completes_its_orders(rita):
    order, payment = waiting()
    _second, other = waiting(fresh=False)
    rita.goto(PAYOUTS)
    check_page(rita, "money-payouts", WIDTHS)
    payout = take_payout(
        (payment.external_id, "", "payment", "20.00", "0.60"),
        (other.external_id, "", "payment", "25.00", "0.60"),
        ("unknown-payment-with-a-long-number-0001", "", "payment", "5.00", "0.10"),
    )
    rita.goto(f"{PAYOUTS}{payout.pk}/")
    check_page(rita, "money-payout", WIDTHS)
    rita.get_by_role("button", name="Confirm all complete ones").click()
    expect(rita.get_by_text("1 payment confirmed.")).to_be_visible()
    assert not OrderFulfillment.objects.get(pk=order.pk).awaits_payout
    rita.get_by_role("link", name="Unknown 1").click()
    check_page(rita, "money-payout-unknown", WIDTHS)
    rita.get_by_role("button", name="Look for them again").click()
    expect(rita.get_by_text("0 lines found their payments.")).to_be_visible()

    rita.goto(f"{PAYOUTS}upload/")
    rita.get_by_label("File from the provider").set_input_files(DATA / "payouts" / "mercadopago_released.csv")
    rita.get_by_role("button", name="Upload").click()
    check_page(rita, "money-payout-layout", WIDTHS)
    rita.get_by_role("button", name="Import").click()
    expect(rita.get_by_text("3 lines imported.")).to_be_visible()
    assert Payout.objects.count() == 2


def test_everything_works_without_javascript(new_person, orders):
    page = new_person(factories.staff_user("*"), java_script_enabled=False)
    page.goto(f"{STATEMENTS}upload/")
    page.get_by_label("File from the bank").set_input_files(DATA / "bank" / "camt053_v02_collective.xml")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("checkbox", name="Choose CHF100.00 for order 100123").check()
    page.get_by_role("button", name="Confirm selected").click()
    expect(page.get_by_text("1 movement booked.")).to_be_visible()
    assert statuses(orders[0])[0] == "paid"
