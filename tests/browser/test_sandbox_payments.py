"""Every way to pay, as people have it: the shop, the provider's page, back again, and the dashboard.

The sandbox runs as a new user has it (web, worker, simulators, one SQLite file), and everything is clicked: what happens
at a provider on the simulator's pages, accidents on its page "Accidents", days on the sandbox' page "Let time pass".
"""

import re

import pytest
from playwright.sync_api import expect

from . import conftest
from .sandbox_shop import (
    ADDRESSES,
    CPF,
    act,
    badges,
    decide,
    fill_in,
    give_address,
    let_pass,
    mail_about,
    manage,
    pay_by,
    put_into_basket,
    send_and_deliver,
    stands,
    until,
    vendors,
)

WIDTHS = (1280, 390)
TODO = "/dashboard/orders/list/follow-ups/"


def check_page(tab, name, ignore=("list", "color-contrast", "link-name")):
    """Oscar's navigation bar puts a form into a list, its shop pages have pale buttons, its thank-you page links
    pictures without words: not ours."""
    conftest.check_page(tab, f"flow-{name}", widths=WIDTHS, ignore=ignore)


@pytest.fixture
def shopper(person):
    return person()


@pytest.fixture
def boss(person):
    return person("manager@example.com")


@pytest.fixture
def vendor(person, shop):
    """Somebody at a vendor's own pages: ``vendor("pagarme", "control")``."""
    tab, base = person(), vendors(shop)

    def at(name, page=""):
        tab.goto(f"{base}/{name}/{page}")
        return tab

    return at


def order(tab, store, product, method, quantity=1, **address):
    """A guest buys; returns the number. The tab is then where the shop has led it."""
    put_into_basket(tab, store, product, quantity)
    give_address(tab, **{"email": f"{method}@example.net", **ADDRESSES[store], **address})
    return pay_by(tab, method, CPF if store == "br" else "")


def open_boleto(tab):
    """The boleto as the bank shows it, in a tab of its own."""
    with tab.expect_popup() as opened:
        tab.click("a:has-text('Open')")
    opened.value.wait_for_load_state()
    return opened.value


def follow(tab, way):
    """Take a way out of a follow-up on the order page: its form opens."""
    tab.locator("#followups").get_by_role("link", name=way, exact=True).click()
    tab.locator("[data-step-panel]").wait_for()


# Brazil: what a provider runs


@pytest.mark.feature("A3", "A5", "D8", "Z7")
def test_a_boleto_is_paid(shopper, boss):
    number = order(shopper, "br", "Brasa espresso cup", "boleto")
    expect(shopper.locator("main")).to_contain_text(f"Your order {number} is placed.")
    check_page(shopper, "boleto-open")
    boss.goto(f"/dashboard/orders/{number}/")
    expect(boss.locator("#payment")).to_contain_text("Approved or cancelled by its provider")
    check_page(boss, "boleto-order-waits")
    bank = open_boleto(shopper)
    check_page(bank, "boleto-at-the-bank", ignore=())
    decide(bank, "approve", notify="twice")
    check_page(bank, "provider-list", ignore=())
    # The page that the buyer had left open notices it.
    expect(shopper.locator(".of-paying")).to_contain_text("We have received your payment", timeout=30_000)
    check_page(shopper, "boleto-paid")
    stands(boss, number, "Approved", "Received")
    assert boss.locator("#history").inner_text().count("Approve payment") <= 1
    check_page(boss, "boleto-order-paid")
    mail_about(shopper, number, "We have received your payment")
    check_page(shopper, "mail-paid")


@pytest.mark.feature("A3", "Z7")
@pytest.mark.parametrize("way", ["Restore the order", "Refund", "Keep as a credit note"])
def test_a_boleto_expires_and_is_paid_late(shopper, boss, way):
    number = order(shopper, "br", "Serra coffee beans", "boleto")
    bank = open_boleto(shopper)
    address = bank.url
    # Nobody tells the shop: it asks by itself.
    decide(bank, "expire", notify="never")
    let_pass(boss, number, days=8)
    stands(boss, number, "Cancelled", "Cancelled")
    mail_about(shopper, number, "is cancelled")
    if way == "Refund":
        check_page(shopper, "mail-cancelled")
        check_page(boss, "boleto-order-expired")
    bank.goto(address)
    decide(bank, "pay_late")
    boss.goto(TODO)
    row = until(
        boss, TODO, lambda tab: tab.locator("tr", has_text=number).count() and tab.locator("tr", has_text=number)
    )
    expect(row.first).to_contain_text("Money came for a cancelled order")
    row.first.get_by_role("link", name=number).first.click()
    todo = boss.locator("#followups")
    expect(todo).to_contain_text("after the order was cancelled")
    if way == "Refund":
        check_page(boss, "boleto-late")
    follow(boss, way)
    panel = boss.locator("[data-step-panel]")
    panel.get_by_label("Why").fill("Agreed by telephone")
    if way == "Refund":
        check_page(boss, "boleto-late-refund")
    with boss.expect_navigation():
        panel.locator("[data-submit]").click()
    expect(boss.locator("#messages .alert-success")).to_be_visible()
    expect(todo).to_have_count(0)
    if way == "Restore the order":
        stands(boss, number, "Approved", "Received")
    elif way == "Refund":
        mail_about(shopper, number, "Refund for order")
    else:
        expect(boss.locator("#payment")).to_contain_text(f"{number}-C1")


