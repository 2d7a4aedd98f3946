"""Money on the order page and the to-do list in a real browser; the provider lives in the server's process."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from oscar_fulfillment.gateways.base import PaymentState
from oscar_fulfillment.models import CreditNote, FollowUp, OrderFulfillment, ProviderPayment
from oscar_fulfillment.services import followups, hold_clock, oscar_events, receipts
from oscar_fulfillment.test import factories

from ..integration.payments import begun, held, hold_method, refresh
from . import conftest
from .conftest import log_in

pytestmark = pytest.mark.django_db(transaction=True)
WIDTHS = (1280, 390)
TODO = "/dashboard/orders/list/follow-ups/"


@pytest.fixture(autouse=True)
def languages_and_types(transactional_db):
    oscar_events._types.clear()  # the tables are emptied between these tests


@pytest.fixture
def boss(page):
    user = factories.staff_user("*", first_name="Bruna")
    log_in(page, user)
    return user


def check_page(page, name):
    """Oscar's navigation bar puts its "Log out" form into a list (its layout, not ours)."""
    conftest.check_page(page, name, widths=WIDTHS, ignore=("list",))


def address(order):
    return f"/dashboard/orders/{order.number}/"


def statuses(order):
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


def badge(page):
    return page.locator("[data-badge=payment]")


def late(**options):
    order, payment, provider = begun(**options)
    provider.change(payment.reference, state=PaymentState.EXPIRED)
    refresh(payment)
    provider.pay(payment.reference)
    refresh(payment)
    return order, payment, provider


@pytest.mark.feature("E2", "E5")
def test_a_held_sum_counts_down_and_is_charged_in_part(page, boss):
    order, _payment, provider = held(lines=[(factories.product("Caneca azul", "35.00"), 2)])
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(days=2, hours=4, minutes=1))
    page.goto(address(order))
    card = page.locator("#payment")
    expect(card).to_contain_text("Held for 2 days 4 hours")
    expect(page.locator(".ff-next")).to_have_text("Release for invoicing")
    check_page(page, "money-held")
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=30, minutes=1))
    hold_clock.watch_holds()
    page.goto(address(order))
    expect(card.locator(".ff-hold-left")).to_have_class("ff-hold-left ff-soon")
    todo = page.locator("#followups")
    expect(todo).to_contain_text("A held payment is about to end")
    check_page(page, "money-hold-ends")
    todo.get_by_role("link", name="Charge the held sum").click()
    panel = page.locator("[data-step-panel=capture_payment]")
    amount = panel.get_by_label("Amount")
    expect(amount).to_be_focused()
    expect(amount).to_have_value("70.00")
    check_page(page, "money-capture")
    amount.fill("80")
    panel.get_by_role("button", name="Charge the held sum").click()
    expect(panel).to_contain_text("At most 70.00 BRL is held.")
    amount.fill("70")
    panel.get_by_role("button", name="Charge the held sum").click()
    expect(page.locator("#messages")).to_contain_text("R$70.00 charged.")
    expect(badge(page)).to_have_text("Approved")
    expect(todo).to_have_count(0)
    expect(card.locator(".ff-operations")).to_contain_text("Done")
    assert [what for what, _number, _amount in provider.effects] == ["start", "capture"]


@pytest.mark.feature("E4")
def test_a_provider_that_does_not_answer_and_one_that_refuses(page, boss):
    order, _payment, provider = held()
    provider.go_down()
    page.goto(address(order))
    page.locator("[data-step=capture_payment]").click()
    page.locator("[data-step-panel]").get_by_role("button", name="Charge the held sum").click()
    expect(page.locator("#messages")).to_contain_text("The provider's answer is pending")
    expect(page.locator(".ff-operations")).to_contain_text("Asked, the answer is pending")
    check_page(page, "money-pending")
    provider.refuse("The issuer has ended the hold")
    page.get_by_role("button", name="Ask the provider now").first.click()
    expect(page.locator(".ff-operations")).to_contain_text("The issuer has ended the hold")
    todo = page.locator("#followups")
    expect(todo).to_contain_text("Charge of R$20.00 at Demo pay: The issuer has ended the hold")
    check_page(page, "money-refused")
    todo.get_by_role("link", name="Try again").click()
    page.locator("[data-step-panel]").get_by_role("button", name="Charge the held sum").click()
    expect(page.locator("#messages")).to_contain_text("R$20.00 charged.")
    expect(todo).to_have_count(0)


