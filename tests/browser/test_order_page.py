"""The order page in a real browser: the whole way by clicks, stale forms, reasons, the key as typed, live history."""

import re

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.models import OrderFulfillment, OutboundMessage
from oscar_fulfillment.services import holds, invoicing, notes, oscar_events, payments, release, shipping
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from . import conftest
from .conftest import log_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def languages_and_types(transactional_db):
    oscar_events._types.clear()  # the tables are emptied between these tests


@pytest.fixture
def boss(page):
    user = factories.staff_user("*", first_name="Bruna")
    log_in(page, user)
    return user


def check_page(page, name, **options):
    """Oscar's navigation bar puts its "Log out" form into a list (its layout, not ours); our own lists are checked."""
    conftest.check_page(page, name, ignore=("list",), **options)
    wrong = page.locator(".content ul > :not(li, script, template), .content ol > :not(li, script, template)")
    expect(wrong).to_have_count(0)


def address(order):
    return f"/dashboard/orders/{order.number}/"


def badge(page, machine):
    return page.locator(f"[data-badge={machine}]")


def open_step(page, name):
    page.locator(f"[data-step={name}]").click()
    panel = page.locator(f"[data-step-panel={name}]")
    expect(panel).to_be_visible()
    return panel


def statuses(order):
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


@pytest.mark.feature("A2")
@pytest.mark.feature("A4")
@pytest.mark.feature("A7")
@pytest.mark.feature("A9")
@pytest.mark.feature("A12")
@pytest.mark.feature("A14")
@pytest.mark.feature("A15")
def test_a_brazilian_order_from_payment_to_delivered_by_clicks(page, boss):
    order = factories.placed_order(
        lines=[(factories.product("Caneca azul", "35.00"), 2), (factories.product("Prato fundo", "48.50"), 4)],
        fulfillment={"tax_id": "52998224725", "tax_id_kind": "cpf"},
    )
    page.goto(address(order))
    expect(badge(page, "payment")).to_have_text("Awaiting payment")
    expect(badge(page, "shipping")).to_have_text("Received")
    expect(page.locator(".ff-next")).to_have_count(1)
    check_page(page, "order-1-new")

    panel = open_step(page, "approve_payment")
    panel.get_by_label("Reference").fill("TED 0012")
    check_page(page, "order-2-approve")
    panel.get_by_role("button", name="Approve payment").click()
    expect(badge(page, "payment")).to_have_text("Approved")
    expect(page.locator("#messages")).to_contain_text("Approve payment: done.")

    panel = open_step(page, "release")
    expect(panel.locator("tbody tr")).to_have_count(2)
    check_page(page, "order-3-release")
    panel.get_by_role("button", name="Release for invoicing").click()
    expect(badge(page, "shipping")).to_have_text("Released for invoicing")

    panel = open_step(page, "invoice")
    panel.get_by_label("Access key").fill(make_key(number=4711, series=2))
    expect(panel.get_by_label("Number")).to_have_value("4711")
    expect(panel.get_by_label("Series")).to_have_value("2")
    check_page(page, "order-4-invoice")
    panel.get_by_role("button", name="Invoice", exact=True).click()
    expect(badge(page, "shipping")).to_have_text("Invoiced")

    panel = open_step(page, "dispatch")
    panel.get_by_label("Carrier").select_option("correios")
    panel.get_by_label("Tracking code").fill("aa 123456785 br")
    panel.get_by_label("Yes, send the mail").check()
    check_page(page, "order-5-dispatch")
    panel.get_by_role("button", name="Dispatch").click()
    expect(badge(page, "shipping")).to_have_text("Sent")
    expect(page.locator("#shipments")).to_contain_text("AA123456785BR")

    page.locator(".ff-badges .ff-menu summary").click()
    expect(page.get_by_role("link", name="Mark as delivered").first).to_be_visible()
    check_page(page, "order-6-menu", widths=(1280, 390))
    page.locator(".ff-badges .ff-menu").get_by_role("link", name="Mark as delivered").click()
    panel = page.locator("[data-step-panel=deliver]")
    panel.get_by_role("button", name="Mark as delivered").click()
    expect(badge(page, "shipping")).to_have_text("Delivered")
    assert statuses(order) == ("paid", "delivered")
    expect(page.locator("#history")).to_contain_text("Invoiced")
    expect(page.locator("#history .ff-change")).to_have_count(6)
    check_page(page, "order-7-delivered")