def stock(tab, store, product):
    """What the shop says of a scarce product."""
    tab.goto("/")
    if tab.locator("#store_choice").input_value() != store:
        with tab.expect_navigation():
            tab.select_option("#store_choice", store)
    tab.click(f"article:has-text('{product}') a >> nth=0")
    return tab.locator(".availability").first.inner_text().strip()


@pytest.mark.feature("A3", "A5", "Z7")
def test_a_card_is_refused_by_the_bank_and_then_by_the_risk_check(person, shopper, boss):
    before = stock(shopper, "br", "Lua pendant lamp")
    number = order(shopper, "br", "Lua pendant lamp", "cartao", quantity=2)
    assert stock(person(), "br", "Lua pendant lamp") != before
    check_page(shopper, "card-provider", ignore=())
    decide(shopper, "refuse_issuer")
    expect(shopper.locator(".of-paying")).to_contain_text("The payment was refused. No money was taken")
    check_page(shopper, "card-refused")
    mail_about(boss, number, "was refused")
    check_page(boss, "mail-refused")
    boss.goto(f"/dashboard/orders/{number}/")
    assert badges(boss) == ["Awaiting payment", "Received"]
    check_page(boss, "card-order-refused")
    with shopper.expect_navigation():
        shopper.click("button:has-text('Pay now')")
    decide(shopper, "refuse_antifraud")
    expect(shopper.locator(".of-paying")).to_contain_text("This order is cancelled", timeout=30_000)
    check_page(shopper, "card-cancelled")
    stands(boss, number, "Cancelled", "Cancelled")
    expect(boss.locator("#history")).to_contain_text("risk check")
    check_page(boss, "card-order-cancelled")
    mail_about(boss, number, "is cancelled")
    assert stock(shopper, "br", "Lua pendant lamp") == before


@pytest.mark.feature("A3", "D8")
def test_a_pix_is_paid_and_the_page_notices(shopper, boss, vendor):
    number = order(shopper, "br", "Margem notebook", "pix")
    expect(shopper.locator(".of-qr svg")).to_be_visible()
    check_page(shopper, "pix-open")
    bank = vendor("mercadopago")
    bank.click("tbody a >> nth=0")
    decide(bank, "approve")
    expect(shopper.locator(".of-paying")).to_contain_text("We have received your payment", timeout=30_000)
    stands(boss, number, "Approved", "Received")


@pytest.mark.feature("A3")
def test_notifications_in_the_wrong_order(shopper, boss, vendor):
    number = order(shopper, "br", "Brasa espresso cup", "cartao")
    address = shopper.url
    decide(shopper, "review", notify="later")
    expect(shopper.locator(".of-paying")).to_contain_text("The payment is being checked", timeout=30_000)
    check_page(shopper, "card-review")
    back = shopper.url
    shopper.goto(address)
    decide(shopper, "approve", notify="later")
    seller = vendor("pagarme")
    check_page(seller, "provider-held", ignore=())
    seller.click("button:has-text('held notifications')")
    stands(boss, number, "Approved", "Received")
    shopper.goto(back)
    expect(shopper.locator(".of-paying")).to_contain_text("We have received your payment")
    boss.goto("/dashboard/orders/messages/")
    expect(boss.locator("main, #content, body").first).to_contain_text("Everything that came in was understood.")


# Switzerland