@pytest.mark.feature("Z7")
@pytest.mark.parametrize("way", ["Restore the order", "Refund", "Keep as a credit note"])
def test_late_money_by_each_of_its_three_ways(page, boss, way):
    order, _payment, provider = late()
    page.goto(TODO)
    page.get_by_role("link", name="Money came for a cancelled order").click()
    expect(page.locator(".ff-ways")).to_contain_text("Keep as a credit note")
    page.get_by_role("link", name=order.number).click()
    todo = page.locator("#followups")
    expect(todo).to_contain_text("R$20.00 came by Demo pay after the order was cancelled.")
    if way == "Refund":
        check_page(page, "money-late")
    todo.get_by_role("link", name=way, exact=True).click()
    panel = page.locator("[data-step-panel]")
    expect(panel).to_be_visible()
    check_page(page, f"money-late-{way.split()[0].lower()}")
    panel.get_by_label("Why").fill("Agreed by telephone")
    panel.locator("[data-submit]").click()
    expect(page.locator("#messages .alert-success")).to_be_visible()
    expect(todo).to_have_count(0)
    expect(page.locator("#problem")).to_have_count(0)
    if way == "Restore the order":
        assert statuses(order) == ("paid", "received")
    elif way == "Refund":
        assert provider.payments["P1"].refunded == Decimal("20.00")
    else:
        assert CreditNote.objects.get().amount == Decimal("20.00")
        expect(page.locator("#payment")).to_contain_text(f"{order.number}-C1")
        check_page(page, "money-credit")


@pytest.mark.feature("D6", "E8")
def test_a_reserved_order_is_extended_and_paid_in_two_sums(page, boss):
    order = factories.placed_order(method=factories.manual_method("invoice", name="On invoice", reservation_days=3))
    followups.open_followup(
        kind=followups.RESERVATION_ENDS, key="r", fulfillment_id=order.pk,
        data={"until": order.fulfillment.terms.reserved_until.isoformat()},
    )  # fmt: skip
    page.goto(address(order))
    check_page(page, "money-reserved")
    page.locator("#followups").get_by_role("link", name="Extend the reservation").click()
    panel = page.locator("[data-step-panel=extend_reservation]")
    panel.get_by_label("What was agreed?").fill("Pays on Friday")
    check_page(page, "money-extend")
    panel.locator("[data-submit]").click()
    expect(page.locator("#payment")).to_contain_text("extended once")
    page.locator("[data-step=approve_payment]").click()
    panel = page.locator("[data-step-panel=approve_payment]")
    panel.get_by_text("Another sum came in").click()
    panel.get_by_label("Amount received").fill("12")
    check_page(page, "money-approve")
    panel.get_by_role("button", name="Approve payment").click()
    expect(page.locator("#messages")).to_contain_text("R$8.00 is still missing")
    expect(page.locator("#followups")).to_contain_text("R$12.00 of R$20.00 came in")
    page.locator("#followups").get_by_role("link", name="The rest came in").click()
    panel = page.locator("[data-step-panel=receive_money]")
    expect(panel.get_by_label("Amount")).to_have_value("8.00")
    panel.locator("[data-submit]").click()
    expect(badge(page)).to_have_text("Approved")