@pytest.mark.feature("D11")
@pytest.mark.feature("Z1")
def test_a_swiss_order_by_clicks_asks_before_it_mails(page, boss):
    order = factories.placed_order(
        currency="CHF",
        lines=[(factories.product("Fondue-Set", "89.00"), 1)],
        shipping_address=factories.address(
            country="CH", first_name="Urs", last_name="Meier", line1="Bahnhofstrasse 1", line4="Bern", postcode="3000"
        ),
        email="urs@example.ch",
    )
    page.goto(address(order))
    open_step(page, "approve_payment").get_by_role("button", name="Approve payment").click()
    expect(badge(page, "payment")).to_have_text("Paid")
    open_step(page, "release").get_by_role("button", name="Start processing").click()
    expect(badge(page, "shipping")).to_have_text("In process")
    expect(page.locator("[data-step=invoice]")).to_have_count(0)

    panel = open_step(page, "dispatch")
    panel.get_by_role("button", name="Dispatch").click()
    expect(page.locator("[data-step-panel=dispatch] .ff-errors")).to_contain_text("This field is required.")
    assert statuses(order) == ("paid", "released")
    panel = page.locator("[data-step-panel=dispatch]")
    panel.get_by_label("Yes, send the mail").check()
    panel.get_by_role("button", name="Dispatch").click()
    expect(badge(page, "shipping")).to_have_text("Sent")
    assert OutboundMessage.objects.filter(kind="FULFILLMENT_ORDER_DISPATCHED").count() == 1
    open_step(page, "deliver").get_by_role("button", name="Mark as delivered").click()
    expect(badge(page, "shipping")).to_have_text("Delivered")
    assert statuses(order) == ("paid", "delivered")


@pytest.mark.feature("Z2")
def test_impossible_steps_are_disabled_and_say_why_before_anyone_clicks(page, boss):
    order = factories.placed_order()
    holds.place_hold(order=order, actor=Actor.from_user(boss), code="address", note="House number is missing")
    page.goto(address(order))
    dispatch = page.locator("[data-step=dispatch]")
    expect(dispatch).to_be_disabled()
    expect(dispatch).to_have_accessible_description(re.compile("Not possible while the status is “Received”"))
    release_button = page.locator("[data-step=release]")
    expect(release_button).to_have_accessible_description(
        re.compile("The order is on hold.*The payment is not approved")
    )
    page.locator("#why-release").get_by_role("link", name="Approve the payment").click()
    expect(page.locator("[data-step-panel=approve_payment]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-step-panel]")).to_have_count(0)
    check_page(page, "order-hold")


@pytest.mark.feature("A6")
def test_the_red_cancel_is_beside_print(page, boss):
    order = factories.paid_order()
    page.goto(address(order))
    buttons = page.locator(".ff-head-buttons")
    printing, cancelling = (
        buttons.get_by_role("button", name="Print"),
        buttons.get_by_role("link", name="Cancel this order"),
    )
    left, right = printing.bounding_box(), cancelling.bounding_box()
    assert abs(left["y"] - right["y"]) < 10
    assert left["x"] < right["x"]
    red, green, _blue = map(
        int, re.findall(r"\d+", cancelling.evaluate("e => getComputedStyle(e).backgroundColor"))[:3]
    )
    assert red > 150 > green
    panel = open_step(page, "cancel")
    expect(panel).to_contain_text("2 reserved units go back to the stock")
    expect(panel).to_contain_text("asks for a refund")
    panel.get_by_label("Why is it cancelled?").fill("She changed her mind")
    check_page(page, "order-cancel")
    panel.get_by_role("button", name="Yes, cancel this order").click()
    expect(badge(page, "shipping")).to_have_text("Cancelled")
    expect(page.locator("#problem")).to_contain_text("pay it back")
    check_page(page, "order-cancelled")


@pytest.mark.feature("A9")
@pytest.mark.feature("A11")
def test_the_key_is_checked_as_it_is_typed_and_zeros_mean_no_document(page, boss):
    order = factories.released_order()
    page.goto(address(order))
    panel = open_step(page, "invoice")
    key = make_key(number=12, series=1)
    panel.get_by_label("Access key").press_sequentially(key[:43] + str((int(key[43]) + 1) % 10))
    expect(panel.locator("#step_access_key_problems")).to_contain_text("The check digit is wrong")
    check_page(page, "order-key-wrong", widths=(1280, 390))
    panel.get_by_label("Access key").fill(key)
    expect(panel.locator("#step_access_key_problems")).to_be_empty()
    panel.get_by_label("Number").fill("13")
    expect(panel.locator("#step_access_key_problems")).to_contain_text("the access key says 12")
    panel.get_by_label("Access key").fill("0" * 44)
    expect(panel.get_by_label("No fiscal document")).to_be_checked()
    expect(panel.get_by_label("Access key")).to_be_hidden()
    panel.get_by_role("button", name="Invoice", exact=True).click()
    expect(badge(page, "shipping")).to_have_text("Invoiced")
    expect(page.locator("#invoices")).to_contain_text("No fiscal document")


@pytest.mark.feature("Z3")
def test_a_stale_form_tells_who_was_faster_and_keeps_what_was_typed(page, boss, new_person):
    order = factories.placed_order()
    page.goto(address(order))
    page.route("**/history/**", lambda route: route.abort())  # this tab has not heard of it yet
    panel = open_step(page, "cancel")
    panel.get_by_label("Why is it cancelled?").fill("No answer for a week")
    other = new_person(factories.staff_user("*", first_name="Ana"))
    other.goto(address(order))
    open_step(other, "approve_payment").get_by_role("button", name="Approve payment").click()
    expect(badge(other, "payment")).to_have_text("Approved")
    with page.expect_response(lambda response: response.request.method == "POST") as sent:
        panel.get_by_role("button", name="Yes, cancel this order").click()
    assert sent.value.status == 409
    expect(page.locator("#panel-refused")).to_contain_text(re.compile(r"Ana approved the payment \d+ seconds? ago \("))
    expect(badge(page, "payment")).to_have_text("Approved")
    expect(page.get_by_label("Why is it cancelled?")).to_have_value("No answer for a week")
    assert statuses(order) == ("paid", "received")
    check_page(page, "order-stale")