@pytest.mark.feature("D8", "D13")
def test_twint_goes_straight_on_and_is_completed_by_its_payout(shopper, boss):
    number = order(shopper, "ch", "Pausa French press", "twint")
    check_page(shopper, "twint-provider", ignore=())
    decide(shopper, "approve")
    expect(shopper.locator(".of-paying")).to_contain_text("We have received your payment")
    stands(boss, number, "Paid", "Received")
    act(boss, "release")
    send_and_deliver(boss)
    assert badges(boss) == ["Paid", "Delivered"]
    expect(boss.locator("#payment")).to_contain_text("Waits for the payout")
    check_page(boss, "twint-waits-for-payout")
    act(boss, "confirm_payout", {"Reference": "Payout 2026-48"})
    expect(boss.locator("#payment")).not_to_contain_text("Waits for the payout")
    expect(boss.locator("#history")).to_contain_text("Payout 2026-48")


@pytest.mark.feature("D6", "E10", "Z7")
def test_a_prepayment_is_short_then_over(shopper, boss):
    number = order(shopper, "ch", "Pausa French press", "prepayment")
    check_page(shopper, "prepayment-thanks")
    let_pass(boss, number, days=8)
    mail_about(shopper, number, "Reminder")
    check_page(shopper, "mail-reminder")
    boss.goto(f"/dashboard/orders/{number}/")
    act(boss, "receive_money", {"Amount": "20", "Reference": "LSV 1"})
    expect(boss.locator("#messages")).to_contain_text("is still missing")
    expect(boss.locator("#followups")).to_contain_text("Too little was paid")
    check_page(boss, "prepayment-short")
    follow(boss, "The rest came in")
    act(boss, "receive_money", {"Amount": "50"})
    expect(boss.locator("#messages")).to_contain_text("is too much")
    assert badges(boss) == ["Paid", "Received"]
    expect(boss.locator("#followups")).to_contain_text("Too much was paid")
    check_page(boss, "prepayment-over")
    follow(boss, "Refund the difference")
    act(boss, "refund_payment", {"Why is it paid back?": "Paid too much", "Reference": "Transfer 17"})
    expect(boss.locator("#followups")).to_have_count(0)
    assert badges(boss) == ["Paid", "Received"]


@pytest.mark.feature("D6", "Z7")
def test_a_prepayment_never_comes(shopper, boss):
    before = stock(shopper, "ch", "Pena fountain pen")
    number = order(shopper, "ch", "Pena fountain pen", "prepayment", quantity=4)
    assert stock(boss, "ch", "Pena fountain pen") != before
    let_pass(boss, number, days=22)
    stands(boss, number, "Cancelled", "Cancelled")
    mail_about(shopper, number, "is cancelled")
    assert stock(boss, "ch", "Pena fountain pen") == before


@pytest.mark.feature("D5")
def test_cash_on_pick_up(shopper, boss):
    number = order(shopper, "ch", "Seixo vase", "cash-pickup", carriage="ch-pickup")
    boss.goto(f"/dashboard/orders/{number}/")
    expect(boss.locator("#payment")).to_contain_text("Leaves before it is paid")
    panel = fill_in(boss, "release")
    expect(panel).to_contain_text("Seixo vase")
    check_page(boss, "cash-release")
    act(boss, "release")
    check_page(boss, "cash-released")
    act(boss, "ready_for_pickup", {"Yes": True})
    mail_about(shopper, number, "is ready to be collected")
    mail = shopper.locator(".shop-mail-text pre").text_content()
    assert "Rue de Bourg 12" in mail
    code = re.search(r"\b[1-9][0-9]{7}\b", mail)[0]
    boss.goto("/dashboard/orders/scan/pick-up/")
    boss.fill("#scan-text", code)
    boss.press("#scan-text", "Enter")
    boss.wait_for_selector("text=Cash taken")
    due = re.search(r"Due:[^0-9]*([0-9.]+)", boss.locator("#scan-region").inner_text())[1].rstrip(".")
    boss.get_by_label("Cash taken").fill(due)
    with boss.expect_navigation():
        boss.get_by_role("button", name="Hand over").click()
    boss.goto(f"/dashboard/orders/{number}/")
    assert badges(boss) == ["Paid", "Delivered"]
    check_page(boss, "cash-delivered")


@pytest.mark.feature("D14", "Z7")
def test_purchase_on_invoice_is_enabled_for_a_customer(person, boss):
    customer = person("customer@example.com")
    put_into_basket(customer, "ch", "Azulejo cushion")
    give_address(customer, **ADDRESSES["ch"])
    expect(customer.locator("input[name=payment_method][value=invoice-ch]")).to_have_count(0)
    boss.goto("/dashboard/orders/payment-methods/")
    boss.click("text=1 customer, by name")
    boss.fill("#id_customer", "menezes")
    boss.click(".ff-find button")
    check_page(boss, "invoice-enable")
    with boss.expect_navigation():
        boss.click(".ff-people button:has-text('Enable')")
    customer.reload()
    number = pay_by(customer, "invoice-ch")
    mail_about(boss, number, "We have received your order")
    expect(boss.locator(".shop-mail-head")).to_contain_text(".pdf")
    boss.goto(f"/dashboard/orders/{number}/")
    check_page(boss, "invoice-ch-order")
    act(boss, "release")
    send_and_deliver(boss)
    assert badges(boss) == ["Awaiting payment", "Delivered"]
    boss.goto(f"/dashboard/orders/{number}/")
    act(boss, "receive_money", {"Reference": "CAMT 3"})
    assert badges(boss) == ["Paid", "Delivered"]