def test_two_ways_back_show_their_fields(page, boss):
    order, payment, provider = held()
    provider.change(payment.external_id, state=PaymentState.CAPTURED, captured=Decimal("20.00"))
    refresh(payment)
    receipts.receive_money(order=order, actor=factories.TEAM, amount=Decimal("3"))
    page.goto(address(order))
    page.locator("#payment [data-step=refund_payment]").click()
    panel = page.locator("[data-step-panel=refund_payment]")
    expect(panel.get_by_label("Reference")).to_be_hidden()
    panel.get_by_label("I pay it back by hand").check()
    expect(panel.get_by_label("Reference")).to_be_visible()
    check_page(page, "money-refund-ways")


@pytest.mark.feature("Z7")
def test_the_to_do_list(page, boss):
    ana = factories.staff_user("*", first_name="Ana", last_name="Lima")
    page.goto(TODO)
    expect(page.locator(".ff-empty")).to_contain_text("Nothing to do.")
    check_page(page, "followups-empty")
    order, _payment, _provider = late()
    waiting = factories.placed_order()
    receipts.receive_money(order=waiting, actor=factories.TEAM, amount=Decimal("12"))
    followups.open_followup(kind=followups.CALL, key="c", fulfillment_id=waiting.pk, note="Ask for the house number",
                            due_at=timezone.now() + timedelta(days=1, hours=2))  # fmt: skip
    followups.open_followup(
        kind=followups.UNKNOWN_PAYMENT, key="u",
        data={"provider": "demo", "external_id": "P77", "state": "captured", "amount": "20.00", "currency": "BRL"},
    )  # fmt: skip
    page.goto("/dashboard/")
    expect(page.locator(".of-due")).to_contain_text("3 Follow-ups due")
    page.locator(".of-due a").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_role("link", name="Open", exact=False).first.click()
    expect(page.locator("tbody tr")).to_have_count(4)
    check_page(page, "followups")
    page.get_by_role("button", name="Take: Call the customer").click()
    expect(page.locator("#messages")).to_contain_text("The follow-up is Bruna's now.")
    page.get_by_role("link", name="Mine").click()
    page.get_by_role("link", name="Call the customer").click()
    check_page(page, "followup")
    page.get_by_label("Assigned to").select_option(label="Ana Lima")
    page.get_by_role("button", name="Assign", exact=True).click()
    assert FollowUp.objects.get(key="c").assignee == ana
    page.get_by_role("link", name="Call the customer").click()
    page.get_by_label("What came of it?").select_option("reached")
    page.get_by_label("Note").fill("House number 7")
    page.get_by_role("button", name="Close the follow-up").click()
    page.get_by_role("link", name="Closed").click()
    expect(page.locator("tbody")).to_contain_text("House number 7")
    check_page(page, "followups-closed")


def test_the_to_do_list_without_a_script(new_person):
    order = factories.placed_order()
    followups.open_followup(kind=followups.CALL, key="c", fulfillment_id=order.pk)
    tab = new_person(factories.staff_user("*", first_name="Bruna"), java_script_enabled=False)
    tab.goto(address(order))
    tab.locator("#followups").get_by_label("What came of it?").select_option("not_reached")
    tab.locator("#followups").get_by_role("button", name="Close the follow-up").click()
    expect(tab.locator("#followups")).to_have_count(0)
    expect(tab.locator("#history")).to_contain_text("Customer not reached")


@pytest.mark.feature("E5")
def test_the_order_list_counts_down(page, boss):
    held(method=hold_method(), lines=[(factories.product("Fondue-Set", "89.00"), 1)])
    ProviderPayment.objects.update(hold_expires_at=timezone.now() + timedelta(hours=30, minutes=1))
    factories.placed_order(method=factories.manual_method("invoice", name="On invoice", reservation_days=3))
    page.goto("/dashboard/orders/")
    expect(page.locator(".ff-clock--soon")).to_contain_text("1 day 6 hours")
    expect(page.locator(".ff-clock")).to_have_count(2)
    check_page(page, "list-clocks")