@pytest.mark.feature("A15")
def test_the_history_is_live_and_a_form_in_work_stays(page, boss):
    order = factories.placed_order()
    page.goto(address(order))
    panel = open_step(page, "approve_payment")
    panel.get_by_label("Reference").fill("half typed")
    payments.approve_payment(order=order, actor=Actor.from_user(factories.staff_user(first_name="Ana")))
    expect(page.locator("#ff-news")).to_contain_text("Ana approved the payment", timeout=15_000)
    expect(page.locator("#history .ff-change").first).to_contain_text("Ana")
    expect(panel.get_by_label("Reference")).to_have_value("half typed")
    check_page(page, "order-live", widths=(1280,))
    page.get_by_role("link", name="Show the new state").click()
    expect(badge(page, "payment")).to_have_text("Approved")
    notes.add_note(order=order, actor=factories.TEAM, text="Called")
    expect(page.locator("#history .ff-change").first).to_contain_text("Called", timeout=15_000)
    expect(page.locator("#ff-news")).to_be_hidden()


@pytest.mark.feature("Z2")
def test_everything_works_without_a_script(new_person, live_server):
    order = factories.placed_order()
    page = new_person(factories.staff_user("*", first_name="Bruna"), java_script_enabled=False)
    page.goto(address(order))
    page.get_by_role("link", name="Approve payment").first.click()
    page.get_by_role("button", name="Approve payment").click()
    page.get_by_role("link", name="Release for invoicing").first.click()
    page.get_by_role("button", name="Release for invoicing").click()
    page.locator("a[data-step=invoice]").click()
    page.get_by_label("No fiscal document").check()
    page.get_by_role("button", name="Invoice", exact=True).click()
    page.locator("a[data-step=dispatch]").click()
    page.get_by_label("No mail").check()
    page.get_by_role("button", name="Dispatch").click()
    expect(badge(page, "shipping")).to_have_text("Sent")
    page.locator(".ff-badges .ff-menu summary").click()
    page.locator(".ff-badges .ff-menu").get_by_role("link", name="Mark as delivered").click()
    page.get_by_role("button", name="Mark as delivered").click()
    assert statuses(order) == ("paid", "delivered")
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator("#history .ff-change")).to_have_count(6)


def test_by_keyboard_alone(page, boss):
    order = factories.placed_order()
    page.goto(address(order))
    page.locator(".ff-next").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reference")).to_be_focused()
    page.keyboard.type("TED 5")
    page.keyboard.press("Enter")
    expect(badge(page, "payment")).to_have_text("Approved")


@pytest.mark.feature("A7")
def test_release_shows_what_is_missing_and_goes_ahead_in_part(page, boss):
    mug, plate = factories.product("Mug", stock=5), factories.product("Plate", stock=5)
    order = factories.paid_order(lines=[(mug, 2), (plate, 4)])
    plate.stockrecords.update(num_in_stock=1)
    page.goto(address(order))
    panel = open_step(page, "release")
    expect(panel).to_contain_text("3 units are missing")
    check_page(page, "order-missing")
    panel.get_by_role("button", name="Release what is there").click()
    expect(badge(page, "shipping")).to_have_text("Released for invoicing")
    expect(page.locator(".ff-badges")).to_contain_text("Waits for goods")


def test_a_big_order_with_several_parcels_notes_and_a_problem(page, boss):
    order = factories.paid_order(
        lines=[(factories.product(f"Prato de jantar {n} com um nome bastante comprido"), 3) for n in range(5)]
    )
    pks = list(order.lines.values_list("pk", flat=True))
    for _parcel in range(2):
        release.release_order(order=order, actor=factories.TEAM, quantities=dict.fromkeys(pks, 1))
    invoicing.invoice_order(order=order, actor=factories.TEAM, access_key=make_key(number=5))
    first, second = order.fulfillment.shipments.all()
    for shipment, code in ((first, "AA123456785BR"), (second, "AA123456771BR")):
        shipping.dispatch_order(
            order=order, actor=factories.TEAM, shipment=shipment.pk, carrier="correios", tracking_code=code
        )
    notes.add_note(order=order, actor=Actor.from_user(boss), text="She wants it before Friday.\nCall first.")
    notes.add_note(order=order, actor=Actor.from_user(boss), text="Your parcel left today.", visible_to_customer=True)
    OutboundMessage.objects.filter(order=order, kind="ORDER_PLACED").update(status="dead", error="550 no such mailbox")
    page.goto(address(order))
    check_page(page, "order-big")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("#messages")).to_contain_text("The message will be sent again.")