# Russia: held cards, invoices, dealers


def hold(tab, product="Pausa French press", **options):
    number = order(tab, "ru", product, "card-ru", **options)
    decide(tab, "approve")
    # Where the provider's word is slower than the buyer, the page notices it by itself.
    expect(tab.locator(".of-paying")).to_contain_text("The sum is reserved", timeout=30_000)
    return number


def edit_fields(tab, product):
    """The quantity of a product and the button of the page "Edit the order"."""
    row = tab.get_by_role("row").filter(has_text=product)
    return row.get_by_role("spinbutton"), tab.get_by_role("button", name="Apply the changes")


@pytest.mark.feature("E1", "E2", "E5")
def test_a_held_order_is_edited_down_and_up_but_not_above_and_charged(shopper, boss):
    number = hold(shopper, quantity=3)
    check_page(shopper, "hold-buyer")
    mail_about(shopper, number, "is reserved")
    check_page(shopper, "mail-held")
    stands(boss, number, "Authorized", "Received")
    check_page(boss, "hold-order")
    units, apply = edit_fields(boss, "French press")
    for quantity in ("1", "2"):
        boss.goto(f"/dashboard/orders/{number}/edit/")
        units.fill(quantity)
        expect(apply).to_be_enabled()
        if quantity == "1":
            check_page(boss, "hold-edit-down")
        with boss.expect_navigation():
            apply.click()
        expect(boss.locator("#messages")).to_contain_text("Order edited")
    boss.goto(f"/dashboard/orders/{number}/edit/")
    units.fill("4")
    expect(boss.locator(".ff-problems")).to_contain_text("above the held sum")
    expect(apply).to_be_disabled()
    check_page(boss, "hold-edit-above")
    boss.goto(f"/dashboard/orders/{number}/")
    panel = fill_in(boss, "capture_payment")
    expect(panel).to_contain_text("What is held beyond it is given back to the buyer.")
    check_page(boss, "hold-capture")
    act(boss, "capture_payment")
    expect(boss.locator("#messages")).to_contain_text("charged.")
    assert badges(boss) == ["Paid", "Received"]
    check_page(boss, "hold-charged")


@pytest.mark.feature("E1", "E2", "Z7")
def test_a_hold_is_about_to_end_and_is_given_back(shopper, boss):
    number = hold(shopper)
    let_pass(boss, number, days=5, hours=12)
    boss.goto(f"/dashboard/orders/{number}/")
    todo = boss.locator("#followups")
    expect(todo).to_contain_text("A held payment is about to end")
    check_page(boss, "hold-ends")
    follow(boss, "Give it back")
    act(boss, "void_payment", {"Why": "The buyer has changed his mind"})
    check_page(boss, "hold-given-back")
    stands(boss, number, "Cancelled", "Cancelled")
    mail_about(shopper, number, "is cancelled")


@pytest.mark.feature("E1", "E2")
def test_a_hold_runs_out_at_the_provider(shopper, boss, vendor):
    number = hold(shopper)
    seller = vendor("yookassa")
    seller.locator("tbody tr", has_text=number).locator("a").click()
    decide(seller, "expire_hold")
    stands(boss, number, "Cancelled", "Cancelled")
    check_page(boss, "hold-ran-out")


@pytest.mark.feature("E6", "E7", "E8", "Z7")
def test_pay_by_invoice_reserved_extended_and_expired(shopper, boss, person):
    number = order(shopper, "ru", "Azulejo cushion", "invoice-ru")
    check_page(shopper, "invoice-thanks")
    mail_about(shopper, number, "We have received your order")
    expect(shopper.locator(".shop-mail-head")).to_contain_text(".pdf")
    check_page(shopper, "mail-invoice")
    clerk = person("clerk@example.com")
    let_pass(clerk, number, days=3)
    clerk.goto(TODO)
    check_page(clerk, "invoice-todo")
    clerk.goto(f"/dashboard/orders/{number}/")
    todo = clerk.locator("#followups")
    expect(todo).to_contain_text("Call: the reservation ends, agree a date")
    check_page(clerk, "invoice-last-day")
    follow(clerk, "Extend the reservation")
    act(clerk, "extend_reservation", {"What was agreed?": "Pays on Friday"})
    expect(clerk.locator("#payment")).to_contain_text("extended once")
    check_page(clerk, "invoice-extended")
    let_pass(clerk, number, days=9)
    stands(clerk, number, "Cancelled", "Cancelled")
    mail_about(shopper, number, "is cancelled")
    check_page(shopper, "mail-not-paid")


@pytest.mark.feature("E15", "E16", "Z7")
def test_a_dealer_pays_later(person, boss):
    dealer = person("dealer@example.com")
    put_into_basket(dealer, "ru", "Tempo wall clock")
    give_address(dealer, **ADDRESSES["ru"])
    check_page(dealer, "dealer-ways")
    number = pay_by(dealer, "deferred-ru")
    boss.goto(f"/dashboard/orders/{number}/")
    check_page(boss, "dealer-order")
    act(boss, "release")
    assert badges(boss) == ["Awaiting payment", "In process"]
    send_and_deliver(boss)
    let_pass(boss, number, days=16)
    mail_about(boss, number, "Reminder")
    let_pass(boss, number, days=8)
    boss.goto(f"/dashboard/orders/{number}/")
    expect(boss.locator("#followups")).to_contain_text("The invoice is overdue")
    check_page(boss, "dealer-overdue")
    follow(boss, "Money received")
    act(boss, "receive_money", {"Reference": "Платёж 12"})
    assert badges(boss) == ["Paid", "Delivered"]
    expect(boss.locator("#followups")).to_have_count(0)


# France: held, and charged when the goods leave


@pytest.mark.feature("E2", "D8")
def test_a_part_of_a_hold_is_charged_when_the_goods_leave(shopper, boss):
    number = order(shopper, "eu", "Seixo vase", "card-eu", quantity=2)
    decide(shopper, "approve")
    stands(boss, number, "Authorized", "Received")
    boss.goto(f"/dashboard/orders/{number}/edit/")
    units, apply = edit_fields(boss, "Seixo vase")
    units.fill("1")
    expect(apply).to_be_enabled()
    with boss.expect_navigation():
        apply.click()
    act(boss, "release")
    check_page(boss, "eu-released")
    act(boss, "dispatch", {"Yes": True})
    stands(boss, number, "Paid", "Sent")
    check_page(boss, "eu-sent")


# Accidents


@pytest.mark.feature("Z7")
def test_a_provider_is_down_while_somebody_buys(shopper, boss, vendor):
    seller = vendor("yookassa", "control")
    check_page(seller, "accidents", ignore=())
    seller.click("button:has-text('It is down')")
    try:
        number = order(shopper, "ru", "Margem notebook", "card-ru")
        expect(shopper.locator("main")).to_contain_text(f"Your order {number} is placed.")
        expect(shopper.locator("main")).to_contain_text("Your order is safe")
        check_page(shopper, "provider-down")
        boss.goto(f"/dashboard/orders/{number}/")
        check_page(boss, "provider-down-order")
    finally:
        seller.click("button:has-text('It works')")
    # The answer is lost: the buyer clicks again, and there is one payment.
    seller.click("button:has-text('Do it, and lose the answer')")
    shopper.click("button:has-text('Pay now')")
    expect(shopper.locator("main")).to_contain_text("Your order is safe")
    with shopper.expect_navigation():
        shopper.click("main form [type=submit]:has-text('pay'), main form button:has-text('Pay now')")
    decide(shopper, "approve")
    stands(boss, number, "Authorized", "Received")
    seller = vendor("yookassa")
    assert seller.locator("tbody tr", has_text=number).count() == 1


def test_the_sandbox_says_what_to_try(shopper, vendor):
    shopper.goto("/sandbox/")
    check_page(shopper, "start")
    shopper.click("a:has-text('Let time pass')")
    shopper.fill("#id_number", "nobody")
    shopper.click(".shop-time [type=submit]")
    expect(shopper.locator(".shop-time")).to_contain_text("There is no such order.")
    check_page(shopper, "time")
    shopper.goto("/sandbox/mails/?q=nobody")
    check_page(shopper, "mails-none")


@pytest.mark.feature("Z7")
def test_afterwards_everything_adds_up(shop):
    """Last in this file: what all of these orders have left behind."""
    assert "whole" in manage(shop, "fulfillment_verify_history")
    # Ends with an error where payments, ledger, statuses, stock and the providers' books disagree.
    manage(shop, "fulfillment_audit_payments", "--ask")
